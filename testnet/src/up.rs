//! The start of a testnet: everything at once, watched until the first query is answered.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use nervure_ledger::spec::Role;
use tokio_util::sync::CancellationToken;

use crate::{
    Event, Layout, Phase, ProcessRef, Progress, Shape, Testnet, TestnetError,
    client::Client,
    launch::{Children, Ended, spawn},
    logs, owner, prepare,
    ready::{self, Board, Goal, Watched},
    state::{Stage, State},
};

/// Lines of a log in an error message.
const LOG_LINES: usize = 15;

/// Pause before the first query is asked again.
const QUERY_AGAIN: Duration = Duration::from_millis(100);

/// What to start, and how.
#[derive(Clone, Debug)]
pub struct UpOptions {
    /// The testnet's directory.
    pub dir: PathBuf,
    /// The program whose `join` a node is.
    pub binary: PathBuf,
    /// The mesh's name.
    pub name: String,
    /// How many nodes of each role.
    pub shape: Shape,
    /// What the miners serve in turn, in the form of `--expert`; the built-in models when empty.
    pub experts: Vec<String>,
    /// Seconds that an expert record holds; that of a local mesh when not given.
    pub record_expiry_seconds: Option<u32>,
    /// Milliseconds from one block to the next; that of a local mesh when not given.
    pub block_milliseconds: Option<u32>,
    /// Whether the nodes shall live on without this process.
    pub detach: bool,
    /// How long the start may take.
    pub timeout: Duration,
}

/// Starts a testnet and waits until it is ready. When it fails, or `stop` is cancelled, nothing of it
/// is left running.
///
/// # Errors
/// See [`TestnetError`]; the directory keeps the logs.
pub async fn up(
    options: &UpOptions,
    stop: &CancellationToken,
    progress: &mut dyn Progress,
) -> Result<Testnet, TestnetError> {
    options.shape.plan(&options.experts)?;
    let layout = Layout::new(&options.dir);
    let mut owner = prepare::claim(&layout, progress).await?;
    let mut retried = false;
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
                        retried = true;
                    }
                    error => return Err(error),
                }
            }
        }
    }
}

/// One try.
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
        let mut state = prepare::write(self.layout, self.options)?;
        self.state = Some(state.clone());
        let total = state.nodes.len();
        self.finish(Phase::Keys, total, &mut state, progress);
        if !self.options.detach {
            owner.tie_nodes(self.layout)?;
        }
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

    /// Starts all processes, one right after the other, waiting for none.
    fn launch(&mut self, state: &mut State) -> Result<(), TestnetError> {
        for index in 0..state.nodes.len() {
            let node = &mut state.nodes[index];
            let stdin = match self.options.detach {
                true => None,
                false => owner::tied_stdin(self.layout, Some(ProcessRef::own()))
                    .map_err(TestnetError::io("open", self.layout.alive()))?,
            };
            let child = spawn(&self.options.binary, self.layout, node, stdin, &[])?;
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
            reason: format!("no HTTP client: {reason}"),
        })?;
        let shape = self.options.shape;
        let goal = Goal::new(shape.nodes(), shape.validators, shape.miners);
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
                    Some(heard) = news.recv() => board.note(heard),
                    error = self.trouble(phase, &board) => return Err(error),
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
                    error = self.trouble(Phase::Query, &board) => return Err(with_missing(error, name, &last)),
                }
                tokio::time::sleep(QUERY_AGAIN).await;
            }
            self.finish(Phase::Query, 1, state, progress);
        }
        Ok(())
    }

    /// Ends only when the start has failed: a node ended, the time is over, or somebody wants a stop.
    async fn trouble(&mut self, phase: Phase, board: &Board) -> TestnetError {
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
                    log: logs::for_error(&layout.node(&name).log(), LOG_LINES),
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

    /// Stops whatever this try started, so that another may follow.
    async fn give_up(mut self, progress: &mut dyn Progress) -> Result<(), TestnetError> {
        let Some(mut state) = self.state.take() else { return Ok(()) };
        let processes = state.nodes.iter().filter_map(|node| Some((node.name.clone(), node.process?)));
        crate::stop::stop(processes.collect(), &CancellationToken::new(), progress).await?;
        while self.children.next().await.is_some() {}
        state.stage = Stage::Stopped;
        state.owner = None;
        state.save(self.layout)
    }
}

fn watched(layout: &Layout, state: &State) -> Vec<Watched> {
    let watched = state.nodes.iter().filter_map(|node| {
        Some(Watched {
            name: node.name.clone(),
            dir: layout.node(&node.name).dir().into(),
            pid: node.process?.pid,
            gateway: node.role == Role::Gateway,
        })
    });
    watched.collect()
}

/// The error for a node that ended too early.
pub(crate) fn node_ended(layout: &Layout, ended: &Ended) -> TestnetError {
    let name = ended.name.clone();
    let log = logs::for_error(&layout.node(&name).log(), LOG_LINES);
    match ended.port_in_use() {
        true => TestnetError::PortInUse { name, log },
        false => TestnetError::NodeEnded { name, status: ended.status(), log },
    }
}

/// The board does not know what was wrong with the query; the last answer does.
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
