//! The mock model server of a testnet: it starts before the nodes that need it and is watched like a node.

use std::{fs::DirBuilder, net::SocketAddr, os::unix::fs::DirBuilderExt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Layout, ProcessRef, TestnetError, client::Client, launch::Children, logs, up::node_ended};

/// The name of its process.
pub const MOCK_SERVER: &str = "mock-server";

/// How long it may take to answer after its start.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Pause between two checks whether it answers; short, because nodes wait for it.
const CHECK_INTERVAL: Duration = Duration::from_millis(5);

/// Maximum lines of its log in an error message.
const MAX_LOG_LINES: usize = 15;

/// The mock model server of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MockServerState {
    /// The address that it listens on.
    pub listen: SocketAddr,
    /// Its process, once started.
    pub process: Option<ProcessRef>,
}

impl MockServerState {
    /// Its process, if it still runs.
    pub fn alive(&self) -> Option<ProcessRef> {
        self.process.filter(ProcessRef::is_alive)
    }

    /// The base URL of its API.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.listen)
    }
}

/// Creates the directory of its log.
pub(crate) fn make_dir(layout: &Layout) -> Result<(), TestnetError> {
    let dir = layout.node(MOCK_SERVER);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir.dir());
    made.map_err(TestnetError::io("make", dir.dir()))
}

/// Waits until it answers.
///
/// # Errors
/// When it ends, or does not answer in time.
pub(crate) async fn answers(
    layout: &Layout,
    mock_server: &MockServerState,
    children: &mut Children,
) -> Result<(), TestnetError> {
    let client = Client::new().map_err(|reason| TestnetError::BadState {
        path: layout.state(),
        reason: format!("cannot create an HTTP client: {reason}"),
    })?;
    let timeout = tokio::time::sleep(START_TIMEOUT);
    tokio::pin!(timeout);
    loop {
        tokio::select! {
            listed = client.models(mock_server.listen) => if listed.is_ok() { return Ok(()) },
            Some(ended) = children.next() => return Err(node_ended(layout, &ended)),
            () = &mut timeout => return Err(TestnetError::MockServerSilent {
                waited: START_TIMEOUT,
                log: logs::for_error(&layout.node(MOCK_SERVER).log(), MAX_LOG_LINES),
            }),
        }
        tokio::time::sleep(CHECK_INTERVAL).await;
    }
}

/// The command line of the mock model server that listens on `listen`.
pub(crate) fn arguments(listen: SocketAddr) -> [std::ffi::OsString; 3] {
    [MOCK_SERVER.into(), "--listen".into(), listen.to_string().into()]
}
