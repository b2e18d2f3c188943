//! The signer: signs each position of the protocol at most once.
//!
//! A validator that signs two different statements at one [`Position`] can split the mesh. The
//! [`Signer`] therefore keeps a [`HighWaterMark`], the statement that it last signed, and refuses
//! every other statement at that position or below, whatever the state machine above it asks for.
//! The engine emits each change as [`Effect::SaveSigner`](super::Effect::SaveSigner) before the
//! signature that caused it.
//!
//! # Guarantees
//!
//! * With the latest record on disk, no two conflicting signatures are made, whatever crashes.
//! * With the latest record but **without the log** of the height, nothing is signed at that height,
//!   because only the log knows the locked value.
//! * With an **old record** (a restored backup, or a second process with the same key): once the
//!   engine sees one signature of our key above the high-water mark, in a vote, a proposal or a
//!   certificate, nothing is signed up to the height of that signature, nor up to the highest
//!   height that validators with more than a third of the power have reached. This evidence cannot
//!   be forged, because it is our own signature. The suspension is part of the record and survives
//!   restarts.
//! * After a start the engine first listens ([`Config::listen`](super::Config::listen)) and signs
//!   nothing, so that this evidence can arrive.
//!
//! # Limits
//!
//! A node with an old record can sign twice if no peer shows it a later signature while it listens:
//! when it is isolated, when all its peers are hostile, or when the listening time is too short. The
//! machine alone cannot tell an old record from a current one; only the network can.

use nervure_primitives::{BlockHeight, MeshId, NodeId, NodeKey, cbor::CborError};
use serde::{Deserialize, Serialize};

use crate::statement::{Position, SignedProposal, SignedStatement, SignedVote, Statement};

/// A signed vote or proposal. In a [`SignerRecord`], the statement at the highest position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HighWaterMark {
    /// A vote.
    #[serde(rename = "vote")]
    Vote(SignedVote),
    /// A proposal.
    #[serde(rename = "proposal")]
    Proposal(SignedProposal),
}

impl HighWaterMark {
    /// The position of the statement.
    pub fn position(&self) -> Position {
        match self {
            Self::Vote(vote) => vote.statement.position(),
            Self::Proposal(proposal) => proposal.statement.position(),
        }
    }
}

impl From<SignedVote> for HighWaterMark {
    fn from(vote: SignedVote) -> Self {
        Self::Vote(vote)
    }
}

impl From<SignedProposal> for HighWaterMark {
    fn from(proposal: SignedProposal) -> Self {
        Self::Proposal(proposal)
    }
}

/// The signer's durable state. It is on disk before the signature that changed it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignerRecord {
    /// The statement of our key at the highest position known, even if another process signed it.
    #[serde(rename = "m")]
    pub last_signed: Option<HighWaterMark>,
    /// Sign nothing up to this height: the record was found to be older than our signatures.
    #[serde(rename = "q")]
    pub silent_through: Option<BlockHeight>,
}

/// Why the signer refused to sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The engine still listens for signatures of an earlier process.
    #[error("still listening for our own earlier signatures")]
    Listening,
    /// The record was found to be old; nothing is signed at the heights that it may lack.
    #[error("our record is older than our signatures: nothing is signed up to height {0}")]
    Suspended(BlockHeight),
    /// Another statement was already signed at this position or a later one.
    #[error("already signed at height {}, round {}, {:?}", .0.height, .0.round, .0.step)]
    AlreadySigned(Position),
    /// The statement does not encode.
    #[error(transparent)]
    Cbor(#[from] CborError),
}

/// What a signature by our own key that was received from the network says about the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnSignatureCheck {
    /// Nothing new.
    Known,
    /// The key has signed above the high-water mark: the record is old, or the key is used twice.
    Newer,
    /// The key has signed another statement at the high-water mark: it is used twice.
    Conflict,
}

/// Signs for a validator, each position at most once.
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
    /// A signer that continues from `record`. A key that never signed has the default record.
    pub fn new(key: NodeKey, mesh: MeshId, record: SignerRecord) -> Self {
        let node = key.node_id();
        Self { key, node, mesh, record, changed: false, listening: false }
    }

    /// The node that it signs for.
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// The mesh that it signs for.
    pub const fn mesh(&self) -> &MeshId {
        &self.mesh
    }

    /// The state to be kept durably.
    pub const fn record(&self) -> SignerRecord {
        self.record
    }

    /// Signs `statement` unless that could contradict an earlier signature.
    ///
    /// # Errors
    /// When the statement is not above the high-water mark, unless it is the very same statement.
    pub fn sign<T: Statement>(&mut self, statement: T) -> Result<SignedStatement<T>, SignError>
    where
        HighWaterMark: From<SignedStatement<T>>,
    {
        let position = statement.position();
        if self.listening {
            return Err(SignError::Listening);
        }
        if let Some(through) = self.suspended_at(position.height) {
            return Err(SignError::Suspended(through));
        }
        // Signed before the comparison, which needs the signature. A refused signature is dropped here.
        let signed = SignedStatement::sign(&self.key, &self.mesh, statement)?;
        let mark = signed.into();
        match self.record.last_signed {
            // Ed25519 is deterministic: the same statement has the same signature, so a replay may
            // sign it again.
            Some(last) if last == mark => {}
            Some(last) if last.position() >= position => {
                return Err(SignError::AlreadySigned(last.position()));
            }
            _ => self.raise(mark),
        }
        Ok(signed)
    }

    /// Notes an own statement found in the log: a crash may have lost the last write of the record.
    pub(super) fn remember(&mut self, mark: HighWaterMark) {
        // Never lowers the mark: the record may be ahead of the log, for instance by a signature from the
        // network.
        if self.record.last_signed.is_none_or(|last| last.position() < mark.position()) {
            self.raise(mark);
        }
    }

    fn raise(&mut self, mark: HighWaterMark) {
        self.record.last_signed = Some(mark);
        self.changed = true;
    }

    /// Notes a signature by our own key that came from the network. The caller has verified it.
    pub fn check_own_signature(&mut self, seen: HighWaterMark) -> OwnSignatureCheck {
        let position = seen.position();
        match self.record.last_signed {
            // Below the mark the record does not say what was signed, so a conflict there is not detected.
            Some(last) if last == seen || last.position() > position => OwnSignatureCheck::Known,
            // Two statements at one position under our key: a second process signs with it.
            Some(last) if last.position() == position => {
                self.suspend_through(position.height);
                OwnSignatureCheck::Conflict
            }
            _ => {
                // Raised as well as suspended: when the suspension ends, the mark still excludes what was
                // signed.
                self.raise(seen);
                self.suspend_through(position.height);
                OwnSignatureCheck::Newer
            }
        }
    }

    /// The height up to which nothing is signed, if `height` is at or below it.
    pub fn suspended_at(&self, height: BlockHeight) -> Option<BlockHeight> {
        self.record.silent_through.filter(|through| height <= *through)
    }

    /// Whether it may sign at `height` at all.
    pub fn may_sign_at(&self, height: BlockHeight) -> bool {
        !self.listening && self.suspended_at(height).is_none()
    }

    /// Signs nothing up to `height`. A suspension is only ever extended.
    pub(super) fn suspend_through(&mut self, height: BlockHeight) {
        if self.record.silent_through.is_none_or(|through| through < height) {
            self.record.silent_through = Some(height);
            self.changed = true;
        }
    }

    /// Signs nothing while `listening`.
    pub(super) const fn set_listening(&mut self, listening: bool) {
        self.listening = listening;
    }

    /// The record, if it changed since the last call.
    pub(super) fn take_changed_record(&mut self) -> Option<SignerRecord> {
        std::mem::take(&mut self.changed).then_some(self.record)
    }
}

#[cfg(test)]
mod tests;
