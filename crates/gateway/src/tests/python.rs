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
    assert!(Path::new(SCRIPT).exists());
    let python = std::env::var("NERVURE_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let client = Command::new(&python)
        .arg(SCRIPT)
        .args(["--base-url", &api.url("/v1"), "--api-key", key, "--model", "org/words"])
        .arg("--mock")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let output = match client {
        Ok(output) => output,
        Err(error) => return println!("SKIPPED: no {python} here: {error}"),
    };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{out}{err}");
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains("SKIPPED") || out.contains("ok: all"), "{out}");
}
