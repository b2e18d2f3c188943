//! The invariants of a run, checked at every step.

use std::{collections::BTreeMap, fmt};

use nervure_primitives::{BlockHeight, Hash, NodeId};

use crate::bft::{Message, Position, Proposal, Statement, Vote};

/// A violated invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// Two honest nodes committed different blocks, or the same block with different states.
    Disagreement {
        /// The height.
        height: BlockHeight,
    },
    /// An honest node sent two statements for one position.
    DoubleSigning {
        /// The node.
        node: NodeId,
        /// The position.
        position: Position,
    },
    /// An honest node was accused of equivocation.
    Accused(NodeId),
    /// Evidence against this node does not verify.
    BadEvidence(NodeId),
    /// An honest node was blamed for a message.
    Blamed(NodeId),
    /// An honest node found its own record to be old.
    Silenced(NodeId),
    /// An honest application called a decided block invalid.
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
        /// The height of the slowest honest node.
        height: BlockHeight,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// A vote or proposal without its signature.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UnsignedStatement {
    Vote(Vote),
    Proposal(Proposal),
}

/// The commits and statements of honest nodes.
#[derive(Default)]
pub(super) struct InvariantChecker {
    committed: BTreeMap<BlockHeight, (Hash, Hash)>,
    statements: BTreeMap<(NodeId, Position), UnsignedStatement>,
    pub(super) violations: Vec<Violation>,
}

impl InvariantChecker {
    /// Checks a commit of an honest node and the state after it.
    pub(super) fn committed(&mut self, height: BlockHeight, value: Hash, root: Hash) {
        let first = *self.committed.entry(height).or_insert((value, root));
        if first != (value, root) {
            self.violate(Violation::Disagreement { height });
        }
    }

    /// Checks a message that an honest node sends.
    pub(super) fn sent(&mut self, node: NodeId, message: &Message) {
        let (signer, position, statement) = match message {
            Message::Vote(vote) => {
                (vote.signer, vote.statement.position(), UnsignedStatement::Vote(vote.statement))
            }
            Message::Proposal(proposal) => {
                let proposed = proposal.statement;
                (proposal.signer, proposed.position(), UnsignedStatement::Proposal(proposed))
            }
            Message::Polka(_) | Message::Round(_) => return,
        };
        // Nodes also forward the proposals of others.
        if signer == node && *self.statements.entry((signer, position)).or_insert(statement) != statement {
            self.violate(Violation::DoubleSigning { node, position });
        }
    }

    pub(super) fn violate(&mut self, violation: Violation) {
        self.violations.push(violation);
    }
}
