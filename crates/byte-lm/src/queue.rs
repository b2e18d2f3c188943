//! The bounded queue between callers and a model's worker threads.
//!
//! A caller never waits for a place: a full queue refuses and estimates when a place will be free. Requests whose caller
//! has left are removed before the queue counts as full, so that cancelling frees a place at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nervure_experts::{ExpertError, ExpertItem};
use nervure_protocol::ExpertRequest;
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::mpsc;

/// Assumed duration of a request before the first one has been measured.
const INITIAL_REQUEST_DURATION: Duration = Duration::from_millis(500);
/// Bounds of the delay after which a refused caller may try again.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(50);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(30);

/// One request and the channel of its answer.
pub(crate) struct Job {
    pub(crate) request: ExpertRequest,
    pub(crate) events: mpsc::Sender<ExpertItem>,
}

/// Handle to the queue; clones share it.
#[derive(Clone)]
pub(crate) struct Queue {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<QueueState>,
    ready: Condvar,
    capacity: usize,
}

struct QueueState {
    jobs: VecDeque<Job>,
    closed: bool,
    /// Running average of the duration of a request.
    typical: Duration,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Self {
        let state = QueueState {
            jobs: VecDeque::with_capacity(capacity),
            closed: false,
            typical: INITIAL_REQUEST_DURATION,
        };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), ready: Condvar::new(), capacity }) }
    }

    /// Every change of the state is a single statement, so a panic of another thread leaves no half of one.
    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.shared.state.lock()
    }

    /// Queues a request.
    ///
    /// # Errors
    /// `Busy` when the queue is full, `Cancelled` when it is closed.
    pub(crate) fn push(&self, job: Job) -> Result<(), ExpertError> {
        let mut state = self.state();
        if state.closed {
            return Err(ExpertError::Cancelled);
        }
        if state.jobs.len() >= self.shared.capacity {
            state.jobs.retain(|job| !job.events.is_closed());
        }
        if state.jobs.len() >= self.shared.capacity {
            let delay = state.typical.saturating_mul(u32::try_from(state.jobs.len()).unwrap_or(u32::MAX));
            return Err(ExpertError::Busy { retry_after: delay.clamp(MIN_RETRY_DELAY, MAX_RETRY_DELAY) });
        }
        state.jobs.push_back(job);
        self.shared.ready.notify_one();
        Ok(())
    }

    /// Blocks until there is a request whose caller still waits. `None` when the queue is closed.
    pub(crate) fn pop(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            match state.jobs.pop_front() {
                Some(job) if job.events.is_closed() => {}
                Some(job) => return Some(job),
                None => self.shared.ready.wait(&mut state),
            }
        }
    }

    /// Counts a finished request into the typical duration.
    pub(crate) fn finished(&self, started: Instant) {
        let mut state = self.state();
        state.typical = (state.typical * 7 + started.elapsed()) / 8;
    }

    /// Whether [`Self::close`] was called.
    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Cancels the queued requests and ends the workers.
    pub(crate) fn close(&self) {
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
    use nervure_experts::ExpertStream;

    use super::*;

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
            matches!(queue.push(third), Err(ExpertError::Busy { retry_after }) if retry_after >= MIN_RETRY_DELAY)
        );
        drop(first_stream);
        let (fourth, _fourth_stream) = job();
        queue.push(fourth).unwrap();
    }

    #[test]
    fn skips_requests_whose_caller_left() {
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
    fn closing_cancels_callers_and_ends_workers() {
        let queue = Queue::new(1);
        let (waiting, _stream) = job();
        queue.push(waiting).unwrap();
        queue.close();
        assert!(queue.pop().is_none());
        let (late, _stream) = job();
        assert_eq!(queue.push(late), Err(ExpertError::Cancelled));
    }
}
