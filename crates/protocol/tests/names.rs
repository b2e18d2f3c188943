//! One table of every name, topic, protocol, domain and bound, frozen in `fixtures/names.txt`.
//!
//! `NERVURE_WRITE_FIXTURES=1 cargo test -p nervure-protocol` writes it. A changed line is another protocol.
#![allow(clippy::unwrap_used)]

use std::{fmt::Write as _, fs, path::PathBuf};

use nervure_primitives::{MeshId, Netuid};
use nervure_protocol::{bounds, directory, domains, names, protocols, topics};

macro_rules! bounds {
    ($table:ident, $($name:ident),* $(,)?) => {
        $(writeln!($table, "bound {} {:?}", stringify!($name), bounds::$name).unwrap();)*
    };
}

#[expect(clippy::too_many_lines, reason = "a list: one line for each name and bound")]
fn table() -> String {
    let mesh = MeshId::from_bytes([0xab; 32]);
    let mut table = String::new();
    for name in [
        names::mesh_version(&mesh),
        names::dht(&mesh),
        names::gossip(&mesh),
        names::requests(&mesh),
        names::query(&mesh),
        names::query_alpn(&mesh),
        names::agent("0.1.0", std::time::UNIX_EPOCH),
        topics::experts(Netuid(22)),
    ] {
        writeln!(table, "name {name}").unwrap();
    }
    for topic in topics::ALL {
        writeln!(table, "topic {} {}", topic.name, topic.max_len).unwrap();
    }
    for protocol in protocols::ALL {
        let protocols::Protocol { name, max_request, max_response } = protocol;
        writeln!(table, "protocol {name} {max_request} {max_response}").unwrap();
    }
    let signed = [
        domains::EXPERT_RECORD,
        domains::TASK_BATCH,
        domains::TRAFFIC,
        domains::RECEIPT,
        domains::LIVE_SCORES,
        domains::INVITE,
    ];
    for domain in signed {
        writeln!(table, "signature {}", domain.as_str()).unwrap();
    }
    for domain in [
        domains::SCORED_EXPERT,
        domains::FAUCET_WORK,
        domains::INVITE_RULES,
        domains::TASK,
        domains::TASK_LEAF,
        domains::TASK_NODE,
        domains::REQUEST,
        domains::ANSWER,
        domains::ANSWER_TEXT,
        domains::ANSWER_NUMBERS,
        domains::QUERY,
        domains::DIRECTORY_SHARD,
        domains::DIRECTORY_KEY,
        domains::INCARNATION,
        domains::GOSSIP_MESSAGE,
        domains::QUERY_RESET,
    ] {
        writeln!(table, "hash {domain}").unwrap();
    }
    let (shards, copies, replicas) = (directory::SHARDS, directory::COPIES, directory::REPLICAS);
    let epoch = directory::EPOCH;
    writeln!(table, "directory shards {shards} copies {copies} replicas {replicas} epoch {epoch:?}").unwrap();
    bounds!(
        table,
        MAX_TEXT,
        MAX_FILTER,
        MAX_MESSAGES,
        MAX_INPUTS,
        MAX_STOPS,
        MAX_STOP_LEN,
        MAX_EXTRA,
        MAX_EXTRA_FIELDS,
        MAX_EXTRA_DEPTH,
        MAX_TOKENS,
        MAX_TEMPERATURE_MILLI,
        MAX_REQUEST_BODY,
        MAX_HOPS,
        MAX_EVENT,
        MAX_OPEN,
        MAX_CHUNK,
        MAX_CLOSING,
        MAX_ERROR_MESSAGE,
        MAX_RECORD_LEN,
        MAX_RECORD_LIFETIME,
        MAX_ADDRESSES,
        MAX_RELAYS,
        MAX_EXPERT_LEN,
        MAX_MODEL_LEN,
        MAX_DIGEST_LEN,
        MAX_IDENTITY_LEN,
        MAX_TASK_BATCH_LEN,
        MAX_BATCH_TIME,
        MAX_ASSIGNMENT_LEN,
        MAX_MINERS,
        MAX_TASK_TIME,
        MAX_TRAFFIC_LEN,
        MAX_TRAFFIC_ROWS,
        MAX_TRAFFIC_PAIRS,
        MAX_TRAFFIC_AGE,
        MAX_RECEIPT_LEN,
        MAX_ANSWER_MS,
        MAX_AUDIT,
        MAX_FORWARDED,
        MAX_LIVE_SCORES_LEN,
        MAX_SCORES,
        MAX_SCORES_PAGE,
        MAX_SCORES_AGE,
        MAX_CLOCK_SKEW,
        ENVELOPE_OVERHEAD,
        MAX_PUBLISH,
        MAX_PAGE,
        MAX_REFUSAL,
        MAX_CONSENSUS_MESSAGE,
        CONSENSUS_COUNTER,
        MAX_TRANSACTION,
        MAX_BLOCK_ANNOUNCEMENT,
        MAX_BLOCK,
        MAX_BLOCKS,
        STATE_PAGE,
        MAX_STATE_RECORD,
        MAX_INVITE_LEN,
        MAX_SEEDS,
        MAX_SEED_LEN,
        MAX_REACH_ADDRESSES,
        MAX_AGENT_LEN,
        MAX_LIGHT_KEYS,
        MAX_LIGHT_KEY,
        MAX_LIGHT_SLOTS,
        MAX_LIGHT_HINTS,
        LIGHT_PAGE,
        MAX_LIGHT_RESPONSE,
        MAX_ATTESTATION,
        MAX_SUBMISSION,
        MAX_SUBMISSIONS,
    );
    table
}

#[test]
fn names_and_bounds_are_frozen() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/names.txt");
    if std::env::var_os("NERVURE_WRITE_FIXTURES").is_some() {
        return fs::write(path, table()).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), table());
}

/// A bound that is missing in the table would not be frozen.
#[test]
fn every_bound_is_in_the_table() {
    let source = include_str!("../src/bounds.rs");
    for line in source.lines().filter_map(|line| line.strip_prefix("pub const ")) {
        let name = line.split(':').next().unwrap();
        assert!(table().contains(&format!("bound {name} ")), "{name} is not in the table");
    }
}
