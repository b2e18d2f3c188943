//! The askers of a flood: honest ones that are measured, and strangers that misuse the query plane.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::BytesMut;
use nervure_p2p::query::{ClientConfig, QueryClient, QueryItem, QueryOpen};
use nervure_primitives::{Amount, MeshId, Netuid, NodeId, NodeKey};
use nervure_protocol::{ExpertRequest, Sampling, names, query::Frame, query::body};
use nervure_testnet::NodeFile;
use quinn::{Endpoint, TransportConfig, VarInt, crypto::rustls::QuicClientConfig};
use serde::Serialize;
use tokio::time::{sleep, timeout};

/// The deadline of an honest question, as that of a validator's task.
const DEADLINE: Duration = Duration::from_secs(10);

/// Pause of an honest asker after each question.
const ASK_INTERVAL: Duration = Duration::from_millis(100);

/// Tokens of an honest question, and of a greedy one.
const TOKENS: u32 = 64;
const MANY_TOKENS: u32 = 4_096;

/// Pause of a stalled connection after each question, and of a greedy key that was refused.
const STALL_INTERVAL: Duration = Duration::from_millis(100);
const REFUSED_INTERVAL: Duration = Duration::from_millis(20);

/// Counts questions. Clones share the count.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter(Arc<AtomicU64>);

impl Counter {
    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The miner that is asked.
#[derive(Clone, Debug)]
pub(super) struct Miner {
    node: NodeId,
    mesh: MeshId,
    address: SocketAddr,
}

impl Miner {
    pub(super) fn of(file: &NodeFile) -> anyhow::Result<Self> {
        let address = file.query.context("the miner has no query endpoint")?;
        Ok(Self { node: file.node, mesh: file.mesh, address })
    }
}

/// A question; one that the miner refuses names an expert that it does not have.
fn question(tokens: u32, is_refused: bool) -> anyhow::Result<QueryOpen> {
    let sampling = Sampling { max_tokens: tokens, ..Sampling::default() };
    let request = ExpertRequest::Complete { prompt: "fn main() {".into(), sampling };
    Ok(QueryOpen {
        netuid: Netuid(1),
        capability: "text.generate".parse()?,
        expert: is_refused.then(|| "no-such".to_owned()),
        body: body::encode_request(&request)?,
        deadline_ms: 600_000,
        budget: Amount::ZERO,
        name: None,
        hops: 0,
    })
}

/// What became of an asker's questions.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Outcomes {
    /// How many there were.
    pub asked: u64,
    /// How many were answered within ten seconds.
    pub answered: u64,
    /// The median time of an answer, in milliseconds.
    pub p50_ms: f64,
}

/// An asker that is measured.
pub(super) struct Asker {
    client: QueryClient,
    miner: Miner,
}

impl Asker {
    pub(super) fn new(miner: &Miner, key: NodeKey) -> anyhow::Result<Self> {
        let client = QueryClient::start(ClientConfig::new(key, miner.mesh))?;
        Ok(Self { client, miner: miner.clone() })
    }

    /// Asks one question after the other for `time`. A refused one is asked again until its deadline, as validators do.
    pub(super) async fn ask_for(&self, time: Duration) -> Outcomes {
        let (until, mut times, mut asked) = (Instant::now() + time, Vec::new(), 0);
        while Instant::now() < until {
            let began = Instant::now();
            asked += 1;
            let answered = async {
                while self.ask().await.is_err() {
                    sleep(ASK_INTERVAL).await;
                }
            };
            if timeout(DEADLINE, answered).await.is_ok() {
                times.push(began.elapsed());
            }
            sleep(ASK_INTERVAL).await;
        }
        times.sort_unstable();
        let p50 = times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1000.0);
        Outcomes { asked, answered: times.len() as u64, p50_ms: p50 }
    }

    async fn ask(&self) -> anyhow::Result<()> {
        let Miner { node, address, .. } = self.miner;
        let mut stream = self.client.open(node, &[address], question(TOKENS, false)?).await?;
        while let QueryItem::Chunk(_) = stream.next().await? {}
        Ok(())
    }
}

/// Asks for the longest text with a key of its own, without end.
pub(super) async fn ask_without_end(miner: Miner, counter: Counter) -> anyhow::Result<()> {
    let key = NodeKey::generate().context("no randomness")?;
    let client = QueryClient::here(ClientConfig::new(key, miner.mesh))?;
    loop {
        counter.add();
        let asked = client.open(miner.node, &[miner.address], question(MANY_TOKENS, false)?).await;
        if let Ok(mut stream) = asked {
            while let Ok(QueryItem::Chunk(_)) = stream.next().await {}
        }
        sleep(REFUSED_INTERVAL).await;
    }
}

/// Asks again and again on a connection on which the miner may send no byte.
pub(super) async fn stall(miner: Miner, is_refused: bool, counter: Counter) -> anyhow::Result<()> {
    let bytes = {
        let mut bytes = BytesMut::new();
        Frame::Open(question(TOKENS, is_refused)?).encode(&mut bytes)?;
        bytes.freeze()
    };
    loop {
        let endpoint = endpoint(&miner)?;
        let Ok(connection) = endpoint.connect(miner.address, "bench")?.await else {
            sleep(STALL_INTERVAL).await;
            continue;
        };
        let mut streams = Vec::new();
        // As long as the miner lets it.
        while connection.close_reason().is_none() {
            if let Ok(Ok((mut send, receive))) = timeout(STALL_INTERVAL, connection.open_bi()).await
                && send.write_all(&bytes).await.is_ok()
            {
                counter.add();
                streams.push((send, receive));
            }
            sleep(STALL_INTERVAL).await;
        }
    }
}

/// An endpoint with a key of its own that gives no window.
fn endpoint(miner: &Miner) -> anyhow::Result<Endpoint> {
    let key = NodeKey::generate().context("no randomness")?;
    let mut tls = libp2p_tls::make_client_config(&key.libp2p_keypair(), None)?;
    tls.alpn_protocols = vec![names::query_alpn(&miner.mesh).into_bytes()];
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    let mut transport = TransportConfig::default();
    transport.stream_receive_window(VarInt::from_u32(0)).keep_alive_interval(Some(Duration::from_secs(1)));
    config.transport_config(Arc::new(transport));
    let mut endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into())?;
    endpoint.set_default_client_config(config);
    Ok(endpoint)
}
