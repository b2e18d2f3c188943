//! Too long, too late, endless small pieces, and exactly at the bound; in virtual time.

use std::{
    cell::Cell,
    future::{pending, ready},
    rc::Rc,
    task::{Context, Waker},
};

use super::*;

const MS: Duration = Duration::from_millis(1);

/// Polls `future` once a virtual millisecond until it is ready. Returns how many milliseconds that took.
fn run<T>(time: &VirtualTime, future: impl Future<Output = T>) -> (T, u32) {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    let start = time.0.get();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return (output, ((time.0.get() - start).as_millis()) as u32);
        }
        time.0.set(time.0.get() + MS);
    }
}

/// A clock that only [`run`] moves.
#[derive(Clone)]
struct VirtualTime(Rc<Cell<Instant>>);

impl VirtualTime {
    fn new() -> Self {
        Self(Rc::new(Cell::new(Instant::now())))
    }

    /// Ready at a moment.
    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + use<> {
        let now = self.0.clone();
        poll_fn(move |_| if now.get() >= at { Poll::Ready(()) } else { Poll::Pending })
    }

    /// Ready after so many milliseconds.
    fn sleep(&self, ms: u32) -> impl Future<Output = ()> + use<> {
        self.sleep_until(self.0.get() + ms * MS)
    }

    /// What a wait of `meter` for a piece that comes after so many milliseconds gives, and how long it takes.
    fn wait(&self, meter: &AnswerMeter, ms: u32) -> (Result<(), BoundExceeded>, u32) {
        run(self, meter.wait(self.sleep(ms), self.0.get(), |at| self.sleep_until(at)))
    }
}

fn bounds(whole: u32, first: u32, between: u32) -> AnswerBounds {
    AnswerBounds { whole: whole * MS, first: first * MS, between: between * MS, ..AnswerBounds::NONE }
}

fn stalled(after: u32) -> Result<(), BoundExceeded> {
    Err(BoundExceeded::Stalled { after: after * MS })
}

fn late(after: u32) -> Result<(), BoundExceeded> {
    Err(BoundExceeded::Late { after: after * MS })
}

#[test]
fn exactly_so_many_bytes_are_within_the_bound_and_one_more_is_not() {
    let meter = || AnswerMeter::new(AnswerBounds { max_bytes: 10, ..AnswerBounds::NONE }, Instant::now());
    let mut exact = meter();
    assert_eq!((exact.charge(4), exact.charge(6)), (Ok(()), Ok(())));
    assert_eq!(exact.charge(1), Err(BoundExceeded::TooLong { max_bytes: 10 }));
    assert_eq!(exact.charge(0), Ok(()), "what was refused is not counted");
    assert_eq!(meter().charge(11), Err(BoundExceeded::TooLong { max_bytes: 10 }));
    assert_eq!(meter().charge(usize::MAX), Err(BoundExceeded::TooLong { max_bytes: 10 }), "it does not wrap");
}

#[test]
fn endless_empty_pieces_end_by_their_overhead_or_their_number() {
    let pieces = |bounds| {
        let mut meter = AnswerMeter::new(bounds, Instant::now());
        (0..1_000).take_while(|_| meter.charge(0).is_ok()).count()
    };
    let overhead = AnswerBounds { max_bytes: 160, piece_overhead: 16, ..AnswerBounds::NONE };
    assert_eq!(pieces(overhead), 10);
    assert_eq!(pieces(AnswerBounds { max_pieces: 7, ..AnswerBounds::NONE }), 7);
    assert_eq!(pieces(AnswerBounds { piece_overhead: 0, ..overhead }), 1_000, "without the defence");
}

#[test]
fn a_piece_in_time_counts_also_exactly_at_the_bound() {
    let time = VirtualTime::new();
    let mut meter = AnswerMeter::new(bounds(100, 20, 10), time.0.get());
    assert_eq!(time.wait(&meter, 20), (Ok(()), 20));
    meter.charge(1).unwrap();
    assert_eq!(time.wait(&meter, 10), (Ok(()), 10));
    assert_eq!(time.wait(&meter, 0), (Ok(()), 0));
}

#[test]
fn a_piece_that_comes_too_late_ends_the_wait_at_the_bound() {
    let time = VirtualTime::new();
    let mut meter = AnswerMeter::new(bounds(100, 20, 10), time.0.get());
    assert_eq!(time.wait(&meter, 21), (stalled(20), 20));
    meter.charge(1).unwrap();
    assert_eq!(time.wait(&meter, 11), (stalled(10), 10));
    let never = meter.wait(pending::<()>(), time.0.get(), |at| time.sleep_until(at));
    assert_eq!(run(&time, never), (stalled(10), 10));
}

#[test]
fn small_pieces_in_time_do_not_move_the_end_of_the_whole_answer() {
    let time = VirtualTime::new();
    let mut meter = AnswerMeter::new(bounds(25, 20, 10), time.0.get());
    for _ in 0..5 {
        assert_eq!(time.wait(&meter, 5), (Ok(()), 5));
        meter.charge(1).unwrap();
    }
    assert_eq!(time.wait(&meter, 0), (Ok(()), 0), "exactly at the bound");
    assert_eq!(time.wait(&meter, 1), (late(25), 0));
}

#[test]
fn the_bound_that_comes_first_is_the_reason() {
    let time = VirtualTime::new();
    let of = |whole, first| time.wait(&AnswerMeter::new(bounds(whole, first, 10), time.0.get()), 100).0;
    assert_eq!(of(30, 20), stalled(20));
    assert_eq!(of(20, 30), late(20));
    assert_eq!(of(20, 20), late(20), "both at once");
}

#[test]
fn without_bounds_no_timer_is_made() {
    let time = VirtualTime::new();
    let meter = AnswerMeter::new(AnswerBounds::NONE, time.0.get());
    let timer = |_| -> std::future::Ready<()> { panic!("a timer") };
    assert_eq!(run(&time, meter.wait(time.sleep(9), time.0.get(), timer)), (Ok(()), 9));
    let bounded = AnswerMeter::new(bounds(1, 1, 1), time.0.get());
    let timer = |_| -> std::future::Ready<()> { panic!("a timer") };
    assert_eq!(run(&time, bounded.wait(ready(7), time.0.get(), timer)), (Ok(7), 0), "it is ready at once");
}
