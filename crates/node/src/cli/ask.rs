//! `nervure ask`: sends a query to the mesh and prints the answer as it arrives.
//!
//! Only the answer goes to standard output, so that it can be piped; everything about the answer goes to standard
//! error.

use std::{
    io::{self, IsTerminal, Read, StdoutLock, Write},
    time::Duration,
};

use anyhow::Context;
use nervure_api::{
    AskBody, AskLine, AskLines, ClientError, ParticipantView, QueryTarget, QueryTerms, Strategy, TakeoverView,
};
use nervure_light::TrustedBlock;
use nervure_primitives::{Amount, BlockHeight, Capability, Escaped, Hash, Netuid, NodeId};
use nervure_protocol::{ChatMessage, ExpertRequest, Receipt, Role, Sampling};
use nervure_subnet::Policy;

use super::{
    Global,
    access::{Access, Session},
    certify::certify,
    explain, output,
    verify::Witness,
};

/// Longest prompt that is read from standard input; experts refuse longer ones.
const MAX_PROMPT_BYTES: u64 = 256 * 1024;

/// The capability if neither a capability, a model nor a subnet is given.
const DEFAULT_CAPABILITY: &str = "text.generate";

/// The capability if only a subnet is given.
const ANY_TEXT: &str = "text";

/// Asks the mesh for an answer; without PROMPT, reads the prompt from standard input
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nervure ask 'fn main() {' --capability text.generate.rust --max-tokens 64
  git diff | nervure ask --capability text.generate --temperature 0
  nervure ask --chat 'What is 6 * 7?' --subnet 18
  nervure ask 'The sea' --strategy race:3 --explain
  nervure ask 'The sea' --strategy mix:3 --explain")]
pub(crate) struct AskArgs {
    /// The prompt; `-` or no prompt reads standard input
    prompt: Option<String>,
    /// Ask any expert that has this capability [default: text.generate]
    #[arg(long, short, value_name = "CAPABILITY", conflicts_with = "model")]
    capability: Option<Capability>,
    /// Ask an expert that serves this model
    #[arg(long, short, value_name = "NAME")]
    model: Option<String>,
    /// Send the prompt as a chat message instead of a text to continue
    #[arg(long)]
    chat: bool,
    /// The system message (with --chat)
    #[arg(long, value_name = "TEXT", requires = "chat")]
    system: Option<String>,
    /// Maximum number of tokens to generate (bytes for byte-level models)
    #[arg(long, value_name = "N", default_value_t = 256)]
    max_tokens: u32,
    /// Sampling temperature, from 0 (always the likeliest token) to 5
    #[arg(long, value_name = "T", default_value_t = 0.8, value_parser = parse_rate)]
    temperature: f64,
    /// Sample from the likeliest tokens whose probabilities add up to this, at most 1
    #[arg(long, value_name = "P", default_value_t = 0.95, value_parser = parse_rate)]
    top_p: f64,
    /// Sampling seed: the same seed gives the same text from the same expert
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Stop before this text; can be given up to four times
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// How experts are asked: best, hedge (a second expert if the first is slow), race:N (the first answer of N),
    /// vote:N, average:N (embeddings) or mix:N (byte-level experts write one text together)
    #[arg(long, value_name = "STRATEGY", default_value = "best")]
    strategy: Strategy,
    /// How experts are ranked: balanced, fastest, cheapest or trusted
    #[arg(long, value_name = "POLICY", default_value = "balanced")]
    policy: Policy,
    /// Trust this subnet: only its experts are asked, and what its validators found counts in full, whatever stake
    /// stands behind it; can be given several times. Without -c or -m, any text capability
    #[arg(long = "subnet", value_name = "NETUID")]
    subnets: Vec<u16>,
    /// Only experts that pass this filter, such as 'context >= 4096 and price <= 5'
    #[arg(long = "where", value_name = "FILTER")]
    filter: Option<String>,
    /// Maximum price, in tokens of the mesh [default: 0, which reaches free experts only]
    #[arg(long, value_name = "AMOUNT")]
    budget: Option<Amount>,
    /// Seconds until the query is given up
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    deadline: u64,
    /// Show the candidates, their costs, and which were filtered out and why
    #[arg(long)]
    explain: bool,
    /// Verify the expert's receipt (its signature for exactly this question and this answer), and the certificate of
    /// the block whose incentives were used to select it
    #[arg(long)]
    verify: bool,
    /// Show the question and the answer to one validator, which repeats the answer and lowers the expert's score if it is
    /// not of the model that the expert names
    #[arg(long)]
    release: bool,
    /// Trust this block instead of the genesis (with --verify)
    #[arg(long, value_name = "HEIGHT:BLOCK", requires = "verify")]
    trust: Option<TrustedBlock>,
    #[command(flatten)]
    access: Access,
}

impl AskArgs {
    /// Runs the command.
    pub(crate) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let body = self.body(Hash::from_bytes(rand::random()))?;
        let session = self.access.open(global).await?;
        let answered = self.ask(&session, &body, global).await;
        session.close().await;
        answered
    }

    async fn ask(&self, session: &Session, body: &AskBody, global: &Global) -> anyhow::Result<()> {
        let lines = session.node.client().ask(body).await?;
        let signs = self.verify && !self.made_by_several();
        let nonce = body.terms.nonce.filter(|_| signs);
        let witness =
            nonce.map(|nonce| Witness::new(session.node.mesh(), &body.request, nonce)).transpose()?;
        let selection = self.print(lines, witness, global).await?;
        match self.verify {
            true => self.certify(session, selection, global).await,
            false => Ok(()),
        }
    }

    /// Proves the incentives that were used to select the experts.
    async fn certify(&self, session: &Session, selection: Selection, global: &Global) -> anyhow::Result<()> {
        if self.made_by_several() {
            output::note("no single expert signed for the answer: several made it together");
        }
        anyhow::ensure!(
            selection.after > BlockHeight(0),
            "NOT certified: the expert was selected before the first block, so no incentive was used\nask again"
        );
        let mut light = session.verifier(self.trust, global).await?;
        let certified =
            certify(&mut light, selection.after, &selection.experts).await.context("NOT certified")?;
        match global.json {
            true => {
                output::line(&serde_json::json!({ "type": "certified", "certified": certified }).to_string())
            }
            false => {
                certified.lines().iter().for_each(|line| output::note(line));
                Ok(())
            }
        }
    }

    /// Whether no single expert can sign for the answer.
    fn made_by_several(&self) -> bool {
        matches!(self.strategy, Strategy::Average(_) | Strategy::Mix(_))
    }

    /// Prints the lines of the answer as they arrive, and verifies its receipt.
    async fn print(
        &self,
        mut lines: AskLines,
        mut witness: Option<Witness>,
        global: &Global,
    ) -> anyhow::Result<Selection> {
        let mut printer = AnswerPrinter::new(self, global.json);
        let mut selection = Selection::default();
        while let Some(line) = lines.next().await? {
            if let Some(witness) = &mut witness {
                witness.record(&line);
            }
            selection.record(&line);
            printer.print(line)?;
        }
        printer.finish()?;
        if let Some(witness) = witness {
            let (signed, from) = witness.verify().context("NOT verified")?;
            output::note(&verified(signed.receipt(), from));
        }
        Ok(selection)
    }

    /// The question. Receipts cover `nonce`, so that the node cannot show an old answer with its receipt.
    fn body(&self, nonce: Hash) -> anyhow::Result<AskBody> {
        Ok(AskBody {
            target: self.target()?,
            request: self.request()?,
            terms: QueryTerms {
                strategy: Some(self.strategy),
                policy: Some(self.policy),
                budget: self.budget.map(|amount| amount.to_string()),
                filter: self.filter.clone(),
                subnets: (!self.subnets.is_empty())
                    .then(|| self.subnets.iter().copied().map(Netuid).collect()),
                deadline_ms: Some(u64::try_from(Duration::from_secs(self.deadline).as_millis())?),
                explain: None,
                nonce: Some(nonce),
                release: self.release.then_some(true),
            },
            explain: self.explain,
            receipt: self.verify,
        })
    }

    fn target(&self) -> anyhow::Result<QueryTarget> {
        Ok(match (&self.model, &self.capability) {
            (Some(model), _) => QueryTarget::Model(model.clone()),
            (None, Some(capability)) => QueryTarget::Capability(capability.clone()),
            (None, None) if !self.subnets.is_empty() => QueryTarget::Capability(Capability::new(ANY_TEXT)?),
            (None, None) => QueryTarget::Capability(Capability::new(DEFAULT_CAPABILITY)?),
        })
    }

    fn request(&self) -> anyhow::Result<ExpertRequest> {
        let prompt = self.prompt()?;
        let sampling = Sampling {
            max_tokens: self.max_tokens,
            temperature_milli: milli(self.temperature),
            top_p_milli: milli(self.top_p),
            seed: self.seed,
            stop: self.stop.clone(),
            ..Sampling::default()
        };
        if !self.chat {
            return Ok(ExpertRequest::Complete { prompt, sampling });
        }
        let system = self.system.clone().map(|content| ChatMessage::new(Role::System, content));
        let messages = system.into_iter().chain([ChatMessage::new(Role::User, prompt)]).collect();
        Ok(ExpertRequest::Chat { messages, sampling })
    }

    fn prompt(&self) -> anyhow::Result<String> {
        match self.prompt.as_deref() {
            Some(prompt) if prompt != "-" => Ok(prompt.to_owned()),
            None if io::stdin().is_terminal() => {
                anyhow::bail!("the prompt is missing\ngive one, for instance: nervure ask 'fn main() {{'")
            }
            _ => {
                let mut prompt = String::new();
                let read = io::stdin().lock().take(MAX_PROMPT_BYTES + 1).read_to_string(&mut prompt);
                read.context("cannot read the prompt from standard input")?;
                anyhow::ensure!(
                    prompt.len() as u64 <= MAX_PROMPT_BYTES,
                    "the prompt is longer than {MAX_PROMPT_BYTES} bytes\nshorten it"
                );
                Ok(prompt)
            }
        }
    }
}

/// Prints an answer.
struct AnswerPrinter {
    out: StdoutLock<'static>,
    json: bool,
    explains: bool,
    shows_takeovers: bool,
    is_complete: bool,
    /// The experts of a mixed text with their final weights.
    mixed: Option<Vec<ParticipantView>>,
    took_over: Vec<TakeoverView>,
}

impl AnswerPrinter {
    fn new(args: &AskArgs, json: bool) -> Self {
        Self {
            out: io::stdout().lock(),
            json,
            explains: args.explain && !json,
            shows_takeovers: (args.explain || args.verify) && !json,
            is_complete: false,
            mixed: None,
            took_over: Vec::new(),
        }
    }

    fn print(&mut self, line: AskLine) -> anyhow::Result<()> {
        if self.json {
            output::written(writeln!(self.out, "{}", Escaped::json(&serde_json::to_string(&line)?)))?;
        }
        match line {
            AskLine::Route { expert, route } if self.explains => {
                output::note(&explain::render(&expert, &route));
            }
            AskLine::Text { text } if !self.json => {
                output::written(write_answer(&mut self.out, &text).and_then(|()| self.out.flush()))?;
            }
            AskLine::Mixed { participants } if self.explains => self.mixed = Some(participants),
            AskLine::Takeover { takeover } if self.shows_takeovers => self.took_over.push(takeover),
            AskLine::Done { .. } => self.is_complete = true,
            AskLine::Error { error } => return Err(ClientError::from(error).into()),
            // With --json, every line was written above. Without it, a route and its changes are shown on demand, a
            // receipt is for the witness, and only programs ask for vectors and distributions, or read what a model thought.
            AskLine::Route { .. }
            | AskLine::Text { .. }
            | AskLine::Fields { .. }
            | AskLine::Mixed { .. }
            | AskLine::Takeover { .. }
            | AskLine::Embedding { .. }
            | AskLine::Distribution { .. }
            | AskLine::Receipt { .. } => {}
        }
        Ok(())
    }

    /// The answer has ended: prints what is known only now.
    fn finish(mut self) -> anyhow::Result<()> {
        if !self.json {
            output::written(writeln!(self.out))?;
        }
        if let Some(participants) = &self.mixed {
            output::note(&explain::participants("in the end", participants));
        }
        for takeover in &self.took_over {
            output::note(&explain::takeover(takeover));
        }
        anyhow::ensure!(self.is_complete, "the answer broke off and is incomplete\nask again");
        Ok(())
    }
}

/// What a verified receipt proves, from this byte of the answer on.
fn verified(receipt: &Receipt, from: u64) -> String {
    let part = match from {
        0 => "this answer".to_owned(),
        from => {
            format!("the part after byte {from} of this answer; the expert that began it signed nothing")
        }
    };
    let Receipt { miner, took_ms, model, identity, .. } = receipt;
    format!(
        "verified: {miner} signed for this question and {part} ({took_ms} ms by its clock)\n\
         it says that the model is {model}, {identity}"
    )
}

/// The experts that were selected, and the block whose incentives were used.
#[derive(Default)]
struct Selection {
    after: BlockHeight,
    experts: Vec<(Netuid, NodeId)>,
}

impl Selection {
    /// Records the experts that a line of the answer names.
    fn record(&mut self, line: &AskLine) {
        match line {
            AskLine::Route { expert, route } => {
                self.after = route.block;
                let together = route.participants.iter().map(|one| (one.netuid, one.node));
                self.experts.extend(together);
                if route.participants.is_empty() {
                    self.experts.push((expert.netuid, expert.node));
                }
            }
            AskLine::Takeover { takeover } => {
                self.experts.push((takeover.expert.netuid, takeover.expert.node));
            }
            AskLine::Text { .. }
            | AskLine::Fields { .. }
            | AskLine::Embedding { .. }
            | AskLine::Distribution { .. }
            | AskLine::Mixed { .. }
            | AskLine::Receipt { .. }
            | AskLine::Done { .. }
            | AskLine::Error { .. } => {}
        }
    }
}

/// A decimal rate in thousandths, as the wire format has it. `parse_rate` has bounded it.
fn milli(rate: f64) -> u32 {
    (rate * 1000.0).round() as u32
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.0..=5.0).contains(&rate) => Ok(rate),
        _ => Err("not a number from 0 to 5".into()),
    }
}

/// Writes a piece of an expert's text: as it is into a pipe or a file, escaped to a terminal.
fn write_answer(out: &mut (impl Write + IsTerminal), text: &str) -> io::Result<()> {
    match out.is_terminal() {
        true => write!(out, "{}", Escaped::prose(text)),
        false => out.write_all(text.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_rates_and_converts_them_to_thousandths() {
        assert_eq!(milli(parse_rate("0.95").unwrap()), 950);
        for bad in ["-0.1", "5.1", "NaN", "inf", "x", ""] {
            assert!(parse_rate(bad).is_err(), "{bad}");
        }
    }
}
