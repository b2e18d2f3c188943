//! Strangers that flood an expert through the real query server (findings T5 and T6), and the variants in which all askers
//! are of one class, or an upstream has no bound.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::future::join_all;
use nervure_experts::{ExpertStream, Health, ModelCard, OpenAiConfig, OpenAiExpert};
use nervure_p2p::{
    Admission,
    query::{ClientConfig, QueryClient, QueryError, QueryItem, QueryServer, QueryStream, ServerConfig},
};
use nervure_primitives::{Amount, MeshId, NodeId, NodeKey};
use nervure_protocol::{AskerClass, AskerStanding, ExpertEvent, FinishReason, Sampling, Usage};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use super::*;

const MESH: MeshId = MeshId::from_bytes([7; 32]);

/// The numbers of the validator's key, and of a registered node's.
const VALIDATOR: u8 = 200;
const REGISTERED: u8 = 100;

fn key(number: u8) -> NodeKey {
    NodeKey::from_seed(&[number; 32])
}

/// Who is of which class.
struct Classes {
    /// Whether all are strangers: the variant without classes.
    all_alike: bool,
}

impl Admission for Classes {
    fn is_registered(&self, node: &NodeId) -> bool {
        self.standing(node).class != AskerClass::Stranger
    }

    fn standing(&self, node: &NodeId) -> AskerStanding {
        AskerStanding::of(match () {
            () if self.all_alike => AskerClass::Stranger,
            () if *node == key(VALIDATOR).node_id() => AskerClass::Validator,
            () if *node == key(REGISTERED).node_id() => AskerClass::Registered,
            () => AskerClass::Stranger,
        })
    }
}

/// An expert whose answers end when the test lets them.
struct Held {
    card: ModelCard,
    release: Arc<Notify>,
    /// Answers that it works on.
    working: Arc<AtomicUsize>,
}

struct WorkingGuard(Arc<AtomicUsize>);

impl Drop for WorkingGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Expert for Held {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn run(&self, _: ExpertRequest) -> ExpertStream {
        self.working.fetch_add(1, Ordering::SeqCst);
        let (guard, release) = (WorkingGuard(self.working.clone()), self.release.clone());
        ExpertStream::new(futures::stream::once(async move {
            release.notified().await;
            drop(guard);
            Ok(ExpertEvent::Done { usage: Usage::default(), reason: FinishReason::Stop })
        }))
    }

    fn health(&self) -> BoxFuture<'_, Health> {
        std::future::ready(Health::Ready).boxed()
    }
}

/// A server with one expert.
struct Miner {
    _server: QueryServer,
    id: NodeId,
    at: SocketAddr,
}

impl Miner {
    fn start(expert: Arc<dyn Expert>, places: usize, all_alike: bool) -> Self {
        let served = ServedExpert {
            name: "a".into(),
            netuid: Netuid(1),
            capability: "text.generate".parse().unwrap(),
            price: 0,
            expert,
            load: ExpertLoad::default(),
            places: ExpertPlaces::new(NonZeroUsize::new(places).unwrap()),
        };
        let config = ServerConfig::new(key(1), MESH, [(Ipv4Addr::LOCALHOST, 0).into()]);
        let experts = Arc::new(ServedExperts::new([served]));
        let server = QueryServer::start(config, Arc::new(Classes { all_alike }), experts).unwrap();
        Self { id: key(1).node_id(), at: server.local_addr(), _server: server }
    }

    async fn open(&self, client: &QueryClient) -> QueryStream {
        let sampling = Sampling { max_tokens: 8, ..Sampling::default() };
        let request = ExpertRequest::Complete { prompt: "x".into(), sampling };
        let open = QueryOpen {
            netuid: Netuid(1),
            capability: "text".parse().unwrap(),
            expert: None,
            body: body::encode_request(&request).unwrap(),
            deadline_ms: 600_000,
            budget: Amount::ZERO,
            name: None,
            hops: 0,
        };
        client.open(self.id, &[self.at], open).await.unwrap()
    }
}

fn client(number: u8) -> QueryClient {
    QueryClient::start(ClientConfig::new(key(number), MESH)).unwrap()
}

/// Reads to the end.
async fn read(mut stream: QueryStream) -> Result<(), QueryErrorCode> {
    loop {
        match stream.next().await {
            Ok(QueryItem::Chunk(_)) => {}
            Ok(QueryItem::End(_)) => return Ok(()),
            Err(QueryError::Refused { code, .. }) => return Err(code),
            Err(other) => panic!("{other:?}"),
        }
    }
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..3000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never happened: {what}");
}

/// What the validator is told when forty strangers with a key each have asked a busy expert before it.
async fn validator_behind_strangers(all_alike: bool) -> Result<(), QueryErrorCode> {
    let (release, working) = (Arc::<Notify>::default(), Arc::<AtomicUsize>::default());
    let card = ModelCard {
        model: "held".into(),
        identity: Default::default(),
        capability: "text.generate".into(),
        context: 100,
        max_output: 100,
        byte_level: false,
        description: String::new(),
    };
    let expert = Held { card, release: release.clone(), working: working.clone() };
    let miner = Miner::start(Arc::new(expert), 1, all_alike);
    let clients: Vec<_> = (2..42).map(client).collect();
    // One works, sixteen wait, and the others are refused.
    let _strangers = join_all(clients.iter().map(|client| miner.open(client))).await;
    eventually("one works", || working.load(Ordering::SeqCst) == 1).await;
    let validator = client(VALIDATOR);
    let asked = read(miner.open(&validator).await);
    if all_alike {
        // No answer ends, as little as those of strangers that ask again and again.
        return asked.await;
    }
    let releasing = async {
        loop {
            release.notify_one();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        answered = asked => answered,
        () = releasing => Ok(()),
    }
}

#[tokio::test]
async fn strangers_do_not_starve_a_validator() {
    assert_eq!(validator_behind_strangers(false).await, Ok(()));
    let alike = validator_behind_strangers(true).await;
    assert_eq!(alike, Err(QueryErrorCode::Busy), "the variant without classes");
}

/// A server of a model that begins every answer and ends none, and how many connections it has.
struct Endless {
    url: String,
    open: Arc<AtomicUsize>,
}

impl Endless {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let open = Arc::<AtomicUsize>::default();
        let count = open.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(Self::serve(socket, count.clone()));
            }
        });
        Self { url, open }
    }

    async fn serve(mut socket: TcpStream, open: Arc<AtomicUsize>) {
        let mut head = [0; 4096];
        let Ok(length @ 1..) = socket.read(&mut head).await else { return };
        if head[..length].starts_with(b"GET") {
            let models = r#"{"data":[{"id":"m"}]}"#;
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}", models.len());
            let _ = socket.write_all(format!("{head}\r\n\r\n{models}").as_bytes()).await;
            return;
        }
        open.fetch_add(1, Ordering::SeqCst);
        let _guard = WorkingGuard(open);
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n").await;
        // Until the miner closes it.
        while let Ok(1..) = socket.read(&mut head).await {}
    }
}

/// The most connections that an upstream had while thirty strangers asked and read nothing.
async fn connections_under_flood(places: usize, wanted: usize) -> usize {
    let upstream = Endless::start().await;
    let expert = OpenAiExpert::connect(OpenAiConfig::new(&upstream.url)).await.unwrap();
    let miner = Miner::start(Arc::new(expert), places, false);
    let clients: Vec<_> = (2..32).map(client).collect();
    let open = join_all(clients.iter().map(|client| miner.open(client))).await;
    eventually("the upstream is asked", || upstream.open.load(Ordering::SeqCst) >= wanted).await;
    let most = upstream.open.load(Ordering::SeqCst);
    drop(open);
    eventually("all connections are closed", || upstream.open.load(Ordering::SeqCst) == 0).await;
    most
}

#[tokio::test]
async fn an_upstream_has_a_bound_on_requests() {
    assert_eq!(connections_under_flood(4, 4).await, 4);
    assert_eq!(connections_under_flood(1_000, 30).await, 30, "the variant without a bound");
}

#[tokio::test]
async fn a_validator_takes_the_place_of_a_stranger_at_an_endless_upstream() {
    let upstream = Endless::start().await;
    let expert = OpenAiExpert::connect(OpenAiConfig::new(&upstream.url)).await.unwrap();
    let miner = Miner::start(Arc::new(expert), 1, false);
    let (stranger, registered, validator) = (client(2), client(REGISTERED), client(VALIDATOR));
    let held = miner.open(&stranger).await;
    eventually("the stranger has the place", || upstream.open.load(Ordering::SeqCst) == 1).await;
    let waits = miner.open(&registered).await;
    let begins = miner.open(&validator).await;
    assert_eq!(read(held).await, Err(QueryErrorCode::Busy), "stopped for the validator");
    assert_eq!(read(waits).await, Err(QueryErrorCode::Busy), "its time in the queue is over");
    eventually("the validator has the place", || upstream.open.load(Ordering::SeqCst) == 1).await;
    drop(begins);
    eventually("it was given back", || upstream.open.load(Ordering::SeqCst) == 0).await;
}
