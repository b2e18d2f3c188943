//! Agents: official clients call a tool through a gateway, in every form that their APIs have, and the answer has its result.

use std::{path::Path, process::Command};

use crate::mesh::{CommandOutput, Mesh};

/// Runs a script of the gateway's tests, or says that its package is not here.
fn agent(package: &str, script: &str, args: &[&str]) {
    let python = std::env::var("NERVURE_COMPAT_PYTHON").unwrap_or_else(|_| "python3".into());
    match Command::new(&python).args(["-c", &format!("import {package}")]).output() {
        Ok(output) if output.status.success() => {}
        _ => {
            return eprintln!(
                "SKIPPED: {python} with the package '{package}' is not here (pip install {package})"
            );
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/tests").join(script);
    let output = CommandOutput::of(Command::new(&python).arg(script).args(args).output().unwrap());
    assert_eq!(output.code, 0, "{}\n{}", output.out, output.err);
    assert!(output.out.contains("ok: all"), "{}", output.out);
}

#[test]
fn official_clients_run_an_agents_loop_with_a_tool() {
    let mesh = Mesh::whole(&["--validators", "1", "--miners", "1"]);
    let base = format!("http://{}", mesh.http("gateway-1"));
    let openai = format!("{base}/v1");
    agent(
        "openai",
        "openai_tools.py",
        &["--base-url", &openai, "--chat", "text.chat", "--bytes", "text.generate"],
    );
    agent("anthropic", "anthropic_tools.py", &["--base-url", &base, "--chat", "text.chat"]);
}
