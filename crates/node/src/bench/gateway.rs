//! What the way through a gateway costs: small questions to an expert that gives them back, straight over the query plane and
//! through the gateway's OpenAI API; and beside them what a plain reverse proxy (nginx) costs in front of a server
//! that does as little.
//!
//! All in one run, in turns, so that a busy machine slows all of them. Everything shares the machine's cores: the
//! client, the gateway or proxy, and who answers.

mod http;
mod proxy;

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use nervure_experts::{ExpertRequest, Sampling};
use nervure_p2p::query::{ClientConfig, QueryClient, QueryItem, QueryOpen};
use nervure_primitives::{Amount, Capability, MeshId, Netuid, NodeId, key_file};
use nervure_testnet::{Layout, NodeFile, Shape, Silent, UpOptions, up};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{process::Server, report, server::ServeKind};
use crate::runtime::wire;
use http::HttpLoad;

/// The text that goes there and back.
const TEXT: &str = "The mesh gives this back.";

/// Questions at once while throughput is measured; the gateway takes at most 64.
const AT_ONCE: usize = 32;

/// Questions one after the other in each round.
const IN_TURN: usize = 500;

/// Requests per second and p50 of one way.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Way {
    pub p50_us: f64,
    pub p99_us: f64,
    pub per_second: f64,
}

/// What was measured.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct GatewayReport {
    pub cores: usize,
    /// A registered node asks the miner itself.
    pub straight: Way,
    /// An OpenAI client asks the gateway, which asks the miner.
    pub gateway: Way,
    /// The server that does as little, asked itself.
    pub upstream: Way,
    /// The same through nginx; none where nginx is not installed.
    pub nginx: Option<Way>,
}

/// Measures, telling `progress` how far it is.
pub(crate) async fn gateway(
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
        file.with_context(|| format!("{name} says nothing about itself"))
    };
    let (miner, gateway) = (file("miner-1")?, file("gateway-1")?);
    let straight = Straight::new(&layout, &miner)?;
    let body = serde_json::json!({ "model": "text.generate", "prompt": TEXT, "max_tokens": 64 }).to_string();
    let through = HttpLoad::new(gateway.http, "/v1/completions", &body);
    let server = Server::start(ServeKind::Http)?;
    let upstream = HttpLoad::new(server.hello.address, "/v1/completions", &body);
    let proxy = proxy::Nginx::start(server.hello.address)?;
    if proxy.is_none() {
        progress("nginx is not installed here (apt-get install nginx-light): it is left out");
    }
    let proxied = proxy.as_ref().map(|proxy| HttpLoad::new(proxy.address(), "/v1/completions", &body));
    let mut samples: [Samples; 4] = Default::default();
    for round in 1..=rounds {
        progress(&format!("round {round} of {rounds}"));
        samples[0].add(straight.in_turn().await?, straight.throughput(time).await?);
        samples[1].add(through.in_turn(IN_TURN).await?, through.throughput(AT_ONCE, time).await?);
        samples[2].add(upstream.in_turn(IN_TURN).await?, upstream.throughput(AT_ONCE, time).await?);
        if let Some(proxied) = &proxied {
            samples[3].add(proxied.in_turn(IN_TURN).await?, proxied.throughput(AT_ONCE, time).await?);
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let [straight, gateway, upstream, nginx] = samples.map(Samples::way);
    Ok(GatewayReport { cores, straight, gateway, upstream, nginx: proxied.map(|_| nginx) })
}

/// What one way did, by round.
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

    fn way(mut self) -> Way {
        if self.rates.is_empty() {
            return Way::default();
        }
        Way {
            p50_us: report::percentile(&mut self.times, 50),
            p99_us: report::percentile(&mut self.times, 99),
            per_second: report::median(&mut self.rates),
        }
    }
}

/// The way of a node that asks the miner itself.
struct Straight {
    client: QueryClient,
    miner: NodeId,
    address: SocketAddr,
    open: QueryOpen,
}

impl Straight {
    /// As the validator, whom the miner knows.
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
            body: wire::encode_request(&request)?.to_vec(),
            deadline_ms: 10_000,
            budget: Amount::ZERO,
            name: None,
        };
        let address = miner.query.context("the miner has no query endpoint")?;
        let client = QueryClient::start(ClientConfig::new(key, mesh))?;
        Ok(Self { client, miner: miner.node, address, open })
    }

    async fn ask(&self) -> anyhow::Result<()> {
        let mut stream = self.client.open(self.miner, &[self.address], self.open.clone()).await?;
        let mut chunks = 0;
        while let QueryItem::Chunk(_) = stream.next().await? {
            chunks += 1;
        }
        anyhow::ensure!(chunks == 1, "{chunks} pieces came back");
        Ok(())
    }

    async fn in_turn(&self) -> anyhow::Result<Vec<Duration>> {
        let mut times = Vec::with_capacity(IN_TURN);
        for _ in 0..IN_TURN {
            let began = Instant::now();
            self.ask().await?;
            times.push(began.elapsed());
        }
        Ok(times)
    }

    async fn throughput(&self, time: Duration) -> anyhow::Result<f64> {
        let (began, until) = (Instant::now(), Instant::now() + time);
        let one = || async {
            let mut done = 0u64;
            while Instant::now() < until {
                self.ask().await?;
                done += 1;
            }
            anyhow::Ok(done)
        };
        let all = futures::future::try_join_all((0..AT_ONCE).map(|_| one())).await?;
        Ok(all.iter().sum::<u64>() as f64 / began.elapsed().as_secs_f64())
    }
}
