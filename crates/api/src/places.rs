//! Waits for a place: [`FairPlaces`] with the clock of tokio's runtime, and a wake-up for the work whose turn it is.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use nervure_protocol::fair_places::{Applicant, ClassRules, FairPlaces, Ticket};
use parking_lot::Mutex;
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

/// The current moment of the runtime's clock, which tests may stop.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Bounds of the time after which an asker without a place is told to come back.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(100);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(30);

/// Places that are shared by weight. Clones share them.
#[derive(Debug)]
pub struct Places<F: Ord + Clone>(Arc<Mutex<State<F>>>);

impl<F: Ord + Clone> Clone for Places<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// How long to wait for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// At most.
    pub at_most: Duration,
    /// After so long, work of a class that yields is told to stop for this.
    pub patience: Duration,
}

/// There is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no place is free; try again in {} ms", retry_after.as_millis())]
pub struct NoPlace {
    /// An estimate of when there will be one.
    pub retry_after: Duration,
}

#[derive(Debug)]
struct State<F> {
    fair: FairPlaces<F>,
    /// Told when their turn comes; dropped when they lost their place in the queue.
    waiting: BTreeMap<Ticket, oneshot::Sender<()>>,
    /// Told when they have to stop.
    working: BTreeMap<Ticket, oneshot::Sender<()>>,
}

/// A place, or a place in the queue; given back on drop.
#[derive(Debug)]
pub struct Place<F: Ord + Clone> {
    places: Places<F>,
    ticket: Ticket,
    displaced: oneshot::Receiver<()>,
}

impl<F: Ord + Clone> Places<F> {
    /// Free places, and the rules of the classes in ascending order.
    pub fn new(places: NonZeroUsize, rules: impl IntoIterator<Item = ClassRules>) -> Self {
        let fair = FairPlaces::new(places, rules);
        Self(Arc::new(Mutex::new(State { fair, waiting: BTreeMap::new(), working: BTreeMap::new() })))
    }

    /// Waits for a place. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// When too much of the class waits, or none is free in time.
    pub async fn take(&self, applicant: Applicant<F>, waiting: Waiting) -> Result<Place<F>, NoPlace> {
        let class = applicant.class;
        let (place, mut turn) = self.join(applicant)?;
        let has_turn = async {
            tokio::select! {
                biased;
                turn = &mut turn => return turn.is_ok(),
                () = sleep(waiting.patience) => place.displace_other(),
            }
            turn.await.is_ok()
        };
        match timeout(waiting.at_most, has_turn).await {
            Ok(true) => Ok(place),
            Ok(false) | Err(_) => Err(self.none(class)),
        }
    }

    /// Joins the queue; the receiver is told when it is this one's turn.
    fn join(&self, applicant: Applicant<F>) -> Result<(Place<F>, oneshot::Receiver<()>), NoPlace> {
        let class = applicant.class;
        let (tell, turn) = oneshot::channel();
        let (stop, displaced) = oneshot::channel();
        let mut state = self.0.lock();
        let Ok(added) = state.fair.add(applicant, now()) else {
            drop(state);
            return Err(self.none(class));
        };
        if let Some(lost) = added.displaced {
            state.waiting.remove(&lost);
            state.working.remove(&lost);
        }
        state.waiting.insert(added.ticket, tell);
        state.working.insert(added.ticket, stop);
        state.grant();
        drop(state);
        Ok((Place { places: self.clone(), ticket: added.ticket, displaced }, turn))
    }

    fn none(&self, class: usize) -> NoPlace {
        let estimate = self.0.lock().fair.estimate(class);
        NoPlace { retry_after: estimate.clamp(MIN_RETRY_DELAY, MAX_RETRY_DELAY) }
    }

    /// Work that has a place.
    pub fn working(&self) -> usize {
        self.0.lock().fair.working()
    }
}

impl<F: Ord + Clone> State<F> {
    /// Gives free places to those whose turn it is.
    fn grant(&mut self) {
        let at = now();
        while let Some(ticket) = self.fair.next(at) {
            // One that has just stopped waiting gives its place back when it is dropped.
            let _ = self.waiting.remove(&ticket).map(|tell| tell.send(()));
        }
    }
}

impl<F: Ord + Clone> Place<F> {
    /// Waits until this work has to stop, because others with a right to the place wait; otherwise for ever.
    pub async fn displaced(&mut self) {
        if (&mut self.displaced).await.is_err() {
            std::future::pending().await
        }
    }

    fn displace_other(&self) {
        let mut state = self.places.0.lock();
        if let Some(other) = state.fair.displace(self.ticket)
            && let Some(stop) = state.working.remove(&other)
        {
            // Fails only when it has ended just now.
            let _ = stop.send(());
        }
    }
}

impl<F: Ord + Clone> Drop for Place<F> {
    fn drop(&mut self) {
        let mut state = self.places.0.lock();
        state.fair.remove(self.ticket, now());
        state.waiting.remove(&self.ticket);
        state.working.remove(&self.ticket);
        state.grant();
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use futures::FutureExt;
    use nervure_protocol::AskerClass;

    use super::*;

    const WAIT: Waiting = Waiting { at_most: Duration::from_secs(60), patience: Duration::from_secs(2) };

    fn places(waiting: usize) -> Places<u32> {
        let rules = AskerClass::ALL.map(|class| ClassRules {
            weight: class.weight(),
            waiting,
            yields: class.is_free(),
        });
        Places::new(NonZeroUsize::MIN, rules)
    }

    fn applicant(class: AskerClass) -> Applicant<u32> {
        Applicant { class: class as usize, flow: 0, weight: NonZeroU32::MIN }
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_handed_on_when_it_is_dropped() {
        let places = places(4);
        let held = places.take(applicant(AskerClass::Stranger), WAIT).await.unwrap();
        let mut next = Box::pin(places.take(applicant(AskerClass::Stranger), WAIT));
        assert!((&mut next).now_or_never().is_none());
        drop(held);
        assert!(next.await.is_ok());
        assert_eq!(places.working(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_stops_for_a_validator_that_has_waited() {
        let places = places(4);
        let mut held = places.take(applicant(AskerClass::Stranger), WAIT).await.unwrap();
        let waiting = places.clone();
        let validator =
            tokio::spawn(async move { waiting.take(applicant(AskerClass::Validator), WAIT).await });
        let began = tokio::time::Instant::now();
        held.displaced().await;
        assert_eq!(began.elapsed(), WAIT.patience);
        drop(held);
        assert!(validator.await.unwrap().is_ok());
        // The variant: a validator's own work is not stopped.
        let mut held = places.take(applicant(AskerClass::Validator), WAIT).await.unwrap();
        let short = Waiting { at_most: Duration::from_secs(10), ..WAIT };
        let mut other = Box::pin(places.take(applicant(AskerClass::Validator), short));
        tokio::select! {
            () = held.displaced() => panic!("a validator was stopped"),
            refused = &mut other => assert!(refused.is_err(), "its deadline came first"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_leaves_or_is_late_frees_its_place_in_the_queue() {
        let places = places(1);
        let held = places.take(applicant(AskerClass::Staked), WAIT).await.unwrap();
        let mut waiting = Box::pin(places.take(applicant(AskerClass::Staked), WAIT));
        assert!((&mut waiting).now_or_never().is_none());
        let full = places.take(applicant(AskerClass::Staked), WAIT).await.unwrap_err();
        assert!(full.retry_after >= MIN_RETRY_DELAY);
        drop(waiting);
        let short = Waiting { at_most: Duration::from_millis(5), ..WAIT };
        assert!(places.take(applicant(AskerClass::Staked), short).await.is_err());
        let mut next = Box::pin(places.take(applicant(AskerClass::Staked), WAIT));
        assert!((&mut next).now_or_never().is_none());
        drop(held);
        assert!(next.await.is_ok());
    }
}
