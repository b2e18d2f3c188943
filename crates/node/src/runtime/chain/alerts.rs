//! Alerts about this node's own part: its transactions are refused or wait, or its votes are not counted.
//!
//! A validator that commits no weights, or whose precommits reach no one, looks healthy from the inside: blocks come, and
//! the node runs. An alert says so in the log, in `status` and in the metrics.
//!
//! Bounds: an alert of a kind is one entry, however often its cause occurs. It is logged when it begins, and again after
//! [`REPEAT_BLOCKS`] if it lasts.

use std::collections::BTreeMap;

use nervure_ledger::{
    event::Event,
    transaction::{Call, SignedTransaction, SignerKey},
};
use nervure_primitives::{BlockHeight, Hash, NodeId};

/// Blocks that a transaction of this node's key may wait. A validator's own lane has room for it in each of them, and what
/// puts weights on the ledger expires one block later.
const WAITING_BLOCKS: u64 = 3;

/// Heights in a row at which this node is a validator and its precommit is not counted.
const UNSIGNED_HEIGHTS: u64 = 3;

/// Blocks after which an alert about a transaction ends, when its cause did not occur again and no transaction of the kind
/// was applied.
const TRANSACTION_ALERT_BLOCKS: u64 = 1_000;

/// Blocks after which an alert that lasts is logged again.
const REPEAT_BLOCKS: u64 = 300;

/// Blocks in which an alert that ends and begins again is logged once.
const QUIET_BLOCKS: u64 = 30;

/// Own transactions that are watched. A validator has 64 pending at most in its lane.
const MAX_WATCHED: usize = 256;

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AlertKind {
    /// A transaction of this node's key was refused.
    Refused,
    /// A transaction of this node's key waits, or was in no block before it expired.
    Waiting,
    /// This node is a validator, and its precommits are not counted.
    Unsigned,
}

impl AlertKind {
    /// Its name in `status` and as a label.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Waiting => "waiting",
            Self::Unsigned => "unsigned",
        }
    }
}

/// Something about this node that its operator should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alert {
    /// The block after which it began.
    pub since: BlockHeight,
    /// The last block after which its cause occurred.
    pub last: BlockHeight,
    /// How often its cause occurred.
    pub count: u64,
    /// What happened, and what to do.
    pub message: String,
    /// The kind of transaction that it is about; none for votes of consensus.
    call: Option<String>,
}

/// A transaction of this node's key that is in no block yet.
#[derive(Debug)]
struct Watched {
    call: String,
    since: BlockHeight,
}

/// Watches what becomes of this node's own transactions and precommits.
#[derive(Debug)]
pub(super) struct AlertMonitor {
    own: NodeId,
    watched: BTreeMap<Hash, Watched>,
    active: BTreeMap<AlertKind, Alert>,
    /// After which block an alert of a kind was logged last.
    logged: BTreeMap<AlertKind, BlockHeight>,
    /// Blocks that came one by one since the node last caught up: while it was away, it could not sign.
    live_blocks: u64,
}

/// What the chain knows after a block.
pub(super) struct AfterBlock<O, P> {
    /// The block.
    pub(super) height: BlockHeight,
    /// What became of a transaction in a block.
    pub(super) outcome: O,
    /// Whether a transaction is in the mempool.
    pub(super) is_pending: P,
    /// How many heights in a row this node missed as a validator; none when it is not one.
    pub(super) silent: Option<u64>,
}

impl AlertMonitor {
    pub(super) const fn new(own: NodeId) -> Self {
        Self {
            own,
            watched: BTreeMap::new(),
            active: BTreeMap::new(),
            logged: BTreeMap::new(),
            live_blocks: 0,
        }
    }

    /// The alerts now.
    pub(super) const fn active(&self) -> &BTreeMap<AlertKind, Alert> {
        &self.active
    }

    /// A transaction was submitted here after the block at `height`; `refusal` says why the mempool did not take it.
    pub(super) fn on_submit(
        &mut self,
        signed: &SignedTransaction,
        refusal: Option<&dyn std::fmt::Display>,
        height: BlockHeight,
    ) {
        let (id, checked) = (signed.checked().id(), signed.checked());
        let Ok(transaction) = checked.transaction() else { return };
        if checked.signer() != self.own || transaction.call.signer() != SignerKey::Node {
            return;
        }
        let call = name(&transaction.call);
        match refusal {
            Some(why) => self.refused(&call, why, height),
            None if self.watched.len() < MAX_WATCHED => {
                self.watched.insert(id, Watched { call, since: height });
            }
            None => {}
        }
    }

    /// Many blocks were taken at once: this node was away.
    pub(super) const fn on_catch_up(&mut self) {
        self.live_blocks = 0;
    }

    /// A block was committed.
    pub(super) fn on_block<O, P>(&mut self, after: &AfterBlock<O, P>)
    where
        O: Fn(&Hash) -> Option<Event>,
        P: Fn(&Hash) -> bool,
    {
        let height = after.height;
        self.live_blocks = self.live_blocks.saturating_add(1);
        for (id, one) in std::mem::take(&mut self.watched) {
            let waited = height.0.saturating_sub(one.since.0);
            match (after.outcome)(&id) {
                Some(Event::Rejected { rejection, .. }) => self.refused(&one.call, &rejection, height),
                Some(_) => self.applied(&one.call),
                None if !(after.is_pending)(&id) => {
                    self.waiting(
                        &one.call,
                        &format!("expired or was replaced after {waited} blocks"),
                        height,
                    );
                }
                None => {
                    if waited >= WAITING_BLOCKS {
                        self.waiting(&one.call, &format!("waits for {waited} blocks"), height);
                    }
                    self.watched.insert(id, one);
                }
            }
        }
        self.check_votes(after.silent, height);
        // That about votes has just occurred again, or ended.
        self.active.retain(|_, alert| height.0.saturating_sub(alert.last.0) <= TRANSACTION_ALERT_BLOCKS);
    }

    /// A transaction of a kind was applied: what was wrong with the kind is over.
    fn applied(&mut self, call: &str) {
        self.active.retain(|_, alert| alert.call.as_deref() != Some(call));
    }

    fn refused(&mut self, call: &str, why: &dyn std::fmt::Display, height: BlockHeight) {
        let message = format!("a {call} transaction of this node was refused: {why}");
        let _ = self.raise(AlertKind::Refused, (Some(call.to_owned()), message), height);
    }

    fn waiting(&mut self, call: &str, how: &str, height: BlockHeight) {
        let message = format!(
            "a {call} transaction of this node {how}; a block should have it within {WAITING_BLOCKS}: see whether an \
             earlier nonce is missing, and whether this node reaches the other validators (nervure peers)"
        );
        let _ = self.raise(AlertKind::Waiting, (Some(call.to_owned()), message), height);
    }

    fn check_votes(&mut self, silent: Option<u64>, height: BlockHeight) {
        // Only what this process could have signed.
        let missed = silent.unwrap_or(0).min(self.live_blocks);
        if missed < UNSIGNED_HEIGHTS {
            self.active.remove(&AlertKind::Unsigned);
            return;
        }
        let message = format!(
            "this node is a validator, and its precommits for the last {} blocks were not counted: see whether it runs \
             with --role validator, whether it signs (nervure status), and whether the others hear it (nervure peers)",
            silent.unwrap_or(0)
        );
        let _ = self.raise(AlertKind::Unsigned, (None, message), height);
    }

    /// Begins an alert, or counts another occurrence of its cause. Returns whether it is logged.
    fn raise(
        &mut self,
        kind: AlertKind,
        (call, message): (Option<String>, String),
        height: BlockHeight,
    ) -> bool {
        let quiet = match self.active.get(&kind) {
            Some(_) => REPEAT_BLOCKS,
            None => QUIET_BLOCKS,
        };
        let (since, count) =
            self.active.get(&kind).map_or((height, 0), |active| (active.since, active.count));
        let alert = Alert { since, last: height, count: count.saturating_add(1), message, call };
        let logged = self.logged.get(&kind).is_none_or(|last| height.0.saturating_sub(last.0) >= quiet);
        if logged {
            self.logged.insert(kind, height);
            tracing::warn!(alert = kind.name(), %since, count = alert.count, "{}", alert.message);
        }
        self.active.insert(kind, alert);
        logged
    }
}

/// The name of a call on the wire.
fn name(call: &Call) -> String {
    match serde_json::to_value(call) {
        Ok(serde_json::Value::Object(fields)) => fields.keys().next().cloned().unwrap_or_default(),
        _ => "node".into(),
    }
}

#[cfg(test)]
mod tests;
