//! The share of the machine that a scenario has. Most run beside each other; one with a whole network of nodes runs alone,
//! so that neither it nor those beside it fail for want of processor time.

use std::{
    collections::BTreeMap,
    thread::{self, ThreadId},
};

use parking_lot::{Condvar, Mutex};

/// The scenarios that run now, each in a thread of its own.
struct Scenarios {
    /// How many shares each of them has.
    running: BTreeMap<String, usize>,
    alone: Option<ThreadId>,
}

static SCENARIOS: Mutex<Scenarios> = Mutex::new(Scenarios { running: BTreeMap::new(), alone: None });
static CHANGED: Condvar = Condvar::new();

/// A share of the machine, until it is dropped.
pub struct Share {
    alone: bool,
}

/// Threads have no order of their own.
fn name(thread: ThreadId) -> String {
    format!("{thread:?}")
}

/// Waits while another scenario has the machine alone.
pub fn beside_others() -> Share {
    let me = thread::current().id();
    // A scenario that runs already continues: one that waits to be alone waits for its end.
    let waits = |now: &mut Scenarios| {
        now.alone.is_some_and(|alone| alone != me) && !now.running.contains_key(&name(me))
    };
    let mut now = SCENARIOS.lock();
    CHANGED.wait_while(&mut now, waits);
    *now.running.entry(name(me)).or_default() += 1;
    Share { alone: false }
}

/// Waits until no other scenario runs, and keeps others waiting.
pub fn alone() -> Share {
    let me = thread::current().id();
    let waits = |now: &mut Scenarios| now.alone.is_some();
    let mut now = SCENARIOS.lock();
    CHANGED.wait_while(&mut now, waits);
    now.alone = Some(me);
    let waits = |now: &mut Scenarios| now.running.keys().any(|running| *running != name(me));
    CHANGED.wait_while(&mut now, waits);
    Share { alone: true }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut now = SCENARIOS.lock();
        if self.alone {
            now.alone = None;
        } else {
            let me = name(thread::current().id());
            if let Some(shares) = now.running.get_mut(&me) {
                *shares -= 1;
            }
            now.running.retain(|_, shares| *shares > 0);
        }
        CHANGED.notify_all();
    }
}
