//! The loop around an engine: inputs in, effects performed in order, nothing after a failure.
//!
//! A [`Host`] performs effects; a [`Driver`] makes sure that they are performed as the engine
//! lists them, and that after the first one that fails nothing more is done at all: an engine
//! whose effects were dropped believes things that are not on disk.

use super::{Effect, Engine, EngineError, Input};

/// Performs effects. None of them waits for an answer: what takes time is begun, and its result
/// comes back as an [`Input`]. [`Effect::Sync`] alone is over when this returns.
pub trait Host {
    /// Why an effect could not be performed.
    type Error: std::error::Error;

    /// Performs an effect.
    ///
    /// # Errors
    /// When the node must stop: nothing of what follows will be performed.
    fn perform(&mut self, effect: Effect) -> Result<(), Self::Error>;
}

/// Why a driver stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError<E: std::error::Error> {
    /// The engine cannot go on.
    #[error(transparent)]
    Engine(EngineError),
    /// An effect failed.
    #[error("an effect could not be performed: {0}")]
    Host(E),
    /// It stopped before; the process has to be started again.
    #[error("stopped by an earlier failure")]
    Stopped,
}

/// An engine with its host.
pub struct Driver<H> {
    engine: Engine,
    host: H,
    stopped: bool,
}

impl<H: Host> Driver<H> {
    /// Puts the two together.
    pub const fn new(engine: Engine, host: H) -> Self {
        Self { engine, host, stopped: false }
    }

    /// Handles one input completely.
    ///
    /// # Errors
    /// The first failure, and from then on [`DriverError::Stopped`].
    pub fn handle(&mut self, input: Input) -> Result<(), DriverError<H::Error>> {
        if std::mem::replace(&mut self.stopped, true) {
            return Err(DriverError::Stopped);
        }
        let effects = self.engine.handle(input).map_err(DriverError::Engine)?;
        for effect in effects {
            self.host.perform(effect).map_err(DriverError::Host)?;
        }
        self.stopped = false;
        Ok(())
    }

    /// The engine, to look at.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The host.
    pub const fn host(&mut self) -> &mut H {
        &mut self.host
    }

    /// Takes the host back, for a restart.
    pub fn into_host(self) -> H {
        self.host
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use nervure_primitives::{BlockHeight, MeshId, NodeKey};

    use super::*;
    use crate::{
        bft::{Config, Signer, SignerRecord, Timeouts},
        checkpoint::ValidatorSet,
    };

    /// A disk that is full from the start.
    #[derive(Default)]
    struct Full(Vec<Effect>);

    impl Host for Full {
        type Error = std::io::Error;

        fn perform(&mut self, effect: Effect) -> Result<(), Self::Error> {
            let full = matches!(effect, Effect::Sync);
            self.0.push(effect);
            if full { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }
    }

    #[test]
    fn nothing_leaves_after_a_failed_sync() {
        let (key, mesh) = (NodeKey::from_seed(&[1; 32]), MeshId::from_bytes([3; 32]));
        let validators = Arc::new(ValidatorSet::from_stakes([(key.node_id(), 1)]).unwrap());
        let signer = Signer::new(key, mesh, SignerRecord::default());
        let engine = Engine::new(Config::new(Timeouts::local(), Duration::ZERO), signer);
        let mut driver = Driver::new(engine, Full::default());
        driver.handle(Input::Start { height: BlockHeight(1), validators, log: Vec::new() }).unwrap();
        let (height, round) = driver.engine().position().unwrap();
        let value = nervure_primitives::Hash::of("v", &[]);
        let proposed = Input::Proposed { height, round, value };
        assert!(matches!(driver.handle(proposed.clone()), Err(DriverError::Host(_))));
        assert!(matches!(driver.handle(proposed), Err(DriverError::Stopped)));
        assert!(driver.into_host().0.iter().all(|effect| !matches!(effect, Effect::Broadcast(_))));
    }
}
