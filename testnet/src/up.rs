//! Starts a testnet: all nodes at once, watched until the first query is answered.

use std::{
    fs::File,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use nervure_ledger::spec::Role;
use tokio_util::sync::CancellationToken;

use crate::{
    DevelopmentChain, Event, Layout, ModelServer, Phase, ProcessRef, Progress, Shape, Testnet, TestnetError,
    chain::{self, CHAIN, ChainState},
    client::Client,
    launch::{Children, ProcessEnd, spawn, spawn_chain, spawn_mock_server},
    logs,
    mock_server::{self, MOCK_SERVER},
    owner, prepare,
    ready::{self, Board, Goal, WatchTarget},
    state::{Stage, State},
};

/// Maximum lines of a log in an error message.
const MAX_LOG_LINES: usize = 15;

/// Pause before the first query is retried.
const QUERY_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The options of a start.
#[derive(Clone, Debug)]
pub struct UpOptions {
    /// The testnet's directory.
    pub dir: PathBuf,
    /// The program of the nodes, which they run with `join`.
    pub binary: PathBuf,
    /// The mesh's name.
    pub name: String,
    /// How many nodes of each role.
    pub shape: Shape,
    /// The experts that the miners serve in turn, in the form of `--expert`. When empty: the built-in models, and in
    /// the subnets of the text API and of embeddings the models of `upstream` or of a mock model server.
    pub experts: Vec<String>,
    /// A model server for the miners of the text API subnet.
    pub upstream: Option<ModelServer>,
    /// Seconds until an expert record expires; the default of a local mesh if not given.
    pub record_expiry_seconds: Option<u32>,
    /// A development chain that keeps the checkpoints; files of the nodes if there is none.
    pub chain: Option<Arc<dyn DevelopmentChain>>,
    /// Milliseconds from one block to the next; the default of a local mesh if not given.
    pub block_milliseconds: Option<u32>,
    /// Whether the nodes keep running without this process.
    pub detach: bool,
    /// Whether the stopped testnet of the directory continues. Its nodes, experts and mesh count then, and not the options
    /// above.
    pub resume: bool,
    /// How long the start may take.
    pub timeout: Duration,
}

/// Starts a testnet and waits until it is ready. When it fails, or `stop` is cancelled, no process
/// of it is left running.
///
/// # Errors
/// See [`TestnetError`]; the directory keeps the logs.
pub async fn up(
    options: &UpOptions,
    stop: &CancellationToken,
    progress: &mut dyn Progress,
) -> Result<Testnet, TestnetError> {
    options.shape.check()?;
    let layout = Layout::new(&options.dir);
    let mut owner = prepare::claim(&layout, options.resume, progress).await?;
    // The mesh spec of a testnet that continues names its ports, so that a retry would find the same ones.
    let mut retried = options.resume;
    loop {
        let mut start = Start::new(&layout, options, stop);
        match start.run(&mut owner, progress).await {
            Ok(state) => {
                let children = std::mem::take(&mut start.children);
                drop(start);
                return Ok(Testnet::new(layout, owner, children, state));
            }
            Err(error) => {
                start.give_up(progress).await?;
                match error {
                    TestnetError::PortInUse { name, .. } if !retried => {
                        progress.event(&Event::Retrying { reason: format!("{name} found its port in use") });
                        prepare::remove_nodes(&layout)?;
                        retried = true;
                    }
                    error => return Err(error),
                }
            }
        }
    }
}

/// One attempt to start.
struct Start<'a> {
    layout: &'a Layout,
    options: &'a UpOptions,
    stop: &'a CancellationToken,
    began: Instant,
    children: Children,
    state: Option<State>,
}

impl<'a> Start<'a> {
    fn new(layout: &'a Layout, options: &'a UpOptions, stop: &'a CancellationToken) -> Self {
        Self { layout, options, stop, began: Instant::now(), children: Children::default(), state: None }
    }

    async fn run(
        &mut self,
        owner: &mut owner::Owner,
        progress: &mut dyn Progress,
    ) -> Result<State, TestnetError> {
        let mut state = match self.options.resume {
            true => prepare::resumed(self.layout, &self.options.binary)?,
            false => prepare::write(self.layout, self.options)?,
        };
        self.state = Some(state.clone());
        let total = state.nodes.len();
        self.finish(Phase::Keys, total, &mut state, progress);
        if !self.options.detach {
            owner.tie_nodes(self.layout)?;
        }
        let launched = self.launch_chain(&mut state).await;
        self.state = Some(state.clone());
        launched?;
        let launched = self.launch_mock_server(&mut state).await;
        self.state = Some(state.clone());
        launched?;
        let launched = self.launch(&mut state);
        self.state = Some(state.clone());
        launched?;
        self.watch(&mut state, progress).await?;
        state.stage = Stage::Ready;
        if self.options.detach {
            state.owner = None;
        }
        state.save(self.layout)?;
        Ok(state)
    }

    /// The standard input of a process that ends with this one; `None` if it keeps running.
    fn stdin(&self) -> Result<Option<File>, TestnetError> {
        match self.options.detach {
            true => Ok(None),
            false => owner::tied_stdin(self.layout, Some(ProcessRef::own()))
                .map_err(TestnetError::io("open", self.layout.alive())),
        }
    }

    /// Starts the chain that keeps checkpoints, and deploys the contract: nodes read its address in the spec.
    async fn launch_chain(&mut self, state: &mut State) -> Result<(), TestnetError> {
        let Some(chain) = self.options.chain.clone() else { return Ok(()) };
        let mut of_run = ChainState::new(&*chain, prepare::free_address()?, self.layout);
        let child = spawn_chain(self.layout, &of_run)?;
        if let Some(process) = child.id().map(ProcessRef::of) {
            of_run.process = Some(process);
            self.children.add(CHAIN, child, process);
        }
        state.chain = Some(of_run.clone());
        state.save(self.layout)?;
        tokio::select! {
            () = self.stop.cancelled() => Err(TestnetError::Interrupted),
            Some(ended) = self.children.next() => Err(node_ended(self.layout, &ended)),
            deployed = chain::deploy(&*chain, &of_run, self.layout) => deployed,
        }
    }

    /// Starts the mock model server and waits until it answers: miners ask it for its models when they start.
    async fn launch_mock_server(&mut self, state: &mut State) -> Result<(), TestnetError> {
        let Some(mut mock_server) = state.mock_server.clone() else { return Ok(()) };
        let child = spawn_mock_server(&self.options.binary, self.layout, mock_server.listen, self.stdin()?)?;
        if let Some(process) = child.id().map(ProcessRef::of) {
            mock_server.process = Some(process);
            self.children.add(MOCK_SERVER, child, process);
        }
        state.mock_server = Some(mock_server.clone());
        state.save(self.layout)?;
        tokio::select! {
            () = self.stop.cancelled() => Err(TestnetError::Interrupted),
            answers = mock_server::answers(self.layout, &mock_server, &mut self.children) => answers,
        }
    }

    /// Starts all processes without waiting for any of them.
    fn launch(&mut self, state: &mut State) -> Result<(), TestnetError> {
        for index in 0..state.nodes.len() {
            let stdin = self.stdin()?;
            let node = &mut state.nodes[index];
            let child = spawn(&self.options.binary, self.layout, (node, state.chain.as_ref()), stdin, &[])?;
            let process = child.id().map(ProcessRef::of);
            node.process = process;
            if let Some(process) = process {
                self.children.add(&node.name, child, process);
            }
            state.save(self.layout)?;
        }
        Ok(())
    }

    /// Waits through the phases.
    async fn watch(&mut self, state: &mut State, progress: &mut dyn Progress) -> Result<(), TestnetError> {
        let client = Client::new().map_err(|reason| TestnetError::BadState {
            path: self.layout.state(),
            reason: format!("cannot create an HTTP client: {reason}"),
        })?;
        let shape = state.shape();
        let experts = state.nodes.iter().map(|node| node.experts.len()).sum();
        let goal = Goal::new(shape.nodes(), shape.validators, experts);
        let watched = watched(self.layout, state);
        let mut board = Board::new(&watched, goal);
        let (_watchers, mut news) = ready::watch(watched, goal, &client);
        for phase in [Phase::Nodes, Phase::Connected, Phase::Experts] {
            loop {
                let (done, total) = board.count(phase);
                progress.event(&Event::Advanced { phase, done, total });
                if done == total {
                    self.finish(phase, total, state, progress);
                    break;
                }
                tokio::select! {
                    Some(news) = news.recv() => board.note(news),
                    error = self.failure(phase, &board) => return Err(error),
                }
            }
        }
        if let Some((name, http)) = board.gateway().filter(|_| shape.miners > 0) {
            let mut last = String::from("no answer yet");
            loop {
                tokio::select! {
                    answer = client.complete(http) => match answer {
                        Ok(()) => break,
                        Err(reason) => last = reason,
                    },
                    error = self.failure(Phase::Query, &board) => return Err(with_missing(error, name, &last)),
                }
                tokio::time::sleep(QUERY_RETRY_DELAY).await;
            }
            self.finish(Phase::Query, 1, state, progress);
        }
        Ok(())
    }

    /// Returns only when the start has failed: a node ended, the time is over, or `stop` was cancelled.
    async fn failure(&mut self, phase: Phase, board: &Board) -> TestnetError {
        let left = self.options.timeout.saturating_sub(self.began.elapsed());
        let layout = self.layout;
        tokio::select! {
            biased;
            () = self.stop.cancelled() => TestnetError::Interrupted,
            Some(ended) = self.children.next() => node_ended(layout, &ended),
            () = tokio::time::sleep(left) => {
                let missing = board.missing(phase);
                let name = missing.first().map(|(name, _)| name.clone()).unwrap_or_default();
                let all: Vec<_> = missing.iter().map(|(name, how)| format!("{name}: {how}")).collect();
                TestnetError::NotReady {
                    waited: self.options.timeout,
                    phase,
                    missing: all.join(", "),
                    log: logs::for_error(&layout.node(&name).log(), MAX_LOG_LINES),
                    name,
                }
            }
        }
    }

    fn finish(&self, phase: Phase, total: usize, state: &mut State, progress: &mut dyn Progress) {
        let at = self.began.elapsed();
        state.timings_ms.set(phase, at);
        progress.event(&Event::Finished { phase, total, at });
    }

    /// Stops the processes of this attempt, so that another one can follow.
    async fn give_up(mut self, progress: &mut dyn Progress) -> Result<(), TestnetError> {
        let Some(mut state) = self.state.take() else { return Ok(()) };
        crate::stop::stop(state.living(), &CancellationToken::new(), progress).await?;
        while self.children.next().await.is_some() {}
        state.stage = Stage::Stopped;
        state.owner = None;
        state.save(self.layout)
    }
}

fn watched(layout: &Layout, state: &State) -> Vec<WatchTarget> {
    let watched = state.nodes.iter().filter_map(|node| {
        Some(WatchTarget {
            name: node.name.clone(),
            dir: layout.node(&node.name).dir().into(),
            pid: node.process?.pid,
            gateway: node.role == Role::Gateway,
        })
    });
    watched.collect()
}

/// The error for a node that ended too early.
pub(crate) fn node_ended(layout: &Layout, ended: &ProcessEnd) -> TestnetError {
    let name = ended.name.clone();
    let log = logs::for_error(&layout.node(&name).log(), MAX_LOG_LINES);
    match ended.port_in_use() {
        true => TestnetError::PortInUse { name, log },
        false => TestnetError::NodeEnded { name, status: ended.status(), log },
    }
}

/// Adds the gateway's last answer to the error: the board does not know why the query failed.
fn with_missing(error: TestnetError, gateway: &str, answer: &str) -> TestnetError {
    match error {
        TestnetError::NotReady { waited, phase, log, .. } => TestnetError::NotReady {
            waited,
            phase,
            missing: format!("{gateway} answered: {answer}"),
            name: gateway.into(),
            log,
        },
        other => other,
    }
}
