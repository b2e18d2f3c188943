//! Programs that people have, against a gateway: those that are installed here. `scripts/compat` installs all of them.

use std::{path::Path, process::Command};

use crate::mesh::{CommandOutput, Mesh};

#[test]
fn every_feature_of_every_client_that_is_here_works() {
    let python = std::env::var("NERVURE_COMPAT_PYTHON").unwrap_or_else(|_| "python3".into());
    if !Command::new(&python).arg("--version").output().is_ok_and(|output| output.status.success()) {
        return eprintln!("SKIPPED: {python} is not here");
    }
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/tests/compat/suite.py");
    let mesh = Mesh::whole(&["--validators", "1", "--miners", "1"]);
    let base = format!("http://{}", mesh.http("gateway-1"));
    let mut command = Command::new(&python);
    command.arg(suite).args(["--base-url", &base, "--chat", "text.chat", "--embed", "text.embed"]);
    let output = CommandOutput::of(command.output().unwrap());
    for line in output.err.lines().filter(|line| line.starts_with("SKIPPED")) {
        eprintln!("{line}");
    }
    assert_eq!(output.code, 0, "{}\n{}", output.out, output.err);
}
