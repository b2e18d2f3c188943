//! The places of an expert, and who gets them: validators and askers with stake before free keys.
//!
//! A place is a worker of a built-in model, or a request to an upstream. See [`nervure_protocol::fair_places`] for how they
//! are shared, and `docs/decisions/0057-admission-by-class.md` for why.

use std::{num::NonZeroUsize, time::Duration};

use nervure_api::{NoPlace, Place, Places, Waiting};
use nervure_primitives::NodeId;
use nervure_protocol::{
    AskerClass, AskerStanding,
    fair_places::{Applicant, ClassRules},
};

/// Questions of one class that may wait for an expert. A longer queue makes askers wait when they could ask another expert.
const MAX_WAITING: usize = 16;

/// After so long, a free key's answer is stopped for a validator or an asker with stake that waits.
const DISPLACE_TIMEOUT: Duration = Duration::from_secs(2);

/// A place of an expert.
pub(super) type ExpertPlace = Place<NodeId>;

/// The places of an expert. Clones share them.
#[derive(Clone)]
pub(crate) struct ExpertPlaces(Places<NodeId>);

impl ExpertPlaces {
    /// So many places.
    pub(crate) fn new(places: NonZeroUsize) -> Self {
        Self(Places::new(places, AskerClass::ALL.map(rules)))
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// When too many of its class wait, or none is free in time.
    pub(super) async fn take(&self, from: NodeId, standing: AskerStanding) -> Result<ExpertPlace, NoPlace> {
        let AskerStanding { class, weight } = standing;
        self.0.take(Applicant { class: class as usize, flow: from, weight }, waiting(class)).await
    }
}

fn rules(class: AskerClass) -> ClassRules {
    ClassRules { weight: class.weight(), waiting: MAX_WAITING, yields: class.is_free() }
}

/// The higher the class, the longer it may hold a place in the queue. All are shorter than what a user waits for.
fn waiting(class: AskerClass) -> Waiting {
    let seconds = match class {
        AskerClass::Stranger => 3,
        AskerClass::Registered => 5,
        AskerClass::Staked | AskerClass::Validator => 10,
    };
    Waiting { at_most: Duration::from_secs(seconds), patience: DISPLACE_TIMEOUT }
}
