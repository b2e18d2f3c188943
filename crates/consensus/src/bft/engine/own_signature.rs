//! Signatures by our own key, and listening for them after a start.
//!
//! Every signature by our key that arrives is shown to the [`Signer`](crate::bft::Signer). The
//! heights of the other validators extend a suspension, see
//! [`DoubleSignGuard`](super::double_sign_guard::DoubleSignGuard).

use std::time::Duration;

use nervure_primitives::{BlockHeight, NodeId};

use super::Engine;
use crate::bft::{Effect, HighWaterMark, OwnSignatureCheck, Round, SignedVote, Timer, TimerKind};

/// How many heights beyond its last signature a second process with our key is left alone. It
/// keeps signing, and its signatures in certificates arrive one height late.
const SHARED_KEY_SILENT_HEIGHTS: u64 = 64;

impl Engine {
    /// Listens for `after`.
    ///
    /// A listening period continues when the mesh moves on by one height: blocks may come faster
    /// than it lasts, and an earlier process cannot have signed at a height that began after this
    /// one did. It starts again at a height further away, which the node caught up to: an earlier
    /// process may have signed there.
    pub(super) fn listen(&mut self, after: Duration, height: BlockHeight, before: Option<BlockHeight>) {
        let next = before.is_some_and(|before| before.0.saturating_add(1) == height.0);
        if self.guard.timer.is_none() || !next {
            let timer = Timer { height, round: Round(0), kind: TimerKind::Listen };
            self.adapter.effects.push(Effect::CancelAll);
            // A timer of the former period would end this one early.
            if let Some(former) = self.guard.timer.replace(timer) {
                self.adapter.effects.push(Effect::Cancel(former));
            }
            self.adapter.effects.push(Effect::Schedule { timer, after });
        }
    }

    /// Handles a signature of our key out of a verified certificate.
    ///
    /// If the record does not know it, an earlier process made it after the record was saved; or
    /// another process did, if it is about a height that began after this process started.
    pub(super) fn on_own_signature(&mut self, vote: SignedVote, began_here: bool) {
        // Verified here too: a forged signature that raises the record would silence this validator.
        if vote.signer != self.node() || vote.verify(self.adapter.mesh()).is_err() {
            return;
        }
        let (height, before) = (vote.statement.height, self.adapter.signer.record().silent_through);
        let check = self.adapter.signer.check_own_signature(vote.into());
        let key_used_twice =
            check == OwnSignatureCheck::Conflict || (check == OwnSignatureCheck::Newer && began_here);
        if key_used_twice {
            // One of the two processes has to stay silent. This one cannot know which one the operator
            // wants, so the process that sees the other one stops.
            let through = BlockHeight(height.0.saturating_add(SHARED_KEY_SILENT_HEIGHTS));
            self.adapter.signer.suspend_through(through);
        }
        self.adapter.save_signer_record();
        let after = self.adapter.signer.record().silent_through;
        if let Some(through) = after.filter(|_| after != before) {
            self.adapter.effects.push(Effect::Silenced { through, key_used_twice });
        }
    }

    /// Observes a verified statement of any validator, which may be an earlier process of our own.
    pub(super) fn observe(&mut self, signer: NodeId, statement: HighWaterMark) {
        let Some(current) = &self.current else { return };
        let validators = current.validators.clone();
        let (now, height) = (current.height, statement.position().height);
        let before = self.adapter.signer.record().silent_through;
        let mut key_used_twice = false;
        if signer == self.node() {
            let check = self.adapter.signer.check_own_signature(statement);
            key_used_twice = check == OwnSignatureCheck::Conflict;
        } else if height > now || self.adapter.signer.suspended_at(now).is_some() {
            // Heights of other validators matter only when this node is behind or already suspended.
            self.guard.note(signer, height, &validators);
        }
        // An old record may lack any height up to where the honest validators are now.
        if self.adapter.signer.suspended_at(now).is_some()
            && let Some(height) = self.guard.honest_height(&validators)
        {
            self.adapter.signer.suspend_through(height);
        }
        self.adapter.save_signer_record();
        let after = self.adapter.signer.record().silent_through;
        if let Some(through) = after.filter(|_| after != before || key_used_twice) {
            self.adapter.effects.push(Effect::Silenced { through, key_used_twice });
        }
    }
}
