//! An agent: the official client calls a tool through a gateway, in both forms, and the answer has its result.

use std::{path::Path, process::Command};

use crate::mesh::{CommandOutput, Mesh};

#[test]
fn the_official_client_runs_an_agents_loop_with_a_tool() {
    let python = std::env::var("NERVURE_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/tests/openai_tools.py");
    match Command::new(&python).args(["-c", "import openai"]).output() {
        Ok(output) if output.status.success() => {}
        _ => {
            return eprintln!("SKIPPED: {python} with the package 'openai' is not here (pip install openai)");
        }
    }
    let mesh = Mesh::whole(&["--validators", "1", "--miners", "1"]);
    let base = format!("http://{}/v1", mesh.http("gateway-1"));
    let mut command = Command::new(&python);
    command.arg(script).args(["--base-url", &base, "--chat", "text.chat", "--bytes", "text.generate"]);
    let output = CommandOutput::of(command.output().unwrap());
    assert_eq!(output.code, 0, "{}\n{}", output.out, output.err);
    assert!(output.out.contains("ok: all"), "{}", output.out);
}
