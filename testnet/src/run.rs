//! A running testnet, in the process that started it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{
    Event, Layout, Progress, TestnetError,
    launch::Children,
    owner::Owner,
    state::{Stage, State},
    stop,
};

/// How often the state is read for nodes that other processes started.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// It was asked to stop.
    Asked,
    /// All nodes have ended.
    AllEnded,
}

/// A ready testnet. [`Testnet::stop`] stops its nodes, [`Testnet::detach`] leaves them running, and a drop kills them.
#[derive(Debug)]
pub struct Testnet {
    layout: Layout,
    owner: Owner,
    children: Children,
    state: State,
}

impl Testnet {
    pub(crate) fn new(layout: Layout, owner: Owner, children: Children, state: State) -> Self {
        Self { layout, owner, children, state }
    }

    /// Its directory.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Its state at the start.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Leaves the nodes running without this process. Only for a testnet that was started with `detach`.
    pub fn detach(mut self) {
        self.children.release();
    }

    /// Reports nodes that end, until `stop` is cancelled or all have ended.
    pub async fn run(&mut self, stop: &CancellationToken, progress: &mut dyn Progress) -> RunEnd {
        loop {
            tokio::select! {
                () = stop.cancelled() => return RunEnd::Asked,
                Some(ended) = self.children.next() => {
                    progress.event(&Event::NodeEnded { status: ended.status(), name: ended.name });
                }
                // Nodes that another process restarted are not among the children.
                () = tokio::time::sleep(POLL_INTERVAL) => {}
            }
            if !State::load(&self.layout).is_ok_and(|state| state.any_alive()) && !stop.is_cancelled() {
                return RunEnd::AllEnded;
            }
        }
    }

    /// Stops all its nodes, also those that other processes restarted; kills them when `hurry` is cancelled.
    ///
    /// # Errors
    /// When a process does not end after SIGKILL, or the state cannot be written.
    pub async fn stop(
        mut self,
        hurry: &CancellationToken,
        progress: &mut dyn Progress,
    ) -> Result<(), TestnetError> {
        let state = State::load(&self.layout).unwrap_or(self.state);
        let outcome = stop::stop(state.living(), hurry, progress).await;
        self.owner.untie_nodes();
        outcome?;
        while self.children.next().await.is_some() {}
        self.children.release();
        State::edit(&self.layout, |state| {
            state.stage = Stage::Stopped;
            state.owner = None;
        })
        .map(drop)
    }
}
