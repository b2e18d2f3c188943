//! Faults of one machine: a full disk, a damaged store, a wrong clock, a wrong genesis, a key used twice. Each is
//! reported with the next step, the other validators make blocks, and nothing final is lost.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use crate::{
    mesh::{CommandOutput, eventually},
    validator_group::ValidatorGroup,
};

const OTHERS: [usize; 3] = [0, 1, 2];
const ALL: [usize; 4] = [0, 1, 2, 3];

/// The validator with the fault.
const VICTIM: usize = 3;

/// Bytes of a log that has more than its first record, and a byte of that one. A record has some 190 bytes.
const SEVERAL_RECORDS: usize = 1_000;
const IN_FIRST_RECORD: usize = 100;

/// The other validators still make blocks.
#[track_caller]
fn others_make_blocks(group: &ValidatorGroup) {
    let height = group.height(0);
    group.gets_to(&OTHERS, height + 3);
}

/// All agree, and the victim signs again.
#[track_caller]
fn all_is_well(group: &ValidatorGroup) {
    let height = group.height(0);
    eventually("it signs again", || (group.chain(VICTIM)["signed"].as_u64() > Some(height)).then_some(()));
    group.gets_to(&ALL, height + 3);
    assert!(group.agree(&ALL) >= height);
    assert!(ALL.iter().all(|number| !group.log(*number).contains("a validator equivocated")));
}

#[test]
fn a_full_disk_stops_a_validator_until_there_is_room() {
    let mut group = ValidatorGroup::running(4, 300, None);
    group.stop(VICTIM);
    let dir = group.dir(VICTIM);
    if !group.on_small_disk(VICTIM, 64 << 10) {
        return;
    }
    group.start(VICTIM);
    all_is_well(&group);
    group.disk(VICTIM).fill(&dir);
    let output = group.says(VICTIM, "STOPPED FOLLOWING THE CHAIN");
    assert!(
        output.contains("No space left on device") && output.contains("make room on the disk"),
        "{output}"
    );
    others_make_blocks(&group);

    // Started on the full disk it says so and ends; with room it comes back.
    group.kill(VICTIM);
    group.start(VICTIM);
    assert_eq!(group.ended(VICTIM), Some(1));
    let log = group.log(VICTIM);
    let last = log.rsplit("error: ").next().unwrap();
    assert!(last.contains("No space left on device") && last.contains("make room on the disk"), "{last}");
    group.disk(VICTIM).free(&dir);
    group.start(VICTIM);
    all_is_well(&group);
}

#[test]
fn a_damaged_store_is_refused_and_the_blocks_come_again_from_others() {
    let mut group = ValidatorGroup::running(4, 300, None);
    group.stop(VICTIM);
    let dir = group.dir(VICTIM);
    let path = dir.join("chain.redb");
    let mut bytes = fs::read(&path).unwrap();
    bytes.iter_mut().skip(8_000).step_by(1_000).for_each(|byte| *byte ^= 0xff);
    fs::write(&path, bytes).unwrap();
    group.start(VICTIM);
    assert_eq!(group.ended(VICTIM), Some(1));
    let log = group.log(VICTIM);
    let last = log.rsplit("error: ").next().unwrap();
    assert!(
        last.contains("damaged") && last.contains("next: move chain.redb away, and never consensus.wal"),
        "{last}"
    );
    assert!(!last.contains("panicked"), "{last}");
    others_make_blocks(&group);

    fs::rename(&path, dir.join("chain.damaged")).unwrap();
    group.start(VICTIM);
    all_is_well(&group);
}

#[test]
fn a_damaged_log_is_refused_and_accepted_without_a_second_signature() {
    let mut group = ValidatorGroup::running(4, 300, None);
    let path = group.dir(VICTIM).join("consensus.wal");
    // The log starts again with some heights. Damage in its last record alone would be what a crash leaves.
    let mut bytes = eventually("it is stopped with several records in its log", || {
        group.stop(VICTIM);
        let bytes = fs::read(&path).unwrap();
        if bytes.len() >= SEVERAL_RECORDS {
            return Some(bytes);
        }
        let height = group.height(0);
        group.start(VICTIM);
        group.gets_to(&[VICTIM], height + 2);
        None
    });
    bytes[IN_FIRST_RECORD] ^= 0xff;
    fs::write(&path, &bytes).unwrap();
    group.start(VICTIM);
    assert_eq!(group.ended(VICTIM), Some(1));
    let log = group.log(VICTIM);
    let last = log.rsplit("error: ").next().unwrap();
    assert!(last.contains("consensus.wal is damaged at byte "), "{last}");
    assert!(last.contains("next: do not delete it") && last.contains("--accept-damaged-log"), "{last}");
    assert_eq!(fs::read(&path).unwrap(), bytes, "nothing was cut off");
    others_make_blocks(&group);

    group.start_with(VICTIM, |command| {
        command.arg("--accept-damaged-log");
    });
    all_is_well(&group);
    assert_eq!(fs::read(path.with_extension("wal.damaged")).unwrap(), bytes);
}

#[test]
fn a_wrong_clock_is_noticed_and_harms_no_block() {
    let mut group = ValidatorGroup::running(4, 300, None);
    group.stop(VICTIM);
    group.start_with(VICTIM, |command| {
        command.env("NERVURE_CLOCK_AHEAD_SECONDS", "7200");
    });
    let output = group.says(VICTIM, "ahead of the median of 3 other nodes");
    assert!(output.contains("clock    7200 s") || output.contains("clock    7199 s"), "{output}");
    assert!(output.contains("timedatectl set-ntp true"), "{output}");
    assert!(group.log(VICTIM).contains("this machine's clock is 7"), "{}", group.log(VICTIM));
    let right = group.ask(0, &["status"]).succeeded();
    assert!(!right.out.contains("clock"), "{right:?}");
    all_is_well(&group);
}

/// A directory of this name beside `dir`, with its key alone.
fn with_key_of(dir: &Path, name: &str) -> PathBuf {
    let other = dir.with_file_name(name);
    DirBuilder::new().mode(0o700).create(&other).unwrap();
    fs::copy(dir.join("key.pem"), other.join("key.pem")).unwrap();
    other
}

/// The spec of another mesh, with the same nodes at the same places.
fn other_mesh(group: &ValidatorGroup) -> PathBuf {
    let text = fs::read_to_string(group.spec()).unwrap();
    let other = text.replace("block_milliseconds = 300", "block_milliseconds = 301");
    assert_ne!(text, other);
    let path = group.spec().with_file_name("other.toml");
    fs::write(&path, other).unwrap();
    path
}

#[test]
fn a_wrong_genesis_is_named_with_and_without_a_chain() {
    let mut group = ValidatorGroup::running(4, 300, None);
    group.stop(VICTIM);
    let (dir, other) = (group.dir(VICTIM), other_mesh(&group));
    let join = ["join", other.to_str().unwrap(), "--role", "validator"];
    let refused: CommandOutput = group.ask(VICTIM, &join);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("is the chain of mesh") && refused.err.contains("next: "), "{refused:?}");

    // Without a chain it cannot know, until it meets the others.
    let empty = with_key_of(&dir, "empty");
    let lost = group.join_as(VICTIM, &empty, &other);
    let output = eventually("it says so", || {
        let output = group.ask_in(VICTIM, &empty, &["status"]);
        output.out.contains("led to nodes of another one").then_some(output.out)
    });
    assert!(output.contains("compare the mesh's id") && output.contains("nervure mesh show"), "{output}");
    others_make_blocks(&group);
    drop(lost);
    group.start(VICTIM);
    all_is_well(&group);
}

#[test]
fn a_key_used_twice_is_silent_and_says_so() {
    let group = ValidatorGroup::running(4, 300, None);
    let dir = group.dir(VICTIM);
    let same: CommandOutput =
        group.ask(VICTIM, &["join", group.spec().to_str().unwrap(), "--role", "validator"]);
    assert_eq!(same.code, 1, "{same:?}");
    assert!(
        same.err.contains("in use by another process") && same.err.contains("next: stop the other"),
        "{same:?}"
    );

    // Elsewhere, with the key alone: it hears what the first one signs.
    let twin = with_key_of(&dir, "twin");
    let life = group.join_as(VICTIM, &twin, group.spec());
    let output = eventually("one of the two says so", || {
        let output = [&dir, &twin].map(|dir| group.ask_in(VICTIM, dir, &["status"]).out);
        output.into_iter().find(|output| output.contains("signs nothing up to block"))
    });
    assert!(output.contains("a second process with this key"), "{output}");
    others_make_blocks(&group);
    drop(life);
    all_is_well(&group);
}
