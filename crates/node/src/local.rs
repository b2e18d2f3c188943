//! A running node of this machine, as the command line finds and talks to it.
//!
//! Every node says in `node.json` where its HTTP API listens. A directory is a node's when it has
//! that file, and a testnet's when it has `testnet.json`; of a testnet the first living gateway is meant, else its
//! first living node.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::BytesMut;
use nervure_api::{Client, ClientError};
use nervure_testnet::{Layout, NodeFile, ProcessRef};
use serde::de::DeserializeOwned;

use nervure_primitives::MeshId;

use crate::{
    gateway::{AskBody, AskLine, ErrorBody, ErrorDetail, SubmitBody},
    service::TransactionView,
};

/// Largest answer that is read whole, in bytes.
const MAX_ANSWER: usize = 16 << 20;

/// Longest line of an answer that comes in lines, in bytes.
const MAX_LINE: usize = 1 << 20;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a running node could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocalError {
    /// Nothing runs there.
    #[error("no node and no testnet runs in {}", .0.display())]
    NothingRuns(PathBuf),
    /// Its files cannot be read.
    #[error("cannot read the state in {}: {source}", dir.display())]
    State {
        /// The directory.
        dir: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It does not answer.
    #[error("the node at {http} does not answer: {source}")]
    Silent {
        /// Where it should listen.
        http: SocketAddr,
        /// Why not.
        source: reqwest::Error,
    },
    /// It answered with an error.
    #[error("{}", .0.error.message)]
    Refused(Box<ErrorBody>),
    /// It answered something that this program does not understand.
    #[error("the node at {http} answered something strange: {what}; is it of another version?")]
    Strange {
        /// Where it listens.
        http: SocketAddr,
        /// What is wrong with the answer.
        what: String,
    },
}

/// The HTTP API of one running node.
#[derive(Clone)]
pub(crate) struct LocalNode {
    http: SocketAddr,
    mesh: Option<MeshId>,
    client: reqwest::Client,
}

impl LocalError {
    /// What to do next.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::NothingRuns(_) => {
                Some("start one: nervure testnet up, or name its directory with --dir".into())
            }
            Self::Silent { .. } => Some("see whether it still runs: nervure testnet status".into()),
            Self::Refused(body) => body.error.hint.clone(),
            Self::State { .. } | Self::Strange { .. } => None,
        }
    }

    /// What the program exits with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::NothingRuns(_) | Self::Silent { .. } => 8,
            Self::Refused(body) => body.error.exit_code.unwrap_or(1),
            Self::State { .. } | Self::Strange { .. } => 1,
        }
    }
}

impl LocalNode {
    /// The node or testnet that runs in `dir`.
    pub(crate) fn find(dir: &Path) -> Result<Self, LocalError> {
        let state = |source| LocalError::State { dir: dir.into(), source };
        let mut running = running_in(dir).map_err(state)?;
        running.sort_by_key(|file| (file.role != "gateway", file.name.clone()));
        let file = running.into_iter().next().ok_or_else(|| LocalError::NothingRuns(dir.into()))?;
        Self::of(file)
    }

    /// The node that `file` describes.
    pub(crate) fn of(file: NodeFile) -> Result<Self, LocalError> {
        Ok(Self { mesh: Some(file.mesh), ..Self::at(file.http)? })
    }

    /// Whoever listens at `http`: nothing that it says is known to be true.
    pub(crate) fn at(http: SocketAddr) -> Result<Self, LocalError> {
        let client = reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_TIMEOUT).build();
        let client = client.map_err(|source| LocalError::Silent { http, source })?;
        Ok(Self { http, mesh: None, client })
    }

    /// The typed client of its HTTP API.
    pub(crate) fn api(&self) -> Result<Client, ClientError> {
        Client::new(self.http)
    }

    /// `GET` of JSON.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, LocalError> {
        let request = self.client.get(self.url(path)).query(query);
        let body = read_all(self.checked(request).await?).await.map_err(|what| self.strange(what))?;
        serde_json::from_slice(&body).map_err(|error| self.strange(error.to_string()))
    }

    /// `POST /transactions`.
    pub(crate) async fn submit(&self, body: &SubmitBody) -> Result<TransactionView, LocalError> {
        let response = self.checked(self.client.post(self.url("/transactions")).json(body)).await?;
        let body = read_all(response).await.map_err(|what| self.strange(what))?;
        serde_json::from_slice(&body).map_err(|error| self.strange(error.to_string()))
    }

    /// The mesh that the node is in, as its own file says; none for one that was named by its address.
    pub(crate) fn mesh(&self) -> Option<MeshId> {
        self.mesh
    }

    /// `POST /ask`: the lines of the answer, as they come.
    pub(crate) async fn ask(&self, body: &AskBody) -> Result<Lines, LocalError> {
        let response = self.checked(self.client.post(self.url("/ask")).json(body)).await?;
        Ok(Lines { response, http: self.http, buffer: BytesMut::new() })
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    async fn checked(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, LocalError> {
        let http = self.http;
        let response = request.send().await.map_err(|source| LocalError::Silent { http, source })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = read_all(response).await.map_err(|what| self.strange(what))?;
        match serde_json::from_slice(&body) {
            Ok(refusal) => Err(LocalError::Refused(Box::new(refusal))),
            Err(_) => Err(self.strange(format!("status {status} without an error body"))),
        }
    }

    fn strange(&self, what: String) -> LocalError {
        LocalError::Strange { http: self.http, what }
    }
}

/// The lines of an answer in progress. Dropping it cancels the query.
pub(crate) struct Lines {
    response: reqwest::Response,
    http: SocketAddr,
    buffer: BytesMut,
}

impl Lines {
    /// The next line; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<AskLine>, LocalError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                return serde_json::from_slice(&line).map(Some).map_err(|e| self.strange(e.to_string()));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(self.strange("a line without an end".into()));
            }
            let http = self.http;
            match self.response.chunk().await.map_err(|source| LocalError::Silent { http, source })? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(self.strange("half a line".into())),
            }
        }
    }

    fn strange(&self, what: String) -> LocalError {
        LocalError::Strange { http: self.http, what }
    }
}

/// Every living node in `dir`: itself, or a testnet's nodes.
fn running_in(dir: &Path) -> io::Result<Vec<NodeFile>> {
    let layout = Layout::new(dir);
    let mut dirs = vec![dir.to_path_buf()];
    if layout.nodes().is_dir() {
        for entry in std::fs::read_dir(layout.nodes())? {
            dirs.push(entry?.path());
        }
    }
    let mut running = Vec::new();
    for dir in dirs {
        if let Some(file) = NodeFile::read(&dir)?
            && ProcessRef::of(file.pid).is_alive()
        {
            running.push(file);
        }
    }
    Ok(running)
}

/// The error for an answer that began and broke off.
pub(crate) fn broken_off(error: ErrorDetail) -> LocalError {
    LocalError::Refused(Box::new(ErrorBody { error }))
}

async fn read_all(mut response: reqwest::Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| error.to_string())? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(format!("more than {MAX_ANSWER} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
