//! What happens when: a queue in simulated time.

use std::{collections::BTreeMap, rc::Rc};

use nervure_primitives::{BlockHeight, Hash};

use super::{Micros, plan::Incident};
use crate::bft::{Round, Timer};

/// Something on its way between nodes.
#[derive(Clone, Debug)]
pub(super) enum Packet {
    /// A consensus message.
    Message(Rc<[u8]>),
    /// "Send me this block."
    GetBlock(Hash),
    /// A block.
    Block(Hash, Rc<[u8]>),
    /// "How was this height decided?"
    GetDecision(BlockHeight),
    /// So, with the certificate's bytes and the block.
    Decision(Rc<[u8]>, Rc<[u8]>),
}

/// Something that happens to an instance of a node, if that process still runs.
#[derive(Clone, Debug)]
pub(super) enum Local {
    /// Time for the next height.
    Start,
    /// A timer, as it was scheduled for the so-many-th time.
    Timer(Timer, u64),
    /// Our block is built.
    Proposed(BlockHeight, Round, Hash),
    /// A block has been executed.
    Validated(BlockHeight, Hash, bool),
    /// Ask again for a block that did not come.
    Fetch(Hash),
}

/// An event.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Deliver { from: usize, to: usize, packet: Packet },
    Local { instance: usize, life: u32, what: Local },
    Incident(Incident),
    Restart(usize),
}

/// Events in order of time; those of one instant in the order in which they were planned.
#[derive(Default)]
pub(super) struct Events {
    queue: BTreeMap<(Micros, u64), Event>,
    planned: u64,
}

impl Events {
    pub(super) fn plan(&mut self, at: Micros, event: Event) {
        self.planned += 1;
        self.queue.insert((at, self.planned), event);
    }

    pub(super) fn next(&mut self) -> Option<(Micros, Event)> {
        self.queue.pop_first().map(|((at, _), event)| (at, event))
    }
}
