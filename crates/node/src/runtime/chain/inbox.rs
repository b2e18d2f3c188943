//! The inbox of the chain's thread: consensus first, then blocks, then transactions. The thread that verifies signatures has
//! one, too: transactions first, then those of peers in debt.
//!
//! Each lane is a bounded queue of its own, so that a flood of transactions takes no place from votes, and a vote
//! waits for at most one event of another lane. A lane that is never empty does not starve the lanes after it: after
//! [`TURN`] events of the lanes before it, the first event of a later lane is taken.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use parking_lot::{Condvar, Mutex};

/// Messages of consensus that wait: 64 validators send 130 in a round.
const MAX_CONSENSUS_MESSAGES: usize = 2_048;

/// Announced blocks that wait. Each has up to 4 MiB.
const MAX_BLOCKS: usize = 16;

/// Transactions that wait. Each has up to 8 KiB.
const MAX_TRANSACTIONS: usize = 2_048;

/// Transactions of peers in debt that wait.
const MAX_IN_DEBT: usize = 256;

/// After so many events in a row that passed a waiting one of a later lane, that one is taken.
const TURN: usize = 16;

/// What an event is about. The order is the order in which the thread takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Messages of consensus, and answers to this node's own requests.
    Consensus,
    /// Blocks that peers announce.
    Blocks,
    /// Transactions.
    Transactions,
    /// Transactions of peers that had many signatures verified for nothing ([`super::unfunded`]).
    InDebt,
}

const LANES: usize = 4;

impl Lane {
    /// Its name in metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Consensus => "consensus",
            Self::Blocks => "blocks",
            Self::Transactions => "transactions",
            Self::InDebt => "in_debt",
        }
    }

    /// Events that wait in it at most; answers to own requests come on top.
    const fn capacity(self) -> usize {
        match self {
            Self::Consensus => MAX_CONSENSUS_MESSAGES,
            Self::Blocks => MAX_BLOCKS,
            Self::Transactions => MAX_TRANSACTIONS,
            Self::InDebt => MAX_IN_DEBT,
        }
    }
}

/// Why an event was not put into the inbox; it comes back.
#[derive(Debug)]
pub(super) enum NotQueued<E> {
    /// Its lane is full.
    Full(E),
    /// The thread has ended.
    Closed(E),
}

/// What a thread that waits for events gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received<E> {
    /// The next event.
    Event(E),
    /// None came in time.
    Timeout,
    /// The inbox is closed.
    Closed,
}

struct Queues<E> {
    lanes: [VecDeque<E>; LANES],
    /// Events in a row that passed one of a later lane.
    passed: usize,
    is_closed: bool,
}

struct Shared<E> {
    queues: Mutex<Queues<E>>,
    came: Condvar,
}

/// Where events are put. Clones put them into the same inbox.
pub(super) struct Sender<E>(Arc<Shared<E>>);

impl<E> Clone for Sender<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Where the thread takes them. The inbox is closed when this is dropped.
pub(super) struct Inbox<E>(Arc<Shared<E>>);

/// An empty inbox.
pub(super) fn inbox<E>() -> (Sender<E>, Inbox<E>) {
    let lanes = std::array::from_fn(|_| VecDeque::new());
    let queues = Mutex::new(Queues { lanes, passed: 0, is_closed: false });
    let shared = Arc::new(Shared { queues, came: Condvar::new() });
    (Sender(shared.clone()), Inbox(shared))
}

impl<E> Sender<E> {
    /// Puts an event at the end of its lane.
    ///
    /// # Errors
    /// When the lane is full, or the inbox is closed.
    pub(super) fn send(&self, lane: Lane, event: E) -> Result<(), NotQueued<E>> {
        self.put(lane, event, lane.capacity())
    }

    /// Puts the answer to a request of this node at the end of the first lane, which always has room for it: the node
    /// has few requests at a time, and a peer that fills the lane must not make it lose their answers.
    pub(super) fn answer(&self, event: E) {
        // The thread may have ended: the answer is of no use then.
        let _ = self.put(Lane::Consensus, event, usize::MAX);
    }

    /// Closes the inbox; what waits in it is dropped.
    pub(super) fn close(&self) {
        self.0.close();
    }

    fn put(&self, lane: Lane, event: E, most: usize) -> Result<(), NotQueued<E>> {
        let mut queues = self.0.queues.lock();
        if queues.is_closed {
            return Err(NotQueued::Closed(event));
        }
        let queue = &mut queues.lanes[lane as usize];
        if queue.len() >= most {
            return Err(NotQueued::Full(event));
        }
        queue.push_back(event);
        drop(queues);
        self.0.came.notify_one();
        Ok(())
    }
}

impl<E> Inbox<E> {
    /// Waits until `deadline` for the next event.
    pub(super) fn receive(&self, deadline: Instant) -> Received<E> {
        let mut queues = self.0.queues.lock();
        loop {
            if queues.is_closed {
                return Received::Closed;
            }
            if let Some(event) = queues.take() {
                return Received::Event(event);
            }
            if self.0.came.wait_until(&mut queues, deadline).timed_out() {
                // An event may have come together with the deadline.
                return queues.take().map_or(Received::Timeout, Received::Event);
            }
        }
    }
}

impl<E> Drop for Inbox<E> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<E> Shared<E> {
    fn close(&self) {
        let mut queues = self.queues.lock();
        queues.is_closed = true;
        // A sender that waits for the reply to one of these learns now that there will be none.
        let dropped = std::mem::replace(&mut queues.lanes, std::array::from_fn(|_| VecDeque::new()));
        drop(queues);
        drop(dropped);
        self.came.notify_all();
    }
}

impl<E> Queues<E> {
    fn take(&mut self) -> Option<E> {
        let waiting = |lane: &usize| !self.lanes[*lane].is_empty();
        let first = (0..LANES).find(waiting)?;
        let later = (first + 1..LANES).find(waiting);
        let lane = match later {
            None => {
                self.passed = 0;
                first
            }
            Some(later) if self.passed >= TURN => {
                self.passed = 0;
                later
            }
            Some(_) => {
                self.passed += 1;
                first
            }
        };
        self.lanes[lane].pop_front()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn in_a_minute() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    fn all(inbox: &Inbox<u32>) -> Vec<u32> {
        let now = Instant::now();
        std::iter::from_fn(|| match inbox.receive(now) {
            Received::Event(event) => Some(event),
            Received::Timeout | Received::Closed => None,
        })
        .collect()
    }

    #[test]
    fn a_vote_waits_for_no_transaction_that_came_before_it() {
        let (sender, inbox) = inbox();
        (0..100).for_each(|event| sender.send(Lane::Transactions, event).unwrap());
        sender.send(Lane::Blocks, 200).unwrap();
        sender.send(Lane::Consensus, 300).unwrap();
        sender.answer(301);
        assert_eq!(all(&inbox)[..4], [300, 301, 200, 0]);
        // One queue for all, as it was: the vote comes last.
        let (sender, inbox) = super::inbox();
        (0..100).chain([300]).for_each(|event| sender.send(Lane::Transactions, event).unwrap());
        assert_eq!(all(&inbox).last(), Some(&300));
    }

    #[test]
    fn a_lane_that_is_always_full_does_not_starve_the_others() {
        let (sender, inbox) = inbox();
        for event in 0..100 {
            sender.send(Lane::Consensus, event).unwrap();
        }
        sender.send(Lane::Transactions, 1_000).unwrap();
        sender.send(Lane::Transactions, 1_001).unwrap();
        let order = all(&inbox);
        let place = |event| order.iter().position(|at| *at == event).unwrap();
        assert_eq!((place(1_000), place(1_001)), (TURN, 2 * TURN + 1));
    }

    #[test]
    fn what_peers_in_debt_send_waits_for_what_others_send_and_is_dropped_first() {
        let (sender, inbox) = inbox();
        let junk = (0..1_000).filter(|event| sender.send(Lane::InDebt, *event).is_ok()).count();
        assert_eq!(junk, MAX_IN_DEBT);
        (2_000..2_010).for_each(|event| sender.send(Lane::Transactions, event).unwrap());
        let order = all(&inbox);
        assert_eq!(order[..10], (2_000..2_010).collect::<Vec<_>>());
        assert_eq!(order.len(), 10 + MAX_IN_DEBT, "and verified when there is time");
        // One queue for all: the others wait for all of it, and may find no place.
        let (sender, inbox) = super::inbox();
        (0..1_000).chain(2_000..2_010).for_each(|event| sender.send(Lane::Transactions, event).unwrap());
        assert_eq!(all(&inbox)[999], 999);
    }

    #[test]
    fn a_full_lane_takes_no_place_from_another_and_loses_no_answer() {
        let (sender, inbox) = inbox();
        let put = |lane| (0..5_000).filter(|event| sender.send(lane, *event).is_ok()).count();
        let counts = [Lane::Transactions, Lane::Blocks, Lane::Consensus].map(put);
        assert_eq!(counts, [MAX_TRANSACTIONS, MAX_BLOCKS, MAX_CONSENSUS_MESSAGES]);
        sender.answer(9_999);
        assert!(all(&inbox).contains(&9_999));
        sender.send(Lane::Transactions, 1).unwrap();
    }

    #[test]
    fn a_closed_inbox_drops_what_waits_and_wakes_the_thread() {
        let (sender, inbox) = inbox();
        let waiting = std::thread::spawn(move || inbox.receive(in_a_minute()));
        sender.close();
        assert_eq!(waiting.join().unwrap(), Received::Closed);
        assert!(matches!(sender.send(Lane::Consensus, 1), Err(NotQueued::Closed(1))));
        let (sender, dropped) = super::inbox();
        let reply = Arc::new(());
        sender.send(Lane::Transactions, reply.clone()).unwrap();
        drop(dropped);
        assert_eq!(Arc::strong_count(&reply), 1);
        assert!(sender.send(Lane::Consensus, reply).is_err());
    }

    #[test]
    fn the_thread_wakes_up_for_an_event() {
        let (sender, inbox) = inbox();
        let waiting = std::thread::spawn(move || inbox.receive(in_a_minute()));
        sender.send(Lane::Blocks, 7).unwrap();
        assert_eq!(waiting.join().unwrap(), Received::Event(7));
        let (_sender, inbox) = super::inbox::<u32>();
        assert_eq!(inbox.receive(Instant::now()), Received::Timeout);
    }
}
