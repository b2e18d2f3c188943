//! The official `openai` Python client, unmodified, through a real gateway to a real miner.

use std::{path::Path, process::Command};

use crate::mesh::{CommandOutput, Mesh};

#[test]
fn the_official_client_streams_completions_and_chats() {
    let python = std::env::var("NERVURE_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/tests/openai_client.py");
    match Command::new(&python).args(["-c", "import openai"]).output() {
        Ok(output) if output.status.success() => {}
        _ => {
            return eprintln!("SKIPPED: {python} with the package 'openai' is not here (pip install openai)");
        }
    }
    let mesh = Mesh::small(&[]);
    let base = format!("http://{}/v1", mesh.http("gateway-1"));
    let output =
        CommandOutput::of(Command::new(&python).arg(script).args(["--base-url", &base]).output().unwrap());
    assert_eq!(output.code, 0, "{}\n{}", output.out, output.err);
    assert!(output.out.contains("ok: all"), "{}", output.out);
}
