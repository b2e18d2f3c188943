//! The effects of one input, collected and put in order.
//!
//! Log entries and the signer's record move to the front, so that one sync covers all that follows.
//! Making something durable earlier than the core asked for is always safe. The rest keeps its order.

use crate::bft::{Effect, Message, SignerRecord, WalEntry};

/// Collects the effects of one input.
#[derive(Default)]
pub(super) struct EffectBuffer {
    entries: Vec<Effect>,
    record: Option<SignerRecord>,
    sync: bool,
    rest: Vec<Effect>,
}

impl EffectBuffer {
    /// Adds an effect after all that were pushed before.
    pub(super) fn push(&mut self, effect: Effect) {
        self.rest.push(effect);
    }

    /// Adds a message to send, once per input.
    pub(super) fn broadcast(&mut self, message: Message) {
        let effect = Effect::Broadcast(message);
        // A rebroadcast timer makes both the core and the engine send the same message.
        if !self.rest.contains(&effect) {
            self.rest.push(effect);
        }
    }

    /// Adds a log entry.
    pub(super) fn append(&mut self, entry: WalEntry) {
        self.entries.push(Effect::Append(entry));
    }

    /// Sets the signer's record to save, which requires a sync. The latest record of an input wins.
    pub(super) fn save(&mut self, record: SignerRecord) {
        self.record = Some(record);
        self.sync = true;
    }

    /// Requires a sync: a statement of ours leaves, and all that led to it has to be durable first.
    pub(super) fn require_sync(&mut self) {
        self.sync = true;
    }

    /// Removes and returns all effects, in order.
    pub(super) fn drain(&mut self) -> Vec<Effect> {
        // Entries before the record: a durable record whose entry is lost would suspend the signer.
        let mut effects = std::mem::take(&mut self.entries);
        effects.extend(self.record.take().map(Effect::SaveSigner));
        if std::mem::take(&mut self.sync) {
            effects.push(Effect::Sync);
        }
        // Broadcasts are in `rest`, so none leaves before the sync.
        effects.append(&mut self.rest);
        effects
    }
}
