//! A log that is damaged before its end: what may still be believed, and what must not be signed.
//!
//! What follows the damage is searched for statements of this node's own key. Their signatures are verified:
//! the search can also find bytes that a peer put into a block, but no statement that this key has not signed.
//! The highest one is the mark of the signer. Entries after the damage are not replayed, because those in
//! between may be missing.
//!
//! **Claim.** Nothing is signed at a height at which the lost part may hold a statement. A key signs only at
//! the height after the last block in the store, which is written before that height begins: this height is
//! silent, and every height of a statement that was found.
//!
//! **Hazard.** With a store that was moved away or restored, too, the statements in the log are all that is
//! known, and the signer listens as it does with an old record.

use std::{fs, path::Path};

use nervure_consensus::bft::{HighWaterMark, SignerRecord, WalEntry};
use nervure_primitives::{
    BlockHeight, MeshId, NodeId,
    cbor::{self, Limits},
    durable::{AppendLog, LogContents, LogError},
};

use super::{FORMAT, KIND_ENTRY, KIND_SIGNER, MAX_BLOCK_LEN, RecoveredLog, Wal, WalError, payload};

/// Whose log it is, and how far its chain is.
#[derive(Clone, Copy, Debug)]
pub struct LogOwner {
    /// The node whose statements it has.
    pub node: NodeId,
    /// The mesh that they are for.
    pub mesh: MeshId,
    /// The last block in the store.
    pub tip: BlockHeight,
}

impl Wal {
    /// Replaces the damaged log at `path` by one with a record that signs nothing which the lost part may
    /// contradict. The damaged file is kept as `NAME.damaged`.
    ///
    /// # Errors
    /// When another process has it open, or what the disk says.
    pub fn accept_damage(path: &Path, owner: &LogOwner) -> Result<(Self, RecoveredLog), WalError> {
        let io = |error| LogError::Io { path: path.to_owned(), error };
        let (mut log, contents) = AppendLog::open_damaged(path, FORMAT)?;
        let mut kept = path.as_os_str().to_owned();
        kept.push(".damaged");
        fs::copy(path, kept).map_err(io)?;
        let record = safe_record(&contents, owner);
        let content = cbor::encode(&record).map_err(std::io::Error::other).map_err(io)?;
        log.replace([payload(KIND_SIGNER, &content)], |_| Ok(())).map_err(io)?;
        let recovered = RecoveredLog { signer: record, ..RecoveredLog::default() };
        Ok((Self::new(log, record), recovered))
    }
}

/// The record for a log of which a part is lost.
fn safe_record(contents: &LogContents, owner: &LogOwner) -> SignerRecord {
    // Frames before the first damage have their places; their record is this node's own.
    let mut before = RecoveredLog::default();
    let whole = contents.frames().map_while(Result::ok);
    whole.map_while(|frame| before.take(frame.payload)).for_each(drop);
    let own = contents.salvage().filter_map(|frame| own_statement(frame.payload, owner));
    let last = own.chain(before.signer.last_signed).max_by_key(HighWaterMark::position);
    let next = BlockHeight(owner.tip.0.saturating_add(1));
    let signed = last.map(|last| last.position().height);
    let silent = signed.into_iter().chain(before.signer.silent_through).fold(next, BlockHeight::max);
    SignerRecord { last_signed: last, silent_through: Some(silent) }
}

/// The statement of this node's key in a frame.
fn own_statement(payload: &[u8], owner: &LogOwner) -> Option<HighWaterMark> {
    let (kind, content) = payload.split_first()?;
    let mark = match *kind {
        KIND_ENTRY => match WalEntry::decode(content).ok()? {
            WalEntry::Vote(vote) => vote.into(),
            WalEntry::Proposal(proposal) => proposal.into(),
            WalEntry::Verdict(_) | WalEntry::Timeout(_) | WalEntry::Polka(_) => return None,
        },
        KIND_SIGNER => {
            let record: SignerRecord = cbor::decode(content, Limits::new(MAX_BLOCK_LEN)).ok()?;
            record.last_signed?
        }
        _ => return None,
    };
    let (signer, verified) = match &mark {
        HighWaterMark::Vote(vote) => (vote.signer, vote.verify(&owner.mesh)),
        HighWaterMark::Proposal(proposal) => (proposal.signer, proposal.verify(&owner.mesh)),
    };
    (signer == owner.node && verified.is_ok()).then_some(mark)
}
