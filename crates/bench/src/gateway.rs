//! What a gateway adds to a query: small queries to an expert that echoes, directly over the query plane and through
//! the gateway's OpenAI API; for comparison, what a plain reverse proxy (nginx) adds in front of a minimal HTTP server.
//!
//! Client, gateway or proxy, and server share the machine's cores.

mod http;
mod proxy;

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use nervure_p2p::query::{ClientConfig, QueryClient, QueryItem, QueryOpen};
use nervure_primitives::{Amount, Capability, MeshId, Netuid, NodeId, key_file};
use nervure_protocol::{ExpertRequest, Sampling};
use nervure_testnet::{Layout, NodeFile, Shape, Silent, UpOptions, up};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{
    process::ServerProcess,
    server::ServerKind,
    stats::{median, percentile_us},
};
use http::HttpLoad;

/// The text of each query and its answer.
const TEXT: &str = "The mesh gives this back.";

/// Concurrent queries while throughput is measured; the gateway takes at most 64.
const CONCURRENT_QUERIES: usize = 32;

/// Sequential queries in each round.
const SEQUENTIAL_QUERIES: usize = 500;

/// Latency and throughput of one path.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct PathFigures {
    /// Median latency.
    pub p50_us: f64,
    /// 99th percentile.
    pub p99_us: f64,
    /// Queries per second, with 32 concurrent ones.
    pub per_second: f64,
}

/// The figures of all paths.
#[derive(Clone, Debug, Default, Serialize)]
pub struct GatewayReport {
    /// Cores of this machine.
    pub cores: usize,
    /// A registered node queries the miner.
    pub direct: PathFigures,
    /// An OpenAI client queries the gateway, which queries the miner.
    pub gateway: PathFigures,
    /// An HTTP client queries the minimal server.
    pub upstream: PathFigures,
    /// The same through nginx; absent where nginx is not installed.
    pub nginx: Option<PathFigures>,
}

/// Measures all paths and reports to `progress`.
///
/// # Errors
/// If the testnet or a server does not start, or a query fails.
pub async fn gateway(
    rounds: usize,
    time: Duration,
    mut progress: impl FnMut(&str),
) -> anyhow::Result<GatewayReport> {
    let home = tempfile::tempdir().context("cannot make a directory for the testnet")?;
    let options = UpOptions {
        dir: home.path().join("testnet"),
        binary: std::env::current_exe()?,
        name: "gateway".into(),
        shape: Shape { validators: 1, miners: 1, gateways: 1 },
        experts: vec!["builtin:echo,capability=text.generate".into()],
        upstream: None,
        record_expiry_seconds: None,
        block_milliseconds: None,
        chain: None,
        detach: false,
        resume: false,
        timeout: Duration::from_secs(60),
    };
    let testnet = up(&options, &CancellationToken::new(), &mut Silent).await?;
    let measured = measure(&options.dir, rounds, time, &mut progress).await;
    testnet.stop(&CancellationToken::new(), &mut Silent).await?;
    measured
}

async fn measure(
    dir: &Path,
    rounds: usize,
    time: Duration,
    progress: &mut impl FnMut(&str),
) -> anyhow::Result<GatewayReport> {
    let layout = Layout::new(dir);
    let file = |name: &str| {
        let file = NodeFile::read(layout.node(name).dir())?;
        file.with_context(|| format!("{name} has written no node.json"))
    };
    let (miner, gateway) = (file("miner-1")?, file("gateway-1")?);
    let direct = DirectPath::new(&layout, &miner)?;
    let body = serde_json::json!({ "model": "text.generate", "prompt": TEXT, "max_tokens": 64 }).to_string();
    let through = HttpLoad::new(gateway.http, "/v1/completions", &body);
    let server = ServerProcess::start(ServerKind::Http)?;
    let upstream = HttpLoad::new(server.hello.address, "/v1/completions", &body);
    let proxy = proxy::Nginx::start(server.hello.address)?;
    if proxy.is_none() {
        progress("nginx is not installed (apt-get install nginx-light) and is left out");
    }
    let proxied = proxy.as_ref().map(|proxy| HttpLoad::new(proxy.address(), "/v1/completions", &body));
    let mut samples: [Samples; 4] = Default::default();
    for round in 1..=rounds {
        progress(&format!("round {round} of {rounds}"));
        samples[0].add(direct.sequential().await?, direct.throughput(time).await?);
        samples[1].add(
            through.sequential(SEQUENTIAL_QUERIES).await?,
            through.throughput(CONCURRENT_QUERIES, time).await?,
        );
        samples[2].add(
            upstream.sequential(SEQUENTIAL_QUERIES).await?,
            upstream.throughput(CONCURRENT_QUERIES, time).await?,
        );
        if let Some(proxied) = &proxied {
            samples[3].add(
                proxied.sequential(SEQUENTIAL_QUERIES).await?,
                proxied.throughput(CONCURRENT_QUERIES, time).await?,
            );
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let [direct, gateway, upstream, nginx] = samples.map(Samples::summary);
    Ok(GatewayReport { cores, direct, gateway, upstream, nginx: proxied.map(|_| nginx) })
}

/// The samples of one path, over all rounds.
#[derive(Default)]
struct Samples {
    times: Vec<Duration>,
    rates: Vec<f64>,
}

impl Samples {
    fn add(&mut self, times: Vec<Duration>, rate: f64) {
        self.times.extend(times);
        self.rates.push(rate);
    }

    fn summary(mut self) -> PathFigures {
        if self.rates.is_empty() {
            return PathFigures::default();
        }
        PathFigures {
            p50_us: percentile_us(&mut self.times, 50),
            p99_us: percentile_us(&mut self.times, 99),
            per_second: median(&mut self.rates),
        }
    }
}

/// Queries straight to the miner.
struct DirectPath {
    client: QueryClient,
    miner: NodeId,
    address: SocketAddr,
    open: QueryOpen,
}

impl DirectPath {
    /// With the validator's key, which the miner admits.
    fn new(layout: &Layout, miner: &NodeFile) -> anyhow::Result<Self> {
        let key = key_file::read(&layout.node("validator-1").key(), None)?;
        let mesh: MeshId = miner.mesh;
        let request = ExpertRequest::Complete {
            prompt: TEXT.into(),
            sampling: Sampling { max_tokens: 64, ..Sampling::default() },
        };
        let open = QueryOpen {
            netuid: Netuid(1),
            capability: Capability::new("text.generate")?,
            expert: Some("echo".into()),
            body: nervure_protocol::query::body::encode_request(&request)?,
            deadline_ms: 10_000,
            budget: Amount::ZERO,
            name: None,
            hops: 0,
        };
        let address = miner.query.context("the miner has no query endpoint")?;
        let client = QueryClient::start(ClientConfig::new(key, mesh))?;
        Ok(Self { client, miner: miner.node, address, open })
    }

    async fn query(&self) -> anyhow::Result<()> {
        let mut stream = self.client.open(self.miner, &[self.address], self.open.clone()).await?;
        let mut chunks = 0;
        while let QueryItem::Chunk(_) = stream.next().await? {
            chunks += 1;
        }
        anyhow::ensure!(chunks == 1, "{chunks} chunks came back");
        Ok(())
    }

    async fn sequential(&self) -> anyhow::Result<Vec<Duration>> {
        let mut times = Vec::with_capacity(SEQUENTIAL_QUERIES);
        for _ in 0..SEQUENTIAL_QUERIES {
            let began = Instant::now();
            self.query().await?;
            times.push(began.elapsed());
        }
        Ok(times)
    }

    async fn throughput(&self, time: Duration) -> anyhow::Result<f64> {
        let (began, until) = (Instant::now(), Instant::now() + time);
        let one = || async {
            let mut done = 0u64;
            while Instant::now() < until {
                self.query().await?;
                done += 1;
            }
            anyhow::Ok(done)
        };
        let all = futures::future::try_join_all((0..CONCURRENT_QUERIES).map(|_| one())).await?;
        Ok(all.iter().sum::<u64>() as f64 / began.elapsed().as_secs_f64())
    }
}
