//! Faults of one machine: a full disk, a damaged store, a wrong clock, a wrong genesis, a key used twice. Each is
//! reported with the next step, the other validators make blocks, and nothing final is lost.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use crate::{
    crew::Crew,
    mesh::{CommandOutput, eventually},
};

const OTHERS: [usize; 3] = [0, 1, 2];
const ALL: [usize; 4] = [0, 1, 2, 3];

/// The validator with the fault.
const VICTIM: usize = 3;

/// The other validators still make blocks.
#[track_caller]
fn others_make_blocks(crew: &Crew) {
    let height = crew.height(0);
    crew.gets_to(&OTHERS, height + 3);
}

/// All agree, and the victim signs again.
#[track_caller]
fn all_is_well(crew: &Crew) {
    let height = crew.height(0);
    eventually("it signs again", || (crew.chain(VICTIM)["signed"].as_u64() > Some(height)).then_some(()));
    crew.gets_to(&ALL, height + 3);
    assert!(crew.agree(&ALL) >= height);
    assert!(ALL.iter().all(|number| !crew.log(*number).contains("a validator equivocated")));
}

#[test]
fn a_full_disk_stops_a_validator_until_there_is_room() {
    let mut crew = Crew::running(4, 300, None);
    crew.stop(VICTIM);
    let dir = crew.dir(VICTIM);
    if !crew.on_small_disk(VICTIM, 64 << 10) {
        return;
    }
    crew.start(VICTIM);
    all_is_well(&crew);
    crew.disk(VICTIM).fill(&dir);
    let said = crew.says(VICTIM, "STOPPED FOLLOWING THE CHAIN");
    assert!(said.contains("No space left on device") && said.contains("make room on the disk"), "{said}");
    others_make_blocks(&crew);

    // Started on the full disk it says so and ends; with room it comes back.
    crew.kill(VICTIM);
    crew.start(VICTIM);
    assert_eq!(crew.ended(VICTIM), Some(1));
    let log = crew.log(VICTIM);
    let last = log.rsplit("error: ").next().unwrap();
    assert!(last.contains("No space left on device") && last.contains("make room on the disk"), "{last}");
    crew.disk(VICTIM).free(&dir);
    crew.start(VICTIM);
    all_is_well(&crew);
}

#[test]
fn a_damaged_store_is_refused_and_the_blocks_come_again_from_others() {
    let mut crew = Crew::running(4, 300, None);
    crew.stop(VICTIM);
    let dir = crew.dir(VICTIM);
    let path = dir.join("chain.redb");
    let mut bytes = fs::read(&path).unwrap();
    bytes.iter_mut().skip(8_000).step_by(1_000).for_each(|byte| *byte ^= 0xff);
    fs::write(&path, bytes).unwrap();
    crew.start(VICTIM);
    assert_eq!(crew.ended(VICTIM), Some(1));
    let log = crew.log(VICTIM);
    let last = log.rsplit("error: ").next().unwrap();
    assert!(
        last.contains("damaged") && last.contains("next: move chain.redb away, and never consensus.wal"),
        "{last}"
    );
    assert!(!last.contains("panicked"), "{last}");
    others_make_blocks(&crew);

    fs::rename(&path, dir.join("chain.damaged")).unwrap();
    crew.start(VICTIM);
    all_is_well(&crew);
}

#[test]
fn a_wrong_clock_is_noticed_and_harms_no_block() {
    let mut crew = Crew::running(4, 300, None);
    crew.stop(VICTIM);
    crew.start_with(VICTIM, |command| {
        command.env("NERVURE_CLOCK_AHEAD_SECONDS", "7200");
    });
    let said = crew.says(VICTIM, "ahead of the median of 3 other nodes");
    assert!(said.contains("clock    7200 s") || said.contains("clock    7199 s"), "{said}");
    assert!(said.contains("timedatectl set-ntp true"), "{said}");
    assert!(crew.log(VICTIM).contains("this machine's clock is 7"), "{}", crew.log(VICTIM));
    let right = crew.ask(0, &["status"]).well();
    assert!(!right.out.contains("clock"), "{right:?}");
    all_is_well(&crew);
}

/// A directory of this name beside `dir`, with its key alone.
fn with_key_of(dir: &Path, name: &str) -> PathBuf {
    let other = dir.with_file_name(name);
    DirBuilder::new().mode(0o700).create(&other).unwrap();
    fs::copy(dir.join("key.pem"), other.join("key.pem")).unwrap();
    other
}

/// The spec of another mesh, with the same nodes at the same places.
fn other_mesh(crew: &Crew) -> PathBuf {
    let text = fs::read_to_string(crew.spec()).unwrap();
    let other = text.replace("block_milliseconds = 300", "block_milliseconds = 301");
    assert_ne!(text, other);
    let path = crew.spec().with_file_name("other.toml");
    fs::write(&path, other).unwrap();
    path
}

#[test]
fn a_wrong_genesis_is_named_with_and_without_a_chain() {
    let mut crew = Crew::running(4, 300, None);
    crew.stop(VICTIM);
    let (dir, other) = (crew.dir(VICTIM), other_mesh(&crew));
    let join = ["join", other.to_str().unwrap(), "--role", "validator"];
    let refused: CommandOutput = crew.ask(VICTIM, &join);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("is the chain of mesh") && refused.err.contains("next: "), "{refused:?}");

    // Without a chain it cannot know, until it meets the others.
    let empty = with_key_of(&dir, "empty");
    let lost = crew.join_as(VICTIM, &empty, &other);
    let said = eventually("it says so", || {
        let said = crew.ask_in(VICTIM, &empty, &["status"]);
        said.out.contains("led to nodes of another one").then_some(said.out)
    });
    assert!(said.contains("compare the mesh's id") && said.contains("nervure mesh show"), "{said}");
    others_make_blocks(&crew);
    drop(lost);
    crew.start(VICTIM);
    all_is_well(&crew);
}

#[test]
fn a_key_used_twice_is_silent_and_says_so() {
    let crew = Crew::running(4, 300, None);
    let dir = crew.dir(VICTIM);
    let same: CommandOutput =
        crew.ask(VICTIM, &["join", crew.spec().to_str().unwrap(), "--role", "validator"]);
    assert_eq!(same.code, 1, "{same:?}");
    assert!(
        same.err.contains("in use by another process") && same.err.contains("next: stop the other"),
        "{same:?}"
    );

    // Elsewhere, with the key alone: it hears what the first one signs.
    let twin = with_key_of(&dir, "twin");
    let life = crew.join_as(VICTIM, &twin, crew.spec());
    let said = eventually("one of the two says so", || {
        let said = [&dir, &twin].map(|dir| crew.ask_in(VICTIM, dir, &["status"]).out);
        said.into_iter().find(|said| said.contains("signs nothing up to block"))
    });
    assert!(said.contains("a second process with this key"), "{said}");
    others_make_blocks(&crew);
    drop(life);
    all_is_well(&crew);
}
