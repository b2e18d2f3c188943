//! Places for work that are shared by weight: between classes, and within a class between its askers.
//!
//! A place is a worker of a model, a request to an upstream, or a question that a gateway works on. Where places are free,
//! any class takes as many as it wants. Where work waits, the next free place goes to the class that has had least time for
//! its weight, and within it to the asker that has had least for its own (start-time fair queuing, Goyal et al. 1996, with
//! the time that was used instead of an estimate). A class or asker that was idle starts level with the others: it can
//! neither save time up nor be in debt for time that no other wanted.
//!
//! What a hostile asker can do: wait in numbers. The places to wait are counted for each class; where they are full, the
//! asker with most waiting loses its last one to an asker with fewer. It can also work for long: a class that *yields* is
//! told to stop for work of a class that does not, and has waited for long enough ([`FairPlaces::displace`]).
//!
//! No clock and no timer is in here: moments are arguments, so that a simulation can use its own.

use std::{
    collections::{BTreeMap, VecDeque},
    num::{NonZeroU32, NonZeroUsize},
    time::{Duration, Instant},
};

/// What every piece of work is charged at least: otherwise work that takes no time would be free.
const MIN_CHARGE: Duration = Duration::from_millis(1);

/// Part of a nanosecond in which time for a weight is counted, so that division by a weight loses little.
const PRECISION: u128 = 1 << 16;

/// The rules for a class of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassRules {
    /// Its share is this, relative to the sum of the weights of the classes that want places.
    pub weight: NonZeroU32,
    /// Pieces of work that may wait.
    pub waiting: usize,
    /// Whether its work may be stopped for that of a class that does not yield.
    pub yields: bool,
}

/// A piece of work that waits or has a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// Too much of its class waits already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too much is waiting already")]
pub struct QueueFull;

/// Who asks for a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applicant<F> {
    /// The number of its class, in the order of the rules.
    pub class: usize,
    /// Tells it apart from others of its class.
    pub flow: F,
    /// Its weight among them.
    pub weight: NonZeroU32,
}

/// A piece of work that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Its ticket.
    pub ticket: Ticket,
    /// The ticket of waiting work that lost its place to it.
    pub displaced: Option<Ticket>,
}

/// Places that are shared by weight. See the [module](self).
#[derive(Debug)]
pub struct FairPlaces<F> {
    places: NonZeroUsize,
    classes: Vec<Class<F>>,
    working: BTreeMap<Ticket, Work<F>>,
    waiting: BTreeMap<Ticket, Work<F>>,
    /// The level of the class that was served last, which idle classes start from.
    level: u128,
    next_ticket: u64,
    /// Running average of the time that a piece of work takes.
    typical: Duration,
}

#[derive(Debug)]
struct Class<F> {
    rules: ClassRules,
    /// Time that its finished work took, for its weight.
    used: u128,
    /// As [`FairPlaces::level`], of its flows.
    level: u128,
    /// Only flows that wait or work.
    flows: BTreeMap<F, Flow>,
    waiting: usize,
}

#[derive(Debug)]
struct Flow {
    weight: NonZeroU32,
    used: u128,
    working: usize,
    waiting: VecDeque<Ticket>,
}

#[derive(Debug)]
struct Work<F> {
    class: usize,
    flow: F,
    /// Since when it has its place; since when it waits.
    since: Instant,
    /// Whether it was told to stop.
    told: bool,
}

impl<F: Ord + Clone> FairPlaces<F> {
    /// Free places, and the rules of the classes in ascending order.
    pub fn new(places: NonZeroUsize, rules: impl IntoIterator<Item = ClassRules>) -> Self {
        let class = |rules| Class { rules, used: 0, level: 0, flows: BTreeMap::new(), waiting: 0 };
        Self {
            places,
            classes: rules.into_iter().map(class).collect(),
            working: BTreeMap::new(),
            waiting: BTreeMap::new(),
            level: 0,
            next_ticket: 0,
            typical: Duration::from_millis(500),
        }
    }

    /// Adds work that waits for a place. [`FairPlaces::next`] gives it one.
    ///
    /// # Errors
    /// When too much of its class waits, and no other asker of it has more waiting. Also for an unknown class.
    pub fn add(&mut self, applicant: Applicant<F>, now: Instant) -> Result<Admitted, QueueFull> {
        let Applicant { class: number, flow, weight } = applicant;
        let level = self.level;
        let class = self.classes.get_mut(number).ok_or(QueueFull)?;
        let displaced = class.room_for(&flow)?;
        if class.flows.is_empty() {
            class.used = class.used.max(level);
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let level = class.level;
        let new = || Flow { weight, used: level, working: 0, waiting: VecDeque::new() };
        let state = class.flows.entry(flow.clone()).or_insert_with(new);
        state.weight = weight;
        state.waiting.push_back(ticket);
        class.waiting += 1;
        self.waiting.insert(ticket, Work { class: number, flow, since: now, told: false });
        if let Some(lost) = displaced {
            self.remove(lost, now);
        }
        Ok(Admitted { ticket, displaced })
    }

    /// Gives the next free place to the work whose turn it is; none while no place is free or no work waits.
    pub fn next(&mut self, now: Instant) -> Option<Ticket> {
        if self.working.len() >= self.places.get() {
            return None;
        }
        let waiting = (0..self.classes.len()).filter(|number| self.classes[*number].waiting > 0);
        // Of equals, the higher class.
        let number = waiting.min_by_key(|number| (self.used_by_class(*number, now), usize::MAX - number))?;
        let level = self.used_by_class(number, now);
        self.level = self.level.max(level);
        let flow = self.flow_in_turn(number, now)?;
        let used = self.used_by_flow(number, &flow, now);
        let class = &mut self.classes[number];
        class.level = class.level.max(used);
        let state = class.flows.get_mut(&flow)?;
        let ticket = state.waiting.pop_front()?;
        state.working += 1;
        class.waiting -= 1;
        self.waiting.remove(&ticket);
        self.working.insert(ticket, Work { class: number, flow, since: now, told: false });
        Some(ticket)
    }

    /// Removes work that has ended, or that no longer waits.
    pub fn remove(&mut self, ticket: Ticket, now: Instant) {
        if let Some(work) = self.working.remove(&ticket) {
            let took = now.saturating_duration_since(work.since);
            self.typical = (self.typical * 7 + took) / 8;
            let class = &mut self.classes[work.class];
            let charge = took.max(MIN_CHARGE).as_nanos() * PRECISION;
            class.used += charge / u128::from(class.rules.weight.get());
            if let Some(flow) = class.flows.get_mut(&work.flow) {
                flow.working -= 1;
                flow.used += charge / u128::from(flow.weight.get());
            }
            class.forget_if_idle(&work.flow);
        } else if let Some(work) = self.waiting.remove(&ticket) {
            let class = &mut self.classes[work.class];
            if let Some(flow) = class.flows.get_mut(&work.flow) {
                flow.waiting.retain(|other| *other != ticket);
                class.waiting -= 1;
            }
            class.forget_if_idle(&work.flow);
        }
    }

    /// Work that has to stop because `ticket` has waited for long enough: of the lowest class that yields, the one that has
    /// worked longest. Each is named once. None where `ticket` does not wait, is of a class that yields itself, or no such
    /// work has a place.
    pub fn displace(&mut self, ticket: Ticket) -> Option<Ticket> {
        let waiting = self.waiting.get(&ticket)?;
        if self.classes[waiting.class].rules.yields {
            return None;
        }
        let yields = |work: &Work<F>| !work.told && self.classes[work.class].rules.yields;
        let candidates = self.working.iter().filter(|(_, work)| yields(work));
        let (chosen, _) = candidates.min_by_key(|(_, work)| (work.class, work.since))?;
        let chosen = *chosen;
        self.working.get_mut(&chosen)?.told = true;
        Some(chosen)
    }

    /// Work that has a place.
    pub fn working(&self) -> usize {
        self.working.len()
    }

    /// Work of a class that waits.
    pub fn waiting(&self, class: usize) -> usize {
        self.classes.get(class).map_or(0, |class| class.waiting)
    }

    /// An estimate of when work of `class` that is added now gets a place.
    pub fn estimate(&self, class: usize) -> Duration {
        let ahead = u32::try_from(self.waiting(class) + 1).unwrap_or(u32::MAX);
        self.typical.saturating_mul(ahead) / u32::try_from(self.places.get()).unwrap_or(u32::MAX)
    }

    /// The time that a class has used for its weight, with that of the work that has a place now.
    fn used_by_class(&self, number: usize, now: Instant) -> u128 {
        let class = &self.classes[number];
        let working = self.working.values().filter(|work| work.class == number);
        class.used + running(working, now) / u128::from(class.rules.weight.get())
    }

    fn used_by_flow(&self, number: usize, flow: &F, now: Instant) -> u128 {
        let Some(state) = self.classes[number].flows.get(flow) else { return 0 };
        let working = self.working.values().filter(|work| work.class == number && work.flow == *flow);
        state.used + running(working, now) / u128::from(state.weight.get())
    }

    /// The flow of a class whose turn it is: the one that has used least, and of equals the one that waits longest.
    fn flow_in_turn(&self, number: usize, now: Instant) -> Option<F> {
        let flows = self.classes[number].flows.iter();
        let waiting = flows.filter_map(|(flow, state)| Some((flow, *state.waiting.front()?)));
        let next = waiting.min_by_key(|(flow, first)| (self.used_by_flow(number, flow, now), *first))?;
        Some(next.0.clone())
    }
}

/// The time that work has had its places for.
fn running<'w, F: 'w>(work: impl Iterator<Item = &'w Work<F>>, now: Instant) -> u128 {
    let one = |work: &Work<F>| now.saturating_duration_since(work.since).max(MIN_CHARGE).as_nanos();
    work.map(one).sum::<u128>() * PRECISION
}

impl<F: Ord + Clone> Class<F> {
    /// Room for one more of `flow`: none has to leave, or the last of the flow with most waiting.
    fn room_for(&self, flow: &F) -> Result<Option<Ticket>, QueueFull> {
        if self.waiting < self.rules.waiting {
            return Ok(None);
        }
        let own = self.flows.get(flow).map_or(0, |flow| flow.waiting.len());
        let longest = self.flows.values().max_by_key(|flow| flow.waiting.len());
        let longest = longest.filter(|longest| longest.waiting.len() > own + 1).ok_or(QueueFull)?;
        longest.waiting.back().copied().map(Some).ok_or(QueueFull)
    }

    /// Forgets a flow that neither waits nor works, so that keys without end do not grow the table.
    fn forget_if_idle(&mut self, flow: &F) {
        if self.flows.get(flow).is_some_and(|state| state.working == 0 && state.waiting.is_empty()) {
            self.flows.remove(flow);
        }
    }
}

#[cfg(test)]
mod tests;
