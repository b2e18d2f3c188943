//! What the nodes reported about the chain, and the faults in it.

use std::collections::BTreeMap;

use nervure_primitives::{Hash, NodeId};

/// Messages in a node's log that report a fault, and the fault.
const FAULT_MESSAGES: [(&str, &str); 4] = [
    ("a validator equivocated", "received two different votes or proposals of one validator for one step"),
    ("another process signs with this node's key", "found another process with its key"),
    ("stopped following the chain", "stopped following the chain"),
    ("panicked at", "panicked"),
];

/// What nodes reported.
#[derive(Clone, Debug, Default)]
pub(super) struct Observations {
    /// Every block that some node reported as final.
    blocks: BTreeMap<u64, Hash>,
    /// Two blocks of one height.
    forks: Vec<String>,
    /// The highest block that each validator signed, by the certificates that others hold.
    signed: BTreeMap<NodeId, u64>,
}

impl Observations {
    /// Records the last block of a node.
    pub(super) fn block(&mut self, name: &str, height: u64, block: Hash) {
        let first = *self.blocks.entry(height).or_insert(block);
        if first != block {
            self.forks.push(format!("{name} reported block {height} as {block} after {first}"));
        }
    }

    /// Records that another node's certificate of a block has the signature of `signer`.
    pub(super) fn signature(&mut self, signer: NodeId, height: u64) {
        let highest = self.signed.entry(signer).or_default();
        *highest = height.max(*highest);
    }

    /// The highest final block.
    pub(super) fn highest(&self) -> u64 {
        self.blocks.last_key_value().map_or(0, |(height, _)| *height)
    }

    /// The highest block with a signature of `validator` that others hold.
    pub(super) fn signed(&self, validator: &NodeId) -> Option<u64> {
        self.signed.get(validator).copied()
    }
}

/// All faults in the final `chains` up to a height, by node, and in their `logs`.
pub(super) fn complaints(
    (seen, upto): (&Observations, u64),
    chains: &BTreeMap<String, BTreeMap<u64, Hash>>,
    logs: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut wrong = seen.forks.clone();
    for (name, blocks) in chains {
        for (height, block) in seen.blocks.range(1..=upto) {
            match blocks.get(height) {
                None => wrong.push(format!("block {height} was final, and {name} lost it")),
                Some(other) if other != block => {
                    wrong.push(format!("block {height} was {block}, and {name} has {other}"));
                }
                Some(_) => {}
            }
        }
    }
    let first = chains.values().next();
    for (name, blocks) in chains.iter().skip(1) {
        if first.is_some_and(|first| first != blocks) {
            wrong.push(format!("the chain of {name} differs from the first node's"));
        }
    }
    for (name, log) in logs {
        for (words, what) in FAULT_MESSAGES {
            let lines = log.lines().filter(|line| line.contains(words));
            wrong.extend(lines.map(|line| format!("{name} {what}: {line}")));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(byte: u8) -> Hash {
        Hash::from_bytes([byte; 32])
    }

    fn chain(blocks: &[u8]) -> BTreeMap<u64, Hash> {
        blocks.iter().zip(1..).map(|(byte, height)| (height, hash(*byte))).collect()
    }

    fn faults(seen: &[(u64, u8)], chains: &[&[u8]], log: &str) -> Vec<String> {
        let mut all = Observations::default();
        seen.iter().for_each(|(height, byte)| all.block("x", *height, hash(*byte)));
        let chains =
            chains.iter().zip(0..).map(|(blocks, name)| (format!("n{name}"), chain(blocks))).collect();
        complaints((&all, u64::MAX), &chains, &BTreeMap::from([("n0".into(), log.to_owned())]))
    }

    #[test]
    fn a_sound_run_has_no_complaints() {
        let quiet = "INFO joined\nWARN this node's key signed before: it votes again after this height";
        assert!(faults(&[(1, 1), (2, 2), (2, 2)], &[&[1, 2, 3], &[1, 2, 3]], quiet).is_empty());
    }

    #[test]
    fn finds_each_fault() {
        let lost = faults(&[(1, 1), (3, 3)], &[&[1, 2], &[1, 2]], "");
        assert!(lost.len() == 2 && lost[0].contains("lost it"), "{lost:?}");
        let fork = faults(&[(1, 1), (1, 2)], &[&[1], &[1]], "");
        assert!(fork[0].contains("reported block 1 as"), "{fork:?}");
        let replaced = faults(&[(1, 1), (2, 2)], &[&[1, 2], &[1, 9]], "");
        assert!(replaced[0].contains("n1 has"), "{replaced:?}");
        let apart = faults(&[(1, 1)], &[&[1, 2], &[1, 9]], "");
        assert!(apart[0].contains("differs"), "{apart:?}");
        for (words, what) in FAULT_MESSAGES {
            let said = faults(&[], &[&[1]], &format!("WARN {words}"));
            assert!(said[0].contains(what), "{said:?}");
        }
    }
}
