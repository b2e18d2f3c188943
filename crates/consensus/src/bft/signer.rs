//! The one place that signs: it remembers where it last did, and never goes back.
//!
//! A validator that signs two different statements for one place of the protocol can split the
//! mesh. So the [`Signer`] keeps a [`Mark`], the highest [`Position`] it ever signed at and what
//! it signed there, and refuses everything at or below it that is not the very same statement,
//! whatever the state machine above it believes. The engine hands out every change as
//! [`Effect::SaveSigner`](super::Effect::SaveSigner) before the signature it belongs to.
//!
//! # What is guaranteed
//!
//! * With the latest record on disk, no two conflicting signatures, whatever crashes.
//! * With the latest record but **without the log** of the height, nothing at all is signed at that
//!   height, since the log alone knows what we are locked on.
//! * With an **old record** (a restored backup, a second process with the same key): from the
//!   moment one signature by our key above the mark is shown to the engine, in a vote, a proposal
//!   or any certificate, nothing is signed up to the height of that signature, nor up to the
//!   highest height that validators with more than a third of the power are heard to be at. Such
//!   proof cannot be forged, it *is* our signature. The refusal is part of the record and
//!   survives restarts.
//! * Before the first signature after a start the engine listens for a while
//!   ([`Config::listen`](super::Config::listen)) and signs nothing, so that this proof can come.
//!
//! # What is not
//!
//! A node with an old record that nobody shows its later signatures while it listens (isolated,
//! surrounded by liars, or too short a listening time) can sign twice. Nothing on the machine
//! itself can tell an old record from a fresh one; only the network can.

use nervure_primitives::{BlockHeight, MeshId, NodeId, NodeKey, cbor::CborError};
use serde::{Deserialize, Serialize};

use super::{Proposal, Round, Signed, SignedProposal, SignedVote, Statement, Vote, VoteKind};

/// The steps of a round, in the order in which one signs in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Step {
    /// Proposing.
    #[serde(rename = "propose")]
    Propose,
    /// Prevoting.
    #[serde(rename = "prevote")]
    Prevote,
    /// Precommitting.
    #[serde(rename = "precommit")]
    Precommit,
}

/// A place in the protocol at which a validator signs one statement and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The height.
    #[serde(rename = "h")]
    pub height: BlockHeight,
    /// The round.
    #[serde(rename = "r")]
    pub round: Round,
    /// The step.
    #[serde(rename = "s")]
    pub step: Step,
}

/// A statement that has its one place.
pub trait Placed: Statement {
    /// Where it is made.
    fn position(&self) -> Position;
}

impl Placed for Vote {
    fn position(&self) -> Position {
        let step = match self.kind {
            VoteKind::Prevote => Step::Prevote,
            VoteKind::Precommit => Step::Precommit,
        };
        Position { height: self.height, round: self.round, step }
    }
}

impl Placed for Proposal {
    fn position(&self) -> Position {
        Position { height: self.height, round: self.round, step: Step::Propose }
    }
}

/// A signed statement of either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// A vote.
    #[serde(rename = "vote")]
    Vote(SignedVote),
    /// A proposal.
    #[serde(rename = "proposal")]
    Proposal(SignedProposal),
}

impl Mark {
    /// Where it was made.
    pub fn position(&self) -> Position {
        match self {
            Self::Vote(vote) => vote.statement.position(),
            Self::Proposal(proposal) => proposal.statement.position(),
        }
    }
}

impl From<SignedVote> for Mark {
    fn from(vote: SignedVote) -> Self {
        Self::Vote(vote)
    }
}

impl From<SignedProposal> for Mark {
    fn from(proposal: SignedProposal) -> Self {
        Self::Proposal(proposal)
    }
}

/// What has to survive everything. Written durably before the signature it is about leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignerRecord {
    /// Our statement at the highest position known, whoever made it.
    #[serde(rename = "m")]
    pub mark: Option<Mark>,
    /// Sign nothing up to this height: the record was once seen to be older than our signatures.
    #[serde(rename = "q")]
    pub silent_through: Option<BlockHeight>,
}

/// Why a signature was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignRefusal {
    /// Still listening for signatures of an earlier life.
    #[error("still listening for our own earlier signatures")]
    Listening,
    /// The record was found to be old; the heights it may be missing are left to others.
    #[error("our record is older than our signatures: nothing is signed up to height {0}")]
    Silent(BlockHeight),
    /// Something was already signed at this position or a later one.
    #[error("already signed at height {}, round {}, {:?}", .0.height, .0.round, .0.step)]
    Marked(Position),
    /// The statement does not encode.
    #[error(transparent)]
    Cbor(#[from] CborError),
}

/// What a signature by our own key, seen outside, tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Witness {
    /// Nothing new.
    Known,
    /// The key has signed beyond what the record knew: the record is old, or the key is used twice.
    Newer,
    /// The key has signed something else at the very position of the mark: it is used twice.
    Conflict,
}

/// Signs for a validator, each position once.
#[derive(Clone, Debug)]
pub struct Signer {
    key: NodeKey,
    node: NodeId,
    mesh: MeshId,
    record: SignerRecord,
    changed: bool,
    listening: bool,
}

impl Signer {
    /// A signer that goes on where `record` ends. A key that never signed has the default record.
    pub fn new(key: NodeKey, mesh: MeshId, record: SignerRecord) -> Self {
        let node = key.node_id();
        Self { key, node, mesh, record, changed: false, listening: false }
    }

    /// Whose signatures these are.
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// Where it signs.
    pub const fn mesh(&self) -> &MeshId {
        &self.mesh
    }

    /// What has to survive.
    pub const fn record(&self) -> SignerRecord {
        self.record
    }

    /// Signs `statement` unless that could contradict an earlier signature.
    ///
    /// # Errors
    /// Whatever is not above the mark, or the very statement at it, is refused.
    pub fn sign<T: Placed>(&mut self, statement: T) -> Result<Signed<T>, SignRefusal>
    where
        Mark: From<Signed<T>>,
    {
        let position = statement.position();
        if self.listening {
            return Err(SignRefusal::Listening);
        }
        if let Some(through) = self.record.silent_through.filter(|through| position.height <= *through) {
            return Err(SignRefusal::Silent(through));
        }
        let signed = Signed::sign(&self.key, &self.mesh, statement)?;
        let mark = signed.into();
        match self.record.mark {
            Some(last) if last == mark => {}
            Some(last) if last.position() >= position => return Err(SignRefusal::Marked(last.position())),
            _ => self.mark(mark),
        }
        Ok(signed)
    }

    /// Takes note of an own statement found in the log: the record may have been lost with the
    /// last writes before a crash.
    pub(super) fn remember(&mut self, mark: Mark) {
        if self.record.mark.is_none_or(|last| last.position() < mark.position()) {
            self.mark(mark);
        }
    }

    fn mark(&mut self, mark: Mark) {
        self.record.mark = Some(mark);
        self.changed = true;
    }

    /// Takes note of a signature by our own key, verified by the caller, that came from outside.
    pub fn witness(&mut self, seen: Mark) -> Witness {
        let position = seen.position();
        match self.record.mark {
            Some(last) if last == seen || last.position() > position => Witness::Known,
            Some(last) if last.position() == position => {
                self.be_silent_through(position.height);
                Witness::Conflict
            }
            _ => {
                self.mark(seen);
                self.be_silent_through(position.height);
                Witness::Newer
            }
        }
    }

    /// The height up to which nothing is signed, if `height` is at or below it.
    pub fn silent_at(&self, height: BlockHeight) -> Option<BlockHeight> {
        self.record.silent_through.filter(|through| height <= *through)
    }

    /// Whether it may sign at `height` at all.
    pub fn may_sign_at(&self, height: BlockHeight) -> bool {
        !self.listening && self.silent_at(height).is_none()
    }

    /// Signs nothing up to `height`.
    pub(super) fn be_silent_through(&mut self, height: BlockHeight) {
        if self.record.silent_through.is_none_or(|through| through < height) {
            self.record.silent_through = Some(height);
            self.changed = true;
        }
    }

    /// Signs nothing while `listening`.
    pub(super) const fn set_listening(&mut self, listening: bool) {
        self.listening = listening;
    }

    /// The record, if it changed since this was last asked.
    pub(super) fn take_change(&mut self) -> Option<SignerRecord> {
        std::mem::take(&mut self.changed).then_some(self.record)
    }
}

#[cfg(test)]
mod tests;
