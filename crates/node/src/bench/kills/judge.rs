//! What was seen of the chain, and what is wrong with it.

use std::collections::BTreeMap;

use nervure_primitives::{Hash, NodeId};

/// Words in a node's log that say that something happened which must not, and what that is.
const BAD_WORDS: [(&str, &str); 4] = [
    ("a validator contradicted itself", "heard two signatures of one validator for one place"),
    ("another process signs with this node's key", "found its own key used twice"),
    ("follows the chain no more", "gave up following the chain"),
    ("panicked at", "panicked"),
];

/// What nodes said of themselves.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Every block that some node said was final.
    blocks: BTreeMap<u64, Hash>,
    /// Two blocks of one height.
    forks: Vec<String>,
    /// The highest block that each validator signed, by the certificates that others hold.
    signed: BTreeMap<NodeId, u64>,
}

impl Seen {
    /// A node says which block is its last.
    pub(super) fn block(&mut self, name: &str, height: u64, block: Hash) {
        let first = *self.blocks.entry(height).or_insert(block);
        if first != block {
            self.forks.push(format!("{name} said that block {height} is {block}, and before it was {first}"));
        }
    }

    /// Somebody else's certificate of a block has the signature of `signer`.
    pub(super) fn heard(&mut self, signer: NodeId, height: u64) {
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

/// Everything that is wrong with the `chains` up to a height in the end, by node, and with their `logs`.
pub(super) fn complaints(
    (seen, upto): (&Seen, u64),
    chains: &BTreeMap<String, BTreeMap<u64, Hash>>,
    logs: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut wrong = seen.forks.clone();
    for (name, blocks) in chains {
        for (height, block) in seen.blocks.range(1..=upto) {
            match blocks.get(height) {
                None => wrong.push(format!("block {height} was final, and {name} has lost it")),
                Some(other) if other != block => {
                    wrong.push(format!("block {height} was {block}, and at {name} it is {other}"));
                }
                Some(_) => {}
            }
        }
    }
    let first = chains.values().next();
    for (name, blocks) in chains.iter().skip(1) {
        if first.is_some_and(|first| first != blocks) {
            wrong.push(format!("{name} has another chain than the first node"));
        }
    }
    for (name, log) in logs {
        for (words, what) in BAD_WORDS {
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

    fn judged(seen: &[(u64, u8)], chains: &[&[u8]], log: &str) -> Vec<String> {
        let mut all = Seen::default();
        seen.iter().for_each(|(height, byte)| all.block("x", *height, hash(*byte)));
        let chains =
            chains.iter().zip(0..).map(|(blocks, name)| (format!("n{name}"), chain(blocks))).collect();
        complaints((&all, u64::MAX), &chains, &BTreeMap::from([("n0".into(), log.to_owned())]))
    }

    #[test]
    fn a_sound_run_has_no_complaints() {
        let quiet = "INFO joined\nWARN this node's key signed before: it votes again after this height";
        assert!(judged(&[(1, 1), (2, 2), (2, 2)], &[&[1, 2, 3], &[1, 2, 3]], quiet).is_empty());
    }

    #[test]
    fn each_fault_is_found() {
        let lost = judged(&[(1, 1), (3, 3)], &[&[1, 2], &[1, 2]], "");
        assert!(lost.len() == 2 && lost[0].contains("has lost it"), "{lost:?}");
        let fork = judged(&[(1, 1), (1, 2)], &[&[1], &[1]], "");
        assert!(fork[0].contains("said that block 1 is"), "{fork:?}");
        let replaced = judged(&[(1, 1), (2, 2)], &[&[1, 2], &[1, 9]], "");
        assert!(replaced[0].contains("at n1 it is"), "{replaced:?}");
        let apart = judged(&[(1, 1)], &[&[1, 2], &[1, 9]], "");
        assert!(apart[0].contains("another chain"), "{apart:?}");
        for (words, what) in BAD_WORDS {
            let said = judged(&[], &[&[1]], &format!("WARN {words}"));
            assert!(said[0].contains(what), "{said:?}");
        }
    }
}
