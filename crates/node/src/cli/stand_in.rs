//! `nervure stand-in`: the stand-in for a model server, as a process of its own.

use std::net::{Ipv4Addr, SocketAddr};

use tokio_util::sync::CancellationToken;

use super::{join::stop_with_stdin, logging, output, signal};
use crate::stand_in::StandInServer;

/// Where it listens when nobody says.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Answers as a model server would, by a small program and no model
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Speaks the OpenAI API on this machine: sums, sorting, words, JSON and dates, worked out from the text, and vectors
of hashed words. `nervure testnet up` starts one for the subnets of text APIs and embeddings. Models: stand-in-N and
stand-in-embed-N, where N is the share of right answers in percent.

Example:
  nervure stand-in --listen 127.0.0.1:8000
  nervure join mesh.toml --role miner --expert openai:http://127.0.0.1:8000/v1,model=stand-in-100")]
pub(crate) struct StandInArgs {
    /// A loopback address and a port; port 0 is a free one
    #[arg(long, value_name = "IP:PORT", default_value_t = LISTEN)]
    listen: SocketAddr,
    /// Stop when standard input ends
    #[arg(long, hide = true)]
    stop_with_stdin: bool,
}

impl StandInArgs {
    /// Runs the command.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        logging::start()?;
        let stop = CancellationToken::new();
        signal::stop_on_signal(stop.clone())?;
        if self.stop_with_stdin {
            stop_with_stdin(stop.clone());
        }
        let server = StandInServer::bind(self.listen).await?;
        output::note(&format!(
            "a stand-in for a model server, which is no model: http://{}/v1",
            server.local_addr()
        ));
        server.run(stop).await;
        Ok(())
    }
}
