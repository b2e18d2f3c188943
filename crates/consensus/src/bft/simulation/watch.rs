//! The invariants, checked at every step.

use std::{collections::BTreeMap, fmt};

use nervure_primitives::{BlockHeight, Hash, NodeId};

use crate::bft::{Message, Placed, Position, Proposal, Vote};

/// Something that must never happen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// Two honest nodes committed different blocks, or reached different states by the same.
    Disagreement {
        /// Where.
        height: BlockHeight,
    },
    /// An honest node sent two statements for one position.
    DoubleSigning {
        /// Who.
        node: NodeId,
        /// Where.
        position: Position,
    },
    /// An honest node was accused of equivocation.
    Accused(NodeId),
    /// An honest node was blamed for a message.
    Blamed(NodeId),
    /// An honest node found its own record to be old.
    Silenced(NodeId),
    /// An honest application refused what was decided.
    Contradicted(BlockHeight),
    /// A restarted honest node did not have a block that it had committed.
    Lost {
        /// The height up to which it had committed.
        height: BlockHeight,
    },
    /// An engine failed.
    Failed(String),
    /// Honest nodes did not reach the target after the faults ended.
    Stuck {
        /// The height of the slowest.
        height: BlockHeight,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// A statement of either kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stated {
    Vote(Vote),
    Proposal(Proposal),
}

/// Remembers what honest nodes did.
#[derive(Default)]
pub(super) struct Watch {
    committed: BTreeMap<BlockHeight, (Hash, Hash)>,
    stated: BTreeMap<(NodeId, Position), Stated>,
    pub(super) violations: Vec<Violation>,
}

impl Watch {
    /// An honest node committed a block and is in a state.
    pub(super) fn committed(&mut self, height: BlockHeight, value: Hash, root: Hash) {
        let first = *self.committed.entry(height).or_insert((value, root));
        if first != (value, root) {
            self.violate(Violation::Disagreement { height });
        }
    }

    /// An honest node sends a message.
    pub(super) fn sent(&mut self, node: NodeId, message: &Message) {
        let (signer, position, stated) = match message {
            Message::Vote(vote) => (vote.signer, vote.statement.position(), Stated::Vote(vote.statement)),
            Message::Proposal(proposal) => {
                let statement = proposal.statement;
                (proposal.signer, statement.position(), Stated::Proposal(statement))
            }
            Message::Polka(_) | Message::Round(_) => return,
        };
        // Proposals of others are passed on.
        if signer == node && *self.stated.entry((signer, position)).or_insert(stated) != stated {
            self.violate(Violation::DoubleSigning { node, position });
        }
    }

    pub(super) fn violate(&mut self, violation: Violation) {
        self.violations.push(violation);
    }
}
