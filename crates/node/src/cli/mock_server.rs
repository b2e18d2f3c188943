//! `nervure mock-server`: runs the mock model server.

use std::net::{Ipv4Addr, SocketAddr};

use nervure_mock_server::MockServer;
use tokio_util::sync::CancellationToken;

use super::{join::stop_with_stdin, logging, output, signal};

/// Default address: a free port on loopback.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Runs an OpenAI-compatible server that computes its answers without a model, for tests and demos
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The server is not a language model. It answers questions about sums, sorting, words, JSON and dates, and makes vectors
from hashed words. `nervure testnet up` starts one for the subnets of text APIs and embeddings. Models: mock-N and
mock-embed-N, where N is the percentage of correct answers.

Example:
  nervure mock-server --listen 127.0.0.1:8000
  nervure join mesh.toml --role miner --expert openai:http://127.0.0.1:8000/v1,model=mock-100")]
pub(crate) struct MockServerArgs {
    /// A loopback address and a port; port 0 lets the system choose
    #[arg(long, value_name = "IP:PORT", default_value_t = DEFAULT_LISTEN)]
    listen: SocketAddr,
    /// Stop when standard input ends
    #[arg(long, hide = true)]
    stop_with_stdin: bool,
}

impl MockServerArgs {
    /// Runs the command.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        logging::start()?;
        let stop = CancellationToken::new();
        signal::stop_on_signal(stop.clone())?;
        if self.stop_with_stdin {
            stop_with_stdin(stop.clone());
        }
        let server = MockServer::bind(self.listen).await?;
        output::note(&format!("mock model server, not a language model: http://{}/v1", server.local_addr()));
        server.run(stop).await;
        Ok(())
    }
}
