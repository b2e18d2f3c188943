//! Embeds a node in a program of your own: starts one, prints its address and stops it with Ctrl-C.
//!
//! ```text
//! $ cargo run -p nervure --example embed-node
//! node 12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUj2kjnWZQ5rBmy
//! answers at http://127.0.0.1:38213 (try: curl http://127.0.0.1:38213/status)
//! ^Cstopped
//! ```
//!
//! The node is alone in a mesh on this machine, in a directory that is removed at the end. To join a mesh, hand its
//! spec over: `.spec(MeshSpec::parse(&text)?)`.

use nervure::{CancellationToken, Node, Preset};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let stop = CancellationToken::new();
    let node = Node::builder(Preset::Local).dir(dir.path().join("node")).start(stop.clone()).await?;
    let http = node.http_addr();
    #[expect(clippy::print_stdout, reason = "an example prints")]
    {
        println!("node {}", node.id());
        println!("answers at http://{http} (try: curl http://{http}/status)");
    }

    tokio::signal::ctrl_c().await?;
    stop.cancel();
    node.wait().await;
    #[expect(clippy::print_stdout, reason = "an example prints")]
    {
        println!("stopped");
    }
    Ok(())
}
