//! The driver of an engine: takes inputs and performs the effects in order.
//!
//! A [`Host`] performs single effects. A [`Driver`] performs them in the engine's order and performs
//! none after the first that fails: an engine whose effects were dropped assumes state that is not
//! on disk.

use super::{Effect, Engine, EngineError, Input, MessageError, Synchrony};

/// Performs effects. An effect that takes time is only started, and its result comes back as an
/// [`Input`]. Only [`Effect::Sync`] is complete when [`perform`](Self::perform) returns.
pub trait Host {
    /// Why an effect could not be performed.
    type Error: std::error::Error;

    /// Performs an effect.
    ///
    /// # Errors
    /// When the node must stop. No later effect is performed.
    fn perform(&mut self, effect: Effect) -> Result<(), Self::Error>;
}

/// Why a driver stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError<E: std::error::Error> {
    /// The engine failed.
    #[error(transparent)]
    Engine(EngineError),
    /// An effect failed.
    #[error("an effect could not be performed: {0}")]
    Host(E),
    /// An earlier input failed. Restart the process.
    #[error("stopped by an earlier failure")]
    Stopped,
}

/// An engine and the host that performs its effects.
pub struct Driver<H> {
    engine: Engine,
    host: H,
    stopped: bool,
}

impl<H: Host> Driver<H> {
    /// A driver of `engine` on `host`.
    pub const fn new(engine: Engine, host: H) -> Self {
        Self { engine, host, stopped: false }
    }

    /// Handles one input and performs its effects. Returns why the engine did not use the message or certificate
    /// that the input brought ([`Effect::Refused`]); none when it used it, and for every other input.
    ///
    /// # Errors
    /// The first failure, and from then on [`DriverError::Stopped`].
    pub fn handle(&mut self, input: Input) -> Result<Option<MessageError>, DriverError<H::Error>> {
        // Stopped until proven otherwise: an early return leaves it so.
        if std::mem::replace(&mut self.stopped, true) {
            return Err(DriverError::Stopped);
        }
        let effects = self.engine.handle(input).map_err(DriverError::Engine)?;
        let mut refusal = None;
        for effect in effects {
            if let Effect::Refused { reason, .. } = &effect {
                refusal = Some(reason.clone());
            }
            // The order is the safety argument: appends and the signer's record, then the sync, then what
            // is sent.
            self.host.perform(effect).map_err(DriverError::Host)?;
        }
        // All effects are performed, so the state that the engine assumes is the state on disk.
        self.stopped = false;
        Ok(refusal)
    }

    /// The engine.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// From the next input on, blocks are timely within `synchrony`.
    pub const fn set_synchrony(&mut self, synchrony: Synchrony) {
        self.engine.set_synchrony(synchrony);
    }

    /// The host.
    pub const fn host(&mut self) -> &mut H {
        &mut self.host
    }

    /// Returns the host, for a restart.
    pub fn into_host(self) -> H {
        self.host
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use nervure_primitives::{BlockHeight, MeshId, NodeKey, UnixMillis};

    use super::*;
    use crate::{
        bft::{Config, Signer, SignerRecord, Timeouts},
        checkpoint::ValidatorSet,
    };

    /// A disk without space.
    #[derive(Default)]
    struct FullDisk(Vec<Effect>);

    impl Host for FullDisk {
        type Error = std::io::Error;

        fn perform(&mut self, effect: Effect) -> Result<(), Self::Error> {
            let fails = matches!(effect, Effect::Sync);
            self.0.push(effect);
            if fails { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }
    }

    #[test]
    fn sends_nothing_after_a_failed_sync() {
        let (key, mesh) = (NodeKey::from_seed(&[1; 32]), MeshId::from_bytes([3; 32]));
        let validators = Arc::new(ValidatorSet::from_stakes([(key.node_id(), 1)]).unwrap());
        let signer = Signer::new(key, mesh, SignerRecord::default());
        let engine = Engine::new(Config::new(Timeouts::local(), Duration::ZERO), signer);
        let mut driver = Driver::new(engine, FullDisk::default());
        driver
            .handle(Input::Start {
                height: BlockHeight(1),
                validators,
                silent: Default::default(),
                log: Vec::new(),
                now: UnixMillis(0),
            })
            .unwrap();
        let (height, round) = driver.engine().position().unwrap();
        let value = nervure_primitives::Hash::of("v", &[]);
        let proposed = Input::Proposed { height, round, value };
        assert!(matches!(driver.handle(proposed.clone()), Err(DriverError::Host(_))));
        assert!(matches!(driver.handle(proposed), Err(DriverError::Stopped)));
        assert!(driver.into_host().0.iter().all(|effect| !matches!(effect, Effect::Broadcast(_))));
    }
}
