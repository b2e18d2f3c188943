//! The official `openai` Python client, unmodified, against the API.

use std::{path::Path, process::Stdio};

use tokio::process::Command;

use super::start;
use crate::ApiKey;

/// The client's side; it prints `SKIPPED` and succeeds where the package is missing.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/openai_client.py");

#[tokio::test]
async fn the_official_client_works_unmodified() {
    let key = "an-api-key-for-a-test";
    let api = start(|config| config.api_keys.push(ApiKey::parse(key).unwrap())).await;
    let arguments = ["--base-url", &api.url("/v1"), "--api-key", key, "--model", "org/words", "--mock"];
    if let Some(out) = run_script(SCRIPT, &arguments).await {
        assert!(out.contains("SKIPPED") || out.contains("ok: all"), "{out}");
    }
}

/// What a Python script prints, which has to succeed; none, said visibly, where there is no Python.
pub(super) async fn run_script(script: &str, arguments: &[&str]) -> Option<String> {
    assert!(Path::new(script).exists());
    let python = std::env::var("NERVURE_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut command = Command::new(&python);
    command.arg(script).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = match command.output().await {
        Ok(output) => output,
        Err(error) => {
            println!("SKIPPED: no {python} here: {error}");
            return None;
        }
    };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{out}{err}");
    assert!(output.status.success(), "{out}{err}");
    Some(out.into_owned())
}
