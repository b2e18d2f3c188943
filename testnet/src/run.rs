//! A testnet that runs, in the hands of the process that started it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{
    Event, Layout, Progress, TestnetError,
    launch::Children,
    owner::Owner,
    state::{Stage, State},
    stop,
};

/// Pause between two looks at nodes that others started.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Why a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// Somebody asked for it.
    Asked,
    /// No node runs any more.
    AllEnded,
}

/// A ready testnet. Dropped as it is, it kills its nodes; [`Testnet::stop`] stops them in good order,
/// [`Testnet::detach`] lets them be.
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

    /// Where it keeps its things.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What it consists of, as of its start.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Lets the nodes live on without this process. Only for one that was started so.
    pub fn detach(mut self) {
        self.children.release();
    }

    /// Stays with the testnet and tells of nodes that end, until `stop` is cancelled or none is left.
    pub async fn run(&mut self, stop: &CancellationToken, progress: &mut dyn Progress) -> RunEnd {
        loop {
            tokio::select! {
                () = stop.cancelled() => return RunEnd::Asked,
                Some(ended) = self.children.next() => {
                    progress.event(&Event::NodeEnded { status: ended.status(), name: ended.name });
                }
                // Nodes started anew by somebody else are not among the children.
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            if !State::load(&self.layout).is_ok_and(|state| state.any_alive()) && !stop.is_cancelled() {
                return RunEnd::AllEnded;
            }
        }
    }

    /// Stops all its nodes, those too that others started meanwhile; at once when `hurry` is cancelled.
    ///
    /// # Errors
    /// When a process outlives even SIGKILL, or the state cannot be written.
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
