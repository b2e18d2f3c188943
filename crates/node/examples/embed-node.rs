//! Embeds a node in a program of your own: starts one, prints its address and stops it with Ctrl-C.
//!
//! ```text
//! $ cargo run -p nervure --example embed-node
//! node 12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUj2kjnWZQ5rBmy
//! answers at http://127.0.0.1:38213 (try: curl http://127.0.0.1:38213/status)
//! stopped
//! ```
//!
//! The id and the port differ in each run. The node is alone in a mesh on this machine, in a directory that is removed
//! at the end. To join a mesh, hand its spec over: `.spec(MeshSpec::parse(&text)?)`.

use std::{error::Error, future::Future, io::Write};

use nervure::{CancellationToken, Node, Preset};

/// Runs a node until `end`, and prints what it does.
pub(crate) async fn run(out: &mut impl Write, end: impl Future) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let stop = CancellationToken::new();
    let node = Node::builder(Preset::Local).dir(dir.path().join("node")).start(stop.clone()).await?;
    let http = node.http_addr();
    writeln!(out, "node {}", node.id())?;
    writeln!(out, "answers at http://{http} (try: curl http://{http}/status)")?;

    end.await;
    stop.cancel();
    node.wait().await;
    writeln!(out, "stopped")?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&mut std::io::stdout(), tokio::signal::ctrl_c()).await
}
