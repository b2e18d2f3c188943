//! The event queue, in simulated time.

use std::{collections::BTreeMap, rc::Rc};

use nervure_primitives::{BlockHeight, Hash};

use super::{Micros, plan::Incident};
use crate::bft::{BlockStamp, Round, Timer};

/// A packet between nodes.
#[derive(Clone, Debug)]
pub(super) enum Packet {
    /// A consensus message.
    Message(Rc<[u8]>),
    /// A request for a block.
    GetBlock(Hash),
    /// A block.
    Block(Hash, Rc<[u8]>),
    /// A request for the decision of a height.
    GetDecision(BlockHeight),
    /// A decision: the bytes of the certificate, and the block.
    Decision(Rc<[u8]>, Rc<[u8]>),
}

/// An event inside one process of an instance; dropped if that process no longer runs.
#[derive(Clone, Debug)]
pub(super) enum LocalEvent {
    /// The next height is due.
    Start,
    /// A timer, with the number of its scheduling: a rescheduled timer invalidates earlier ones.
    Timer(Timer, u64),
    /// The instance's block is built.
    Proposed { height: BlockHeight, round: Round, value: Hash },
    /// A block has been executed.
    Validated { height: BlockHeight, value: Hash, stamp: Option<BlockStamp> },
    /// Ask again for a block that did not arrive.
    Fetch(Hash),
}

/// An event.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Deliver { from: usize, to: usize, packet: Packet },
    Local { instance: usize, incarnation: u32, event: LocalEvent },
    Incident(Incident),
    Restart(usize),
}

/// Events by time; events of one instant in the order in which they were planned.
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
