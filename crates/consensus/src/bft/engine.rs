//! The engine: one input in, an ordered list of effects out.
//!
//! [`Engine::handle`] is a function of the inputs so far: no clock, no randomness, no disk, no
//! socket. It owns the agreement core (`core`), which decides, and answers the core's questions:
//! the [`Signer`] signs, signatures are verified before a message is fed to the core, and what has
//! to be durable is emitted as an effect before anything that depends on it.
//!
//! A peer's message is bounded before its signature is checked: messages of other heights, of
//! rounds more than [`MAX_ROUNDS_AHEAD`] ahead, by unknown signers, and duplicates cost a few
//! comparisons. A message that passes costs one verification, or one per validator for a
//! certificate.

mod amnesia;
mod candidates;
mod certificate;
mod config;
mod core_adapter;
mod double_sign_guard;
mod effect_buffer;
mod error;
mod future_messages;
mod late_precommits;
mod message;
mod own_signature;
mod replay;
mod start;
mod timeliness;
mod timer;
mod value;

use std::sync::Arc;

use nervure_primitives::{BlockHeight, NodeId, UnixMillis};

use self::{
    candidates::Candidates, core_adapter::CoreAdapter, double_sign_guard::DoubleSignGuard,
    future_messages::FutureMessages, late_precommits::LatePrecommits, start::ValidatorOrder,
    timeliness::EarlyProposals,
};
pub use self::{config::Config, error::EngineError};
use super::{Effect, Input, Round, SignedVote, Signer, Synchrony, WalEntry, core};
use crate::checkpoint::ValidatorSet;

/// Votes and proposals more rounds ahead than this are dropped. Round certificates are not: they
/// bring a node forward that missed more rounds.
pub const MAX_ROUNDS_AHEAD: u32 = 10;

/// Decides heights, one after the other.
pub struct Engine {
    /// The core's state; none before the first height runs.
    state: Option<core::State<core::BftContext>>,
    adapter: CoreAdapter,
    current: Option<CurrentHeight>,
    future_messages: FutureMessages,
    candidates: Candidates,
    early: EarlyProposals,
    synchrony: Synchrony,
    /// Always, except in the test that shows why.
    checks_time: bool,
    guard: DoubleSignGuard,
}

/// The height being decided.
struct CurrentHeight {
    height: BlockHeight,
    validators: Arc<ValidatorSet>,
    members: core::CoreValidatorSet,
    phase: Phase,
    /// Our clock when the height started.
    started: UnixMillis,
}

/// The phases of a height.
enum Phase {
    /// Nothing is signed yet. The log waits for the core to start; messages wait in
    /// [`FutureMessages`].
    Listening(Vec<WalEntry>),
    /// The core runs.
    Running,
    /// The decision is emitted and the next height has not started.
    Decided(LatePrecommits),
}

impl Engine {
    /// An engine that signs with `signer`. The first input has to be [`Input::Start`].
    pub fn new(config: Config, signer: Signer) -> Self {
        Self {
            state: None,
            guard: DoubleSignGuard::new(config.listen),
            adapter: CoreAdapter::new(&config, signer),
            current: None,
            future_messages: FutureMessages::default(),
            candidates: Candidates::default(),
            early: EarlyProposals::default(),
            synchrony: config.synchrony,
            checks_time: config.checks_time,
        }
    }

    /// Handles one input and returns the effects to perform, in order.
    ///
    /// # Errors
    /// [`EngineError`] means that the process has to stop. No message of a peer causes it.
    pub fn handle(&mut self, input: Input) -> Result<Vec<Effect>, EngineError> {
        match input {
            Input::Start { height, validators, silent, log, now } => {
                self.on_start(ValidatorOrder { height, validators, silent }, log, now)?;
            }
            Input::Message { from, message, at } => self.on_message(from, message, at)?,
            Input::Elapsed(timer) => self.on_elapsed(timer)?,
            Input::Proposed { height, round, value } => self.on_proposed(height, round, value)?,
            Input::Validated { height, value, stamp } => self.on_validated(height, value, stamp)?,
            Input::OwnSignature { vote, began_here } => self.on_own_signature(vote, began_here),
            Input::Certificate { from, certificate } => self.on_certificate(from, certificate)?,
        }
        self.release_early_proposals()?;
        // Before the drain, and not reached on an error: a failed engine is not used again.
        self.finish_input();
        Ok(self.adapter.effects.drain())
    }

    /// The node that it signs for.
    pub const fn node(&self) -> NodeId {
        self.adapter.signer.node()
    }

    /// From now on, blocks are timely within `synchrony`: a mesh can change it between two heights.
    pub const fn set_synchrony(&mut self, synchrony: Synchrony) {
        self.synchrony = synchrony;
    }

    /// The signer.
    pub const fn signer(&self) -> &Signer {
        &self.adapter.signer
    }

    /// The current height and round, once started.
    pub fn position(&self) -> Option<(BlockHeight, Round)> {
        let current = self.current.as_ref()?;
        let round = self.state.as_ref().map_or(Round(0), |state| core::round_of(state.round()));
        Some((current.height, round))
    }

    /// The votes of `node` that were received at the current height, at most two per round. A
    /// restarted peer asks for them, to learn its own earlier signatures.
    pub fn votes_by(&self, node: &NodeId) -> Vec<SignedVote> {
        // The core keeps votes of all rounds of the height: a restarted peer may lack one of an early
        // round.
        let rounds = self.state.iter().flat_map(|state| state.driver.votes().all_rounds().values());
        let votes = rounds.flat_map(|round| round.received_votes()).map(core::vote_of);
        votes.filter(|vote| vote.signer == *node).collect()
    }

    /// Runs the core on one input.
    fn feed(&mut self, input: core::Input<core::BftContext>) -> Result<(), EngineError> {
        let Some(state) = self.state.as_mut() else { return Ok(()) };
        self.adapter.feed(state, input)
    }

    /// Whether the core accepts messages of the current height.
    fn is_running(&self) -> bool {
        self.current.as_ref().is_some_and(|current| matches!(current.phase, Phase::Running))
    }

    /// Ends an input: takes over a decision and forgets which statements this input verified.
    fn finish_input(&mut self) {
        // Only for this input. A list that survives would grow with every message of a peer.
        self.adapter.verified.clear();
        if let Some(certificate) = self.adapter.take_decision() {
            self.adapter.backoff.learn(certificate.round);
            if let Some(current) = self.current.as_mut() {
                current.phase = Phase::Decided(LatePrecommits::after(&certificate, &current.validators));
            }
        }
    }
}

#[cfg(test)]
mod tests;
