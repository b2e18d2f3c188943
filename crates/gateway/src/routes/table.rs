//! The table of all routes.

use axum::routing::on;
use nervure_api::{
    AccountView, ApiErrorCode, AskBody, AskLine, AuditPage, CheckpointPage, CheckpointView, EpochView,
    EvidenceView, ExpertPage, HealthView, LightBody, LightView, NodeStatus, NodeView, PeerPage,
    PeerReachView, ProposalPage, StateProofView, SubmissionView, SubmitBody, SubnetDetail, SubnetPage,
    TraceView, TransactionView, UsagePage, ValidatorPage, paths,
};
use nervure_primitives::{BlockHeight, Hash, Netuid, NodeId};
use serde_json::{Map, Value};

use super::{
    ContentKind::{Events, Json, Lines, Metrics},
    Route, RouteGroup,
};
use crate::{
    ask, audits,
    experts::{self, ExpertParams},
    ledger, light, messages, metrics, ollama,
    openai::{chat, completions, document as openai, embeddings, models},
    openapi,
    proofs::{self, CheckpointHeight, CheckpointParams, EpochParams, PageParams, StateProofParams},
    responses, status, subnets, traces, usage,
};

/// Errors of a route with parameters.
const PARAMETERS: &[ApiErrorCode] = &[ApiErrorCode::InvalidRequest];

/// Errors of a route with a body.
const BODY: &[ApiErrorCode] = &[
    ApiErrorCode::InvalidRequest,
    ApiErrorCode::BodyTimeout,
    ApiErrorCode::BodyTooLarge,
    ApiErrorCode::UnsupportedMediaType,
];

/// Errors of a query to the mesh.
const QUERY: &[ApiErrorCode] = &[
    ApiErrorCode::BadFilter,
    ApiErrorCode::ContextLengthExceeded,
    ApiErrorCode::NoExpert,
    ApiErrorCode::ModelNotFound,
    ApiErrorCode::TooFewExperts,
    ApiErrorCode::OverBudget,
    ApiErrorCode::Busy,
    ApiErrorCode::TooManyHops,
    ApiErrorCode::TooManyRequests,
    ApiErrorCode::KeyNotAllowed,
    ApiErrorCode::KeyLimitReached,
    ApiErrorCode::KeyBudgetSpent,
    ApiErrorCode::AllExpertsFailed,
    ApiErrorCode::Interrupted,
    ApiErrorCode::DeadlineExceeded,
    ApiErrorCode::Unavailable,
    ApiErrorCode::Internal,
];

/// Errors of a question to the ledger.
const LEDGER: &[ApiErrorCode] = &[ApiErrorCode::NotFound, ApiErrorCode::Unavailable, ApiErrorCode::Internal];

/// Errors of an unsupported field of the OpenAI API.
const UNSUPPORTED: &[ApiErrorCode] = &[ApiErrorCode::UnsupportedParameter];

/// Every route, by group.
pub const ROUTES: &[RouteGroup] = &[
    RouteGroup {
        name: "node",
        summary: "The state of the node.",
        gateways_only: false,
        routes: &[
            Route::get(paths::STATUS, "the state of the node", |m| on(m, status::status))
                .about("The identity of the node and its process, its connections, the chain and the anchor.")
                .returns::<NodeStatus>(Json),
            Route::get(paths::PEERS, "the nodes that it is connected to", |m| on(m, status::peers))
                .about("One entry per connection.")
                .returns::<PeerPage>(Json),
            Route::get(paths::PEER_REACH, "how the node and a peer reach each other", |m| {
                on(m, status::peer_reach)
            })
            .about("Dials the peer, and asks others whether they reach it. Takes up to 20 s.")
            .path::<NodeId>("The peer.")
            .returns::<PeerReachView>(Json)
            .fails(&[PARAMETERS]),
            // A supervisor has no key.
            Route::get(paths::HEALTHZ, "whether the node is ready", |m| on(m, status::healthz))
                .open()
                .about("Needs no key. Where the API has keys, the reason is left out.")
                .returns::<HealthView>(Json)
                .or::<HealthView>(503, Json, "The node is not ready."),
            Route::get(paths::METRICS, "the metrics", |m| on(m, metrics::metrics))
                .about(
                    "OpenMetrics text, among it `nervure_http_requests_total{route,status}`, \
                     `nervure_http_errors_total{code}` and `nervure_http_queries_in_progress`.",
                )
                .returns::<String>(Metrics),
            Route::get(paths::USAGE, "what named keys used today", |m| on(m, usage::usage))
                .about("One's own key; without a key, with the operator's or with one for it, all of them.")
                .returns::<UsagePage>(Json),
            Route::get(paths::OPENAPI, "this API as an OpenAPI document", |m| on(m, openapi::openapi))
                .about("OpenAPI 3.1, of the endpoints that this node serves.")
                .returns::<Map<String, Value>>(Json),
        ],
    },
    RouteGroup {
        name: "queries",
        summary: "Experts, and queries to them.",
        gateways_only: false,
        routes: &[
            Route::get(paths::EXPERTS, "a page of expert records", |m| on(m, experts::experts))
                .about("The records that this node knows. The addresses of experts are left out on purpose.")
                .query::<ExpertParams>()
                .returns::<ExpertPage>(Json)
                .fails(&[PARAMETERS, &[ApiErrorCode::BadFilter]]),
            Route::get(paths::AUDITS, "what the audits of this node found", |m| on(m, audits::audits))
                .about("Mismatches that it keeps, the latest first. Only validators audit.")
                .returns::<AuditPage>(Json),
            Route::get(paths::AUDIT, "the evidence of a mismatch", |m| on(m, audits::evidence))
                .about("With the question, the answer and the receipt, so that anyone with the model can repeat it.")
                .path::<Hash>("The name of the query in its receipt.")
                .returns::<EvidenceView>(Json)
                .fails(&[PARAMETERS, &[ApiErrorCode::NotFound]]),
            Route::post(paths::ASK, "a query; the answer streams line by line", |m| on(m, ask::ask))
                .about(
                    "A response without a last line `done` or `error` was cut off. A query that fails before an \
                     expert has begun to answer has an error body instead.",
                )
                .takes::<AskBody>()
                .returns::<AskLine>(Lines)
                .asks()
                .fails(&[BODY, QUERY]),
        ],
    },
    RouteGroup {
        name: "ledger",
        summary: "The ledger, for clients that trust this node.",
        gateways_only: false,
        routes: &[
            Route::get(paths::ACCOUNT, "an owner's account", |m| on(m, ledger::account))
                .about("After the last block; amounts are base units.")
                .path::<NodeId>("The owner key.")
                .returns::<AccountView>(Json)
                .fails(&[PARAMETERS, LEDGER]),
            Route::post(paths::TRANSACTIONS, "submits a transaction", |m| on(m, ledger::submit))
                .about("With `dry_run`, only checks it and says what it would do.")
                .takes::<SubmitBody>()
                .returns::<TransactionView>(Json)
                .fails(&[BODY, LEDGER, &[ApiErrorCode::Refused]]),
            Route::get(paths::TRANSACTION, "the state of a transaction", |m| on(m, ledger::transaction))
                .about("A transaction that this node does not know is `pending`, too.")
                .path::<Hash>("The id of the transaction.")
                .returns::<TransactionView>(Json)
                .fails(&[PARAMETERS, LEDGER]),
            Route::get(paths::SUBNETS, "all subnets", |m| on(m, subnets::subnets))
                .about("With the tokens that the next new subnet has to lock.")
                .returns::<SubnetPage>(Json)
                .fails(&[LEDGER]),
            Route::get(paths::SUBNET, "a subnet and its metagraph", |m| on(m, subnets::subnet))
                .about("With its hyperparameters and its neurons.")
                .path::<Netuid>("The number of the subnet.")
                .returns::<SubnetDetail>(Json)
                .fails(&[PARAMETERS, LEDGER]),
            Route::get(paths::NODE, "a node of the ledger", |m| on(m, subnets::node))
                .about("Its owner, its stake, its slots, and whether it makes blocks.")
                .path::<NodeId>("The node.")
                .returns::<NodeView>(Json)
                .fails(&[PARAMETERS, LEDGER]),
            Route::get(paths::VALIDATORS, "the validators that make blocks", |m| on(m, subnets::validators))
                .about("Those that joined, are elected or are jailed, and the rules of the next election.")
                .returns::<ValidatorPage>(Json)
                .fails(&[LEDGER]),
            Route::get(paths::PROPOSALS, "the proposals of token holders", |m| on(m, subnets::proposals))
                .about("Those that are open and the last closed ones, each with its count, and the treasury.")
                .returns::<ProposalPage>(Json)
                .fails(&[LEDGER]),
        ],
    },
    RouteGroup {
        name: "proofs",
        summary: "Checkpoints and proofs, for clients that trust certificates and not the node.",
        gateways_only: false,
        routes: &[
            Route::get(paths::CHECKPOINTS, "a page of checkpoints", |m| on(m, proofs::checkpoints))
                .about("The blocks that ended epochs, the latest first.")
                .query::<PageParams>()
                .returns::<CheckpointPage>(Json)
                .fails(&[PARAMETERS, LEDGER]),
            Route::get(paths::CHECKPOINT, "a block with its certificate", |m| on(m, proofs::checkpoint))
                .about(
                    "Any block whose certificate is kept, not only those that ended epochs. A node that prunes keeps every \
                     256th certificate of its older blocks, and those of blocks after which other validators were in office.",
                )
                .query::<CheckpointParams>()
                .path::<CheckpointHeight>("A height, or `latest` for the last block that ended an epoch.")
                .returns::<CheckpointView>(Json)
                .fails(&[PARAMETERS, LEDGER]),
            Route::get(paths::ANCHORED, "a checkpoint as it was anchored", |m| on(m, proofs::anchored))
                .about("With the signatures that the contract checks.")
                .path::<BlockHeight>("The block of an election.")
                .returns::<SubmissionView>(Json)
                .fails(&[PARAMETERS, LEDGER]),
            Route::get(paths::FACTS, "a state proof", |m| on(m, proofs::state_proof))
                .about("The record under a key in the state after a block, or the proof that there is none.")
                .query::<StateProofParams>()
                .returns::<StateProofView>(Json)
                .fails(&[PARAMETERS, LEDGER]),
            Route::get(paths::EPOCH, "the proof of a node's last epoch", |m| on(m, proofs::epoch))
                .about("It explains the node's score: the inputs of the epoch, and their proof.")
                .path::<Netuid>("The number of the subnet.")
                .query::<EpochParams>()
                .returns::<EpochView>(Json)
                .fails(&[PARAMETERS, LEDGER]),
            Route::post(paths::LIGHT, "what a client without a state asks", |m| on(m, light::proofs))
                .open()
                .about("The protocol `light/1` of the swarm. Needs no key: what it gives is public and proven.")
                .takes::<LightBody>()
                .returns::<LightView>(Json)
                .fails(&[BODY, LEDGER, &[ApiErrorCode::Busy]]),
            Route::post(paths::LIGHT_TRANSACTIONS, "submits a transaction of a stranger", |m| {
                on(m, light::transactions)
            })
            .open()
            .about("The protocol `transactions/1` of the swarm. Needs no key: a transaction is paid for.")
            .takes::<LightBody>()
            .returns::<LightView>(Json)
            .fails(&[BODY, LEDGER, &[ApiErrorCode::Busy]]),
        ],
    },
    RouteGroup {
        name: "openai",
        summary: "The OpenAI API, those of Anthropic and Ollama, and the traces of answers; gateways only.",
        gateways_only: true,
        routes: &[
            Route::get(paths::MODELS, "models and capabilities", |m| on(m, models::list))
                .about("The values of `model`: models first, then capabilities, then the operator's names.")
                .returns::<models::ModelList>(Json),
            Route::get(paths::MODEL, "a model or capability", |m| on(m, models::one))
                .about("A name that is both is a model.")
                .path::<String>("Its name, which may contain slashes.")
                .returns::<models::Model>(Json)
                .fails(&[&[ApiErrorCode::ModelNotFound]]),
            Route::post(paths::CHAT_COMPLETIONS, "chat completions", |m| on(m, chat::chat))
                .about("Answers the last message of a conversation, whole or as a stream.")
                .takes::<openai::ChatRequest>()
                .returns::<openai::Reply>(Json)
                .or::<openai::Reply>(200, Events, openai::STREAM)
                .asks()
                .term_headers()
                .fails(&[BODY, QUERY, UNSUPPORTED]),
            Route::post(paths::RESPONSES, "responses", |m| on(m, responses::responses))
                .about("A chat in the form of the newer API, whole or as a stream.")
                .takes::<responses::ResponsesBody>()
                .returns::<responses::ResponseBody>(Json)
                .or::<responses::ResponseEvent>(200, Events, responses::STREAM)
                .asks()
                .term_headers()
                .fails(&[BODY, QUERY, UNSUPPORTED]),
            Route::post(paths::MESSAGES, "messages of Anthropic's API", |m| on(m, messages::messages))
                .about("A chat in the form of Anthropic's API, whole or as a stream.")
                .takes::<messages::MessagesBody>()
                .returns::<messages::MessageBody>(Json)
                .or::<messages::MessageEvent>(200, Events, messages::STREAM)
                .asks()
                .term_headers()
                .fails(&[BODY, QUERY, UNSUPPORTED]),
            Route::post(paths::COUNT_TOKENS, "the tokens of a message of Anthropic's API", |m| {
                on(m, messages::count_tokens)
            })
            .about("An estimate: the expert that would count them is not chosen yet.")
            .takes::<messages::CountBody>()
            .returns::<messages::TokenCount>(Json)
            .fails(&[BODY, UNSUPPORTED]),
            Route::post(paths::COMPLETIONS, "completions", |m| on(m, completions::completions))
                .about("Continues a text, whole or as a stream.")
                .takes::<openai::CompletionRequest>()
                .returns::<openai::Reply>(Json)
                .or::<openai::Reply>(200, Events, openai::STREAM)
                .asks()
                .term_headers()
                .fails(&[BODY, QUERY, UNSUPPORTED]),
            Route::post(paths::EMBEDDINGS, "embeddings", |m| on(m, embeddings::embeddings))
                .about("The vectors of one text or several.")
                .takes::<embeddings::EmbedBody>()
                .returns::<embeddings::EmbeddingList>(Json)
                .asks()
                .term_headers()
                .fails(&[BODY, QUERY, UNSUPPORTED]),
            Route::post(paths::OLLAMA_CHAT, "chats of Ollama's API", |m| on(m, ollama::chat))
                .about("A chat in the form of Ollama's API: lines, unless `stream` is `false`.")
                .takes::<ollama::ChatBody>()
                .returns::<ollama::Line>(Json)
                .or::<ollama::Line>(200, Lines, ollama::STREAM)
                .asks()
                .term_headers()
                .fails(&[BODY, QUERY, UNSUPPORTED]),
            Route::post(paths::OLLAMA_GENERATE, "texts of Ollama's API", |m| on(m, ollama::generate))
                .about("A question, or with `raw` or `suffix` a text to continue, in the form of Ollama's API.")
                .takes::<ollama::GenerateRequest>()
                .returns::<ollama::Line>(Json)
                .or::<ollama::Line>(200, Lines, ollama::STREAM)
                .asks()
                .term_headers()
                .fails(&[BODY, QUERY, UNSUPPORTED]),
            Route::post(paths::OLLAMA_EMBED, "vectors of Ollama's API", |m| on(m, ollama::embed))
                .about("The vectors of one text or several, in the form of Ollama's API.")
                .takes::<ollama::EmbedBody>()
                .returns::<ollama::EmbedReply>(Json)
                .asks()
                .term_headers()
                .fails(&[BODY, QUERY]),
            Route::get(paths::OLLAMA_TAGS, "models of Ollama's API", |m| on(m, ollama::tags))
                .about("The names of `/v1/models`.")
                .returns::<ollama::TagList>(Json),
            Route::get(paths::OLLAMA_VERSION, "the version of Ollama's API", |m| on(m, ollama::version))
                .about("That of the node's program.")
                .returns::<ollama::Version>(Json),
            Route::get(paths::TRACE, "the trace of an answer", |m| on(m, traces::trace))
                .about(
                    "How the expert of an answer was chosen. Only the last answers that were requested with \
                     `explain` have one.",
                )
                .path::<String>("The id that the header `link` of the answer names.")
                .returns::<TraceView>(Json)
                .fails(&[&[ApiErrorCode::UnknownUrl]]),
        ],
    },
];
