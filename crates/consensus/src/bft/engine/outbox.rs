//! Effects in the making.
//!
//! What has to be remembered is moved to the front of an input's effects, so that one sync serves
//! everything that follows; remembering early is always safe. The rest keeps its order.

use crate::bft::{Effect, Message, SignerRecord, WalEntry};

/// Collects the effects of one input.
#[derive(Default)]
pub(super) struct Outbox {
    entries: Vec<Effect>,
    record: Option<SignerRecord>,
    sync: bool,
    rest: Vec<Effect>,
}

impl Outbox {
    /// To be done after everything pushed before.
    pub(super) fn push(&mut self, effect: Effect) {
        self.rest.push(effect);
    }

    /// To be sent, once.
    pub(super) fn broadcast(&mut self, message: Message) {
        let effect = Effect::Broadcast(message);
        if !self.rest.contains(&effect) {
            self.rest.push(effect);
        }
    }

    /// To be appended to the log.
    pub(super) fn append(&mut self, entry: WalEntry) {
        self.entries.push(Effect::Append(entry));
    }

    /// To be durable before anything leaves. The latest record of an input is the one to keep.
    pub(super) fn save(&mut self, record: SignerRecord) {
        self.record = Some(record);
        self.sync = true;
    }

    /// Something of ours leaves: all that led to it has to be durable first.
    pub(super) fn require_sync(&mut self) {
        self.sync = true;
    }

    /// Everything in order; empty afterwards.
    pub(super) fn drain(&mut self) -> Vec<Effect> {
        let mut effects = std::mem::take(&mut self.entries);
        effects.extend(self.record.take().map(Effect::SaveSigner));
        if std::mem::take(&mut self.sync) {
            effects.push(Effect::Sync);
        }
        effects.append(&mut self.rest);
        effects
    }
}
