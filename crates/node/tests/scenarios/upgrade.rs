//! An upgrade of the protocol: programs of both versions make the same blocks until its height; there the old ones stop, with
//! what they have, and the new ones continue and take what only they know.
//!
//! The new program is `nervure-next`, which is built with the feature `next-version`:
//! `cargo build --workspace --features nervure/next-version --bin nervure-next`. Without it the second test says that it
//! skipped.

use std::{fs, path::PathBuf};

use data_encoding::BASE64;
use nervure_ledger::transaction;
use nervure_primitives::{Amount, BlockHeight, Envelope, MeshId, key_file};
use serde::Serialize;
use serde_json::Value;

use crate::{mesh::eventually, validator_group::ValidatorGroup};

/// The height at which version 2 becomes active.
const HEIGHT: u64 = 25;

/// The validator that keeps the old program.
const OLD: usize = 3;

const NEW: [usize; 3] = [0, 1, 2];

const ALL: [usize; 4] = [0, 1, 2, 3];

/// A transaction as a program of the next version writes it.
#[derive(Serialize)]
struct NextTransaction {
    nonce: u64,
    fee: Amount,
    tip: Amount,
    expiry: BlockHeight,
    call: NextCall,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum NextCall {
    Noop(Noop),
}

#[derive(Serialize)]
struct Noop {}

/// Four validators of a mesh with the upgrade, none of them started.
fn group() -> ValidatorGroup {
    let group = ValidatorGroup::new(4, 300, None);
    let text = fs::read_to_string(group.spec()).unwrap();
    fs::write(group.spec(), format!("{text}\n[[upgrades]]\nheight = {HEIGHT}\nversion = 2\n")).unwrap();
    group
}

/// The program of the next version, which is beside this one if it was built.
fn next_program() -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_nervure")).with_file_name("nervure-next");
    path.exists().then_some(path)
}

/// A transaction of the next version by the owner of all validators, as the HTTP API takes it.
fn noop(group: &ValidatorGroup) -> String {
    let owner = key_file::read(&group.spec().with_file_name("owner.pem"), None).unwrap();
    let path = group.spec().with_file_name("owner.pem");
    let shown =
        group.ask(0, &["wallet", "show", "--json", "--key", path.to_str().unwrap()]).succeeded().json();
    let status = group.ask(0, &["status", "--json"]).succeeded().json();
    let mesh: MeshId = status["mesh"].as_str().unwrap().parse().unwrap();
    let call = NextTransaction {
        nonce: shown["nonce"].as_u64().unwrap(),
        fee: Amount::from_base_units(10_000_000),
        tip: Amount::ZERO,
        expiry: BlockHeight(shown["height"].as_u64().unwrap() + 90),
        call: NextCall::Noop(Noop {}),
    };
    let envelope = Envelope::seal(&owner, transaction::DOMAIN, &mesh, &call).unwrap();
    serde_json::json!({"envelope": BASE64.encode(&envelope.encode().unwrap()), "dry_run": false}).to_string()
}

/// Submits it to one validator; the status code and the answer.
fn submit(group: &ValidatorGroup, number: usize, body: &str) -> (u16, Value) {
    request(group, number, |client, http| {
        client
            .post(format!("http://{http}/transactions"))
            .header("content-type", "application/json")
            .body(body.to_owned())
    })
}

fn request(
    group: &ValidatorGroup,
    number: usize,
    make: impl FnOnce(&reqwest::Client, &str) -> reqwest::RequestBuilder,
) -> (u16, Value) {
    let file = fs::read_to_string(group.dir(number).join("node.json")).unwrap();
    let http = serde_json::from_str::<Value>(&file).unwrap()["http"].as_str().unwrap().to_owned();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let answer = make(&client, &http).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    })
}

#[test]
fn programs_that_do_not_know_the_next_version_stop_before_its_height() {
    let mut group = group();
    ALL.into_iter().for_each(|number| group.start(number));
    for number in ALL {
        assert_eq!(group.ended(number), Some(10), "{}", group.log(number));
        let log = group.log(number);
        let last = log.rsplit("error: ").next().unwrap();
        assert!(last.contains("protocol version 2") && last.contains("knows versions up to 1"), "{last}");
        assert!(last.contains("install a version of nervure that knows it"), "{last}");
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "says that it skipped")]
fn old_and_new_programs_agree_until_the_upgrade_and_the_new_ones_continue() {
    let Some(program) = next_program() else {
        println!(
            "SKIPPED: no nervure-next beside this program: cargo build --workspace --features nervure/next-version \
             --bin nervure-next"
        );
        return;
    };
    let mut group = group();
    NEW.into_iter().for_each(|number| group.use_program(number, &program));
    ALL.into_iter().for_each(|number| group.start(number));
    group.gets_to(&ALL, 3);
    // Before the height they agree, and the new kind is none for the new programs either.
    let (code, refused) = submit(&group, 0, &noop(&group));
    assert!(code >= 400 && refused.to_string().contains("version 2"), "{code} {refused}");
    assert_eq!(group.ended(OLD), Some(10), "{}", group.log(OLD));
    group.gets_to(&NEW, HEIGHT + 3);
    assert!(group.agree(&NEW) >= HEIGHT);
    let (code, submitted) = submit(&group, 1, &noop(&group));
    assert_eq!(code, 200, "{submitted}");
    let id = submitted["id"].as_str().unwrap().to_owned();
    let applied = eventually("it is applied", || {
        let (_, state) =
            request(&group, 2, |client, http| client.get(format!("http://{http}/transactions/{id}")));
        (state["state"] == "applied").then_some(state)
    });
    assert!(applied["outcome"].to_string().contains("did_nothing"), "{applied}");
    // The old one kept its blocks, stops again as it is, and continues with the new program.
    group.start(OLD);
    assert_eq!(group.ended(OLD), Some(10));
    group.use_program(OLD, &program);
    group.start(OLD);
    group.gets_to(&ALL, HEIGHT + 6);
    assert!(group.agree(&ALL) > HEIGHT);
}
