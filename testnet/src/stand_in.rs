//! The stand-in for a model server: started before the nodes that need it, watched like them, known by its own name.

use std::{fs::DirBuilder, net::SocketAddr, os::unix::fs::DirBuilderExt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Layout, ProcessRef, TestnetError, client::Client, launch::Children, logs, up::node_ended};

/// Its name, where nodes have theirs.
pub const STAND_IN: &str = "stand-in";

/// How long it may take to answer; it has nothing to load.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pause between two looks. Nodes wait for it.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Lines of its log in an error message.
const LOG_LINES: usize = 15;

/// The stand-in of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandInState {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its process, once started.
    pub process: Option<ProcessRef>,
}

impl StandInState {
    /// Its process, if that still runs.
    pub fn alive(&self) -> Option<ProcessRef> {
        self.process.filter(ProcessRef::is_alive)
    }

    /// The base URL of its API.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.listen)
    }
}

/// Makes the directory that its log is in.
pub(crate) fn make_dir(layout: &Layout) -> Result<(), TestnetError> {
    let dir = layout.node(STAND_IN);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir.dir());
    made.map_err(TestnetError::io("make", dir.dir()))
}

/// Waits until it answers.
///
/// # Errors
/// When it ends, or does not answer in time.
pub(crate) async fn answers(
    layout: &Layout,
    stand_in: &StandInState,
    children: &mut Children,
) -> Result<(), TestnetError> {
    let client = Client::new().map_err(|reason| TestnetError::BadState {
        path: layout.state(),
        reason: format!("no HTTP client: {reason}"),
    })?;
    let late = tokio::time::sleep(PATIENCE);
    tokio::pin!(late);
    loop {
        tokio::select! {
            listed = client.models(stand_in.listen) => if listed.is_ok() { return Ok(()) },
            Some(ended) = children.next() => return Err(node_ended(layout, &ended)),
            () = &mut late => return Err(TestnetError::StandInSilent {
                waited: PATIENCE,
                log: logs::for_error(&layout.node(STAND_IN).log(), LOG_LINES),
            }),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The command line of the stand-in that listens on `listen`.
pub(crate) fn arguments(listen: SocketAddr) -> [std::ffi::OsString; 3] {
    [STAND_IN.into(), "--listen".into(), listen.to_string().into()]
}
