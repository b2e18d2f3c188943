//! Nodes that keep the last blocks alone, an archive, and newcomers that find the one or the other.

use std::{
    fs::{self, File},
    path::Path,
    process::Stdio,
};

use serde_json::Value;

use crate::{
    mesh::{Running, eventually, gauge, nervure, run},
    validator_group::ValidatorGroup,
};

/// How many blocks the pruned validators keep. A newcomer starts twice in the time of half of them, also on a busy machine.
const KEPT: u64 = 20;

/// The blocks when the newcomers come: the first ones are gone.
const BEFORE: u64 = KEPT + 10;

/// The validator that keeps all.
const ARCHIVE: usize = 3;

/// A follower.
fn join(spec: &Path, dir: &Path, args: &[&str]) -> Running {
    fs::create_dir_all(dir.parent().unwrap()).unwrap();
    let log = File::create(dir.with_extension("log")).unwrap();
    let mut command = nervure();
    command.arg("--dir").arg(dir).arg("join").arg(spec).args(args);
    Running(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
}

/// The state of the chain of the node in `dir`; null when it does not answer.
fn chain(dir: &Path) -> Value {
    let output = run(dir, &["status", "--json"]);
    if output.code == 0 { output.json()["chain"].clone() } else { Value::Null }
}

fn follows(dir: &Path, least: u64) -> Value {
    eventually("it follows", || {
        let chain = chain(dir);
        (chain["height"].as_u64() >= Some(least)).then_some(chain)
    })
}

#[test]
fn newcomers_join_pruned_nodes_with_a_state_and_an_archive_from_the_genesis() {
    let mut group = ValidatorGroup::new(4, 300, None);
    for number in 0..4 {
        let kept = if number == ARCHIVE { "archive".into() } else { KEPT.to_string() };
        group.start_with(number, |command| {
            command.args(["--history", &kept]);
        });
    }
    group.gets_to(&[0, 1, 2, ARCHIVE], BEFORE);
    they_say_what_they_keep(&group);

    // The pruned ones alone.
    group.stop(ARCHIVE);
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("pruned-only");
    let newcomer = join(group.spec(), &dir, &[]);
    let lost = eventually("it says that no node has the first blocks", || {
        let chain = chain(&dir);
        chain["stalled"].as_str().map(|why| (chain["height"].clone(), why.to_owned()))
    });
    let (height, why) = lost;
    assert!(why.contains("no connected node has block 1 any more") && why.contains("--checkpoint"), "{why}");
    assert_eq!(height, 0);
    let status = run(&dir, &["status"]).succeeded();
    assert!(status.out.contains("--checkpoint HEIGHT:BLOCK"), "{status:?}");
    drop(newcomer);

    // The way that it names, in the same directory. Headers and certificates of old blocks are still there.
    let block = group.ask(0, &["checkpoint", "show", "3", "--json"]).succeeded().json()["block"].clone();
    let checkpoint = format!("3:{}", block.as_str().unwrap());
    let newcomer = join(group.spec(), &dir, &["--checkpoint", &checkpoint]);
    let began = follows(&dir, BEFORE);
    assert!(began["history"]["from"].as_u64() > Some(1) && began["stalled"].is_null(), "{began}");
    follows(&dir, began["height"].as_u64().unwrap() + 2);
    drop(newcomer);

    // The archive is back: the history can be replayed.
    let dir = home.path().join("from-the-archive");
    let _newcomer = join(group.spec(), &dir, &[]);
    group.start_with(ARCHIVE, |command| {
        command.args(["--history", "archive"]);
    });
    let replayed = follows(&dir, BEFORE);
    assert_eq!(replayed["history"]["from"], 1, "{replayed}");
    group.agree(&[0, 1, 2, ARCHIVE]);
}

/// What is deleted is not what light clients need.
fn they_say_what_they_keep(group: &ValidatorGroup) {
    let pruned = eventually("the horizon moves", || {
        let chain = group.chain(0);
        (chain["history"]["from"].as_u64() > Some(1)).then_some(chain)
    });
    let from = pruned["history"]["from"].as_u64().unwrap();
    assert_eq!(from + KEPT - 1, pruned["height"].as_u64().unwrap(), "{pruned}");
    group.says(0, "has blocks from");
    group.says(ARCHIVE, "archive of all blocks");
    let verified = group.ask(0, &["checkpoint", "verify", "5", "--json"]).succeeded().json();
    assert_eq!(verified["height"], 5, "a block whose body is gone is proven from the genesis");
    assert_eq!(gauge(&group.dir(0), "chain_archive"), 0);
    assert!(gauge(&group.dir(0), "chain_blocks_from") >= from);
}
