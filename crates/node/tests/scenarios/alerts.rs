//! A validator whose own transactions are refused or wait, and one whose precommits are not counted, say so; the others say
//! nothing.

use std::{
    fs::{self, OpenOptions},
    process::Stdio,
};

use data_encoding::BASE64;
use nervure_api::{Client, SubmitBody};
use nervure_ledger::transaction::{Call, Transaction, VoteSubnets};
use nervure_primitives::{Amount, BlockHeight, Netuid, NodeKey, key_file};
use serde_json::Value;

use crate::{
    mesh::{Running, eventually, gauge, metrics, nervure},
    validator_group::ValidatorGroup,
};

/// By this block every validator of a fresh group has signed.
const QUIET_HEIGHT: u64 = 12;

/// The kinds of the alerts of one.
fn alerts(group: &ValidatorGroup, number: usize) -> Vec<String> {
    let alerts = group.chain(number)["alerts"].as_array().cloned().unwrap_or_default();
    alerts.iter().map(|alert| alert["kind"].as_str().unwrap().to_owned()).collect()
}

fn is_raised(group: &ValidatorGroup, number: usize, kind: &str) -> bool {
    gauge(&group.dir(number), &format!("chain_alert_{kind}")) == 1
}

/// Sends votes with the key of validator `number`, with nonces `gaps` after its next one, at once.
fn vote(group: &ValidatorGroup, number: usize, gaps: &[u64]) {
    let key: NodeKey = key_file::read(&group.dir(number).join("key.pem"), None).unwrap();
    let file = fs::read_to_string(group.dir(number).join("node.json")).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    let http: std::net::SocketAddr = file["http"].as_str().unwrap().parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = Client::new(http).unwrap();
        let status = client.status().await.unwrap();
        let height = status.chain.unwrap().height.0;
        let nonce = client.node(&key.node_id()).await.unwrap().nonce;
        for gap in gaps {
            let call = Call::VoteSubnets(VoteSubnets { weights: vec![(Netuid(1), 1)] });
            let (fee, expiry) = (Amount::ZERO, BlockHeight(height + 50));
            let transaction = Transaction { nonce: nonce + gap, fee, tip: Amount::ZERO, expiry, call };
            let envelope = transaction.seal(&key, &status.mesh).unwrap().encode().unwrap();
            let envelope = BASE64.encode(&envelope);
            // The trial of a later one rejects it, when the first is in a block by then: the caller tries again.
            let _ = client.submit(&SubmitBody { envelope, dry_run: false }).await;
        }
    });
}

/// Starts a validator as a node without a role: it follows the chain and signs nothing.
fn follow(group: &ValidatorGroup, number: usize) -> Running {
    let dir = group.dir(number);
    let log = OpenOptions::new().append(true).open(dir.with_extension("log")).unwrap();
    let mut command = nervure();
    command.arg("--dir").arg(&dir).arg("join").arg(group.spec()).args(["--role", "none"]);
    Running(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
}

#[test]
fn a_validator_says_when_its_transactions_are_refused_or_wait_or_its_votes_are_not_counted() {
    let mut group = ValidatorGroup::running(4, 300, None);
    group.gets_to(&[0, 1, 2, 3], QUIET_HEIGHT);
    for number in 0..4 {
        assert_eq!(alerts(&group, number), [""; 0], "{}", group.log(number));
        assert!(!["refused", "waiting", "unsigned"].iter().any(|kind| is_raised(&group, number, kind)));
    }

    // A vote whose nonce is not next: an earlier transaction is missing.
    vote(&group, 1, &[7]);
    eventually("it waits", || alerts(&group, 1).contains(&"waiting".to_owned()).then_some(()));
    assert!(is_raised(&group, 1, "waiting"));
    assert!(group.says(1, "alert").contains("a vote_subnets transaction of this node"));
    assert!(group.log(1).contains("a vote_subnets transaction of this node waits"), "{}", group.log(1));

    // Two votes in one block: the second comes too early.
    eventually("a vote is refused", || {
        vote(&group, 0, &[0, 1]);
        alerts(&group, 0).contains(&"refused".to_owned()).then_some(())
    });
    assert!(is_raised(&group, 0, "refused"));
    assert!(group.log(0).contains("transaction of this node was refused"), "{}", group.log(0));

    // An elected validator that its operator runs without the role.
    group.stop(3);
    let follower = follow(&group, 3);
    group.says(3, "its precommits for the last");
    assert!(is_raised(&group, 3, "unsigned"));
    let own = group.ask(3, &["key", "show", "--json"]).succeeded().json()["node"].clone();
    let label = format!("validator=\"{}\"", own.as_str().unwrap());
    let missed = eventually("others count what it misses", || {
        let metrics = metrics(&group.dir(2));
        let of_it =
            |line: &&str| line.starts_with("nervure_chain_validator_missed_votes") && line.contains(&label);
        let missed: u64 = metrics.lines().find(of_it)?.rsplit(' ').next()?.parse().ok()?;
        (missed > 3).then_some(missed)
    });
    assert!(missed < 1_000);
    drop(follower);
    group.start(3);
    eventually("it signs again", || (!alerts(&group, 3).contains(&"unsigned".to_owned())).then_some(()));
    assert_eq!(alerts(&group, 2), [""; 0], "nothing was wrong with this one: {}", group.log(2));
}
