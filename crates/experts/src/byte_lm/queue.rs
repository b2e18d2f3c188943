//! The bounded queue between callers and a model's worker threads.
//!
//! A caller is never made to wait for a place: a full queue refuses with an estimate of when to come back. Requests whose
//! caller has gone are thrown out before the queue counts as full, so that cancelling frees the place at
//! once and not when a worker gets there.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::stream::Item;
use crate::{ExpertError, ExpertRequest};

/// Assumed length of a request before the first one has been measured.
const FIRST_GUESS: Duration = Duration::from_millis(500);
/// Bounds of the advice to come back.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(30));

/// One request and where its answer goes.
pub(super) struct Job {
    pub(super) request: ExpertRequest,
    pub(super) events: mpsc::Sender<Item>,
}

/// Handle to the queue; clones share it.
#[derive(Clone)]
pub(super) struct Queue {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    ready: Condvar,
    capacity: usize,
}

struct State {
    jobs: VecDeque<Job>,
    closed: bool,
    /// Running average of how long a request takes.
    typical: Duration,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        let state = State { jobs: VecDeque::with_capacity(capacity), closed: false, typical: FIRST_GUESS };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), ready: Condvar::new(), capacity }) }
    }

    /// A panicking worker leaves the state whole: every change to it is a single statement.
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a request.
    ///
    /// # Errors
    /// `Busy` when the queue is full, `Cancelled` when it is closed.
    pub(super) fn push(&self, job: Job) -> Result<(), ExpertError> {
        let mut state = self.state();
        if state.closed {
            return Err(ExpertError::Cancelled);
        }
        if state.jobs.len() >= self.shared.capacity {
            state.jobs.retain(|job| !job.events.is_closed());
        }
        if state.jobs.len() >= self.shared.capacity {
            let wait = state.typical.saturating_mul(u32::try_from(state.jobs.len()).unwrap_or(u32::MAX));
            return Err(ExpertError::Busy { retry_after: wait.clamp(RETRY.0, RETRY.1) });
        }
        state.jobs.push_back(job);
        self.shared.ready.notify_one();
        Ok(())
    }

    /// The next request whose caller still waits; blocks. `None` when the queue is closed.
    pub(super) fn pop(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            match state.jobs.pop_front() {
                Some(job) if job.events.is_closed() => {}
                Some(job) => return Some(job),
                None => {
                    state = self.shared.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Counts a finished request into the typical duration.
    pub(super) fn finished(&self, started: Instant) {
        let mut state = self.state();
        state.typical = (state.typical * 7 + started.elapsed()) / 8;
    }

    /// Whether [`Self::close`] was called.
    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Refuses what is queued and lets the workers end.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        for job in state.jobs.drain(..) {
            // The channel of a queued job is empty, so there is room.
            let _ = job.events.try_send(Err(ExpertError::Cancelled));
        }
        self.shared.ready.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExpertStream;

    fn job() -> (Job, ExpertStream) {
        let (events, stream) = ExpertStream::channel(1);
        (Job { request: ExpertRequest::Embed { inputs: vec![] }, events }, stream)
    }

    #[test]
    fn a_full_queue_is_busy_until_a_caller_leaves() {
        let queue = Queue::new(2);
        let (first, first_stream) = job();
        let (second, _second_stream) = job();
        queue.push(first).unwrap();
        queue.push(second).unwrap();
        let (third, _third_stream) = job();
        assert!(
            matches!(queue.push(third), Err(ExpertError::Busy { retry_after }) if retry_after >= RETRY.0)
        );
        drop(first_stream);
        let (fourth, _fourth_stream) = job();
        queue.push(fourth).unwrap();
    }

    #[test]
    fn requests_without_a_caller_are_not_handed_out() {
        let queue = Queue::new(4);
        let (gone, stream) = job();
        queue.push(gone).unwrap();
        drop(stream);
        let (waiting, _stream) = job();
        queue.push(waiting).unwrap();
        assert!(!queue.pop().unwrap().events.is_closed());
        assert!(queue.state().jobs.is_empty());
    }

    #[test]
    fn closing_ends_workers_and_callers() {
        let queue = Queue::new(1);
        let (waiting, _stream) = job();
        queue.push(waiting).unwrap();
        queue.close();
        assert!(queue.pop().is_none());
        let (late, _stream) = job();
        assert_eq!(queue.push(late), Err(ExpertError::Cancelled));
    }
}
