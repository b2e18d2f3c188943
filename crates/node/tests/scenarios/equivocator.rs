//! A validator's key signed two votes at one position, as a second process with the key makes them. Another operator reports
//! them by hand: the validator is slashed, shows so, and the mesh makes blocks without it.

use std::path::{Path, PathBuf};

use nervure_consensus::statement::{
    Equivocation, MAX_EQUIVOCATION_BYTES, Round, SignedStatement, Vote, VoteKind,
};
use nervure_primitives::{
    BlockHeight, Hash, MeshId,
    durable::{AppendLog, LogFormat},
    key_file,
};

use crate::validator_group::ValidatorGroup;

const CULPRIT: usize = 3;

const OTHERS: [usize; 3] = [0, 1, 2];

/// The file in which a validator keeps evidence.
const FORMAT: LogFormat =
    LogFormat { magic: b"nervevd1", uncounted: 0, max_payload: MAX_EQUIVOCATION_BYTES, max_file: 1 << 20 };

/// Two precommits by the key in `dir` at `height`.
fn evidence(dir: &Path, mesh: &MeshId, height: u64) -> Equivocation {
    let key = key_file::read(&dir.join("key.pem"), None).unwrap();
    let vote = |value| {
        let vote = Vote { height: BlockHeight(height), round: Round(0), kind: VoteKind::Precommit, value };
        SignedStatement::sign(&key, mesh, vote).unwrap()
    };
    Equivocation::votes(vote(None), vote(Some(Hash::of("block", &[])))).unwrap()
}

fn write(path: PathBuf, evidence: &Equivocation) -> PathBuf {
    let (mut log, _) = AppendLog::open(&path, FORMAT).unwrap();
    log.append_durably(&evidence.encode().unwrap()).unwrap();
    path
}

#[test]
fn an_equivocation_that_is_reported_by_hand_is_slashed_and_shown() {
    let group = ValidatorGroup::running(4, 300, None);
    let status = group.ask(0, &["status", "--json"]).succeeded().json();
    let mesh: MeshId = status["mesh"].as_str().unwrap().parse().unwrap();
    let id =
        group.ask(CULPRIT, &["status", "--json"]).succeeded().json()["node"].as_str().unwrap().to_owned();
    let found = evidence(&group.dir(CULPRIT), &mesh, group.height(0));
    let file = write(group.spec().with_file_name("evidence"), &found);
    let (path, key) = (file.to_str().unwrap(), group.dir(0).join("key.pem"));

    let listed = group.ask(0, &["validator", "evidence", path, "--json"]).succeeded().json();
    assert_eq!(
        (listed[0]["validator"].as_str(), &listed[0]["statements"]),
        (Some(&*id), &"precommits".into())
    );
    assert!(group.ask(0, &["validator", "evidence"]).succeeded().err.contains("no evidence"), "its own file");
    let report = ["validator", "report", path, "--key", key.to_str().unwrap()];
    let dry = group.ask(0, &[&report[..], &["--dry-run"]].concat()).succeeded();
    assert!(dry.err.contains("equivocated") && dry.err.contains("it costs nothing"), "{dry:?}");
    let done = group.ask(0, &report).succeeded();
    assert!(done.err.contains("it never makes blocks again"), "{done:?}");
    let again = group.ask(0, &report);
    assert!(again.code != 0 && again.err.contains("was slashed for an equivocation before"), "{again:?}");

    let shown = group.ask(0, &["validator", "show", &id]).succeeded();
    assert!(shown.out.contains("jailed for good: it equivocated at block"), "{shown:?}");
    assert!(shown.err.contains("register another node"), "{shown:?}");
    group.says(CULPRIT, "jailed for good");
    let height = group.height(0);
    group.gets_to(&OTHERS, height + 5);
}
