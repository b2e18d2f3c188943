//! The engine: one input in, an ordered list of effects out.
//!
//! [`Engine::handle`] is a function of the inputs so far: no clock, no randomness, no disk, no
//! socket. It owns the agreement core (`core`), which decides, and answers its questions: signing
//! goes through the [`Signer`], signatures are verified before a message is fed, and everything to
//! be remembered comes out as an effect before whatever depends on it.
//!
//! What a peer can make it do is bounded before a signature is looked at: messages of other
//! heights, of rounds more than [`ROUNDS_AHEAD`] away, by strangers, and duplicates cost a few
//! comparisons. What passes costs one verification, or one per validator for a certificate.

mod candidates;
mod certificate;
mod desk;
mod early;
mod hearing;
mod message;
mod outbox;
mod replay;
mod start;
mod timer;
mod value;

use std::{sync::Arc, time::Duration};

use nervure_primitives::{BlockHeight, NodeId};

use self::{candidates::Candidates, desk::Desk, early::Early, hearing::Hearing};
use super::{Effect, Input, Round, SignedVote, Signer, Timeouts, WalEntry, core};
use crate::checkpoint::{Quorum, ValidatorSet};

/// Messages more rounds ahead than this are dropped; round certificates are not, and bring a node
/// forward that missed more.
pub const ROUNDS_AHEAD: u32 = 10;

/// How an engine behaves.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How long timers run.
    pub timeouts: Timeouts,
    /// How long to listen for own signatures of an earlier life before the first signature.
    /// Longer is safer after a restored backup and slower after every restart; zero turns the
    /// protection off.
    pub listen: Duration,
    quorum: Quorum,
}

impl Config {
    /// For validators on one machine or in one data centre: listens for a second.
    pub const fn local() -> Self {
        Self::new(Timeouts::local(), Duration::from_secs(1))
    }

    /// For validators all over the world: listens for ten seconds, so that peers have sent what
    /// they have at least three times.
    pub const fn public() -> Self {
        Self::new(Timeouts::public(), Duration::from_secs(10))
    }

    /// An engine with these timers.
    pub const fn new(timeouts: Timeouts, listen: Duration) -> Self {
        Self { timeouts, listen, quorum: Quorum::TWO_THIRDS }
    }

    /// Decides with another quorum. **Unsafe**; only for the test that has to notice.
    #[cfg(any(test, feature = "simulation"))]
    pub const fn with_quorum(mut self, quorum: Quorum) -> Self {
        self.quorum = quorum;
        self
    }
}

/// What the engine cannot go on after. Stop the process: its state is no longer to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The write-ahead log leads to other votes than the ones it holds.
    #[error("the write-ahead log does not lead to the votes in it: {0}")]
    Diverged(String),
    /// The agreement core met a state that should not exist.
    #[error("the agreement core failed: {0}")]
    Core(String),
}

/// Decides heights, one after the other.
pub struct Engine {
    state: Option<core::State<core::Agreement>>,
    desk: Desk,
    current: Option<Current>,
    early: Early,
    candidates: Candidates,
    hearing: Hearing,
}

/// The height being decided.
struct Current {
    height: BlockHeight,
    validators: Arc<ValidatorSet>,
    members: core::Members,
    phase: Phase,
}

/// How far a height is.
enum Phase {
    /// Nothing is signed yet; messages are kept for when the core starts.
    Listening(Vec<WalEntry>),
    /// The core runs.
    Running,
    /// The decision is out, the next height has not started.
    Decided,
}

impl Engine {
    /// An engine that signs with `signer`. The first input has to be [`Input::Start`].
    pub fn new(config: Config, signer: Signer) -> Self {
        Self {
            state: None,
            hearing: Hearing::new(config.listen),
            desk: Desk::new(&config, signer),
            current: None,
            early: Early::default(),
            candidates: Candidates::default(),
        }
    }

    /// Takes one input and says what to do about it, in order.
    ///
    /// # Errors
    /// [`EngineError`] means that the process has to stop; nothing a peer sends leads there.
    pub fn handle(&mut self, input: Input) -> Result<Vec<Effect>, EngineError> {
        match input {
            Input::Start { height, validators, log } => self.on_start(height, validators, log)?,
            Input::Message { from, message } => self.on_message(from, message)?,
            Input::Elapsed(timer) => self.on_elapsed(timer)?,
            Input::Proposed { height, round, value } => self.on_proposed(height, round, value)?,
            Input::Validated { height, value, valid } => self.on_validated(height, value, valid)?,
            Input::OwnSignature { vote, began_here } => self.on_own_signature(vote, began_here),
            Input::Certificate { from, certificate } => self.on_certificate(from, certificate)?,
        }
        self.settle();
        Ok(self.desk.outbox.drain())
    }

    /// Whose engine it is.
    pub const fn node(&self) -> NodeId {
        self.desk.signer.node()
    }

    /// The signer, to look at.
    pub const fn signer(&self) -> &Signer {
        &self.desk.signer
    }

    /// The height and round it is in, once started.
    pub fn position(&self) -> Option<(BlockHeight, Round)> {
        let current = self.current.as_ref()?;
        let round = self.state.as_ref().map_or(Round(0), |state| core::round_of(state.round()));
        Some((current.height, round))
    }

    /// The votes of `node` at the current height that were heard, at most two per round: the
    /// answer to a restarted peer that asks for its own signatures.
    pub fn heard_from(&self, node: &NodeId) -> Vec<SignedVote> {
        let rounds = self.state.iter().flat_map(|state| state.driver.votes().all_rounds().values());
        let votes = rounds.flat_map(|round| round.received_votes()).map(core::vote_of);
        votes.filter(|vote| vote.signer == *node).collect()
    }

    /// Feeds the core, answering its questions on the way.
    fn feed(&mut self, input: core::Input<core::Agreement>) -> Result<(), EngineError> {
        let Some(state) = self.state.as_mut() else { return Ok(()) };
        self.desk.feed(state, input)
    }

    /// Whether messages can go to the core.
    fn is_running(&self) -> bool {
        self.current.as_ref().is_some_and(|current| matches!(current.phase, Phase::Running))
    }

    /// Ends an input: notes a decision, forgets what was trusted for this input only.
    fn settle(&mut self) {
        self.desk.trusted.clear();
        if let Some(round) = self.desk.take_decision() {
            self.desk.patience.learn(round);
            if let Some(current) = self.current.as_mut() {
                current.phase = Phase::Decided;
            }
        }
    }
}

#[cfg(test)]
mod tests;
