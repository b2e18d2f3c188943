//! Controls a running testnet from another process: stops it, and kills, restarts and degrades nodes.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use nervure_ledger::spec::Role;
use tokio_util::sync::CancellationToken;

use crate::{
    Layout, NodeFile, ProcessRef, Progress, TestnetError,
    chain::CHAIN,
    client::Client,
    launch::{Children, spawn, spawn_chain, spawn_mock_server},
    logs,
    mock_server::{self, MOCK_SERVER},
    owner,
    owner::Owner,
    ready::{self, Board, Goal, WatchTarget},
    state::{NodeState, Stage, State},
    stop,
    up::node_ended,
};

/// How long an owner may take to stop its testnet: longer than its nodes may take.
const OWNER_TIMEOUT: Duration = Duration::from_secs(20);

/// How often the owner's lock is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How long a node may take to start and connect, or to end when killed.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum lines of a log in an error message.
const MAX_LOG_LINES: usize = 15;

/// Stops the testnet in `dir`, and returns the names of the processes that it stopped.
///
/// # Errors
/// [`TestnetError::NotRunning`] when there is nothing to stop.
pub async fn down(dir: &Path, progress: &mut dyn Progress) -> Result<Vec<String>, TestnetError> {
    let layout = Layout::new(dir);
    let state = State::load(&layout)?;
    let alive = state.living();
    let names: Vec<_> = alive.iter().map(|(name, _)| name.clone()).collect();
    if owner::is_owned(&layout)
        && let Some(owner) = state.living_owner()
    {
        ask_owner(&layout, owner).await?;
        return Ok(names);
    }
    let _owner = Owner::acquire(&layout)?;
    stop::stop(alive, &CancellationToken::new(), progress).await?;
    if state.stage != Stage::Stopped {
        State::edit(&layout, |state| {
            state.stage = Stage::Stopped;
            state.owner = None;
        })?;
    }
    match names.is_empty() {
        true => Err(TestnetError::NotRunning(dir.into())),
        false => Ok(names),
    }
}

/// Asks the `up` that owns the run to stop it, and waits until it has.
async fn ask_owner(layout: &Layout, owner: ProcessRef) -> Result<(), TestnetError> {
    owner.terminate();
    let until = Instant::now() + OWNER_TIMEOUT;
    while owner::is_owned(layout) {
        if Instant::now() >= until {
            return Err(TestnetError::StillRunning(vec![format!("`testnet up` (pid {})", owner.pid)]));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// Kills the node `name` with SIGKILL, like a crash, waits until it has ended, and returns the pid that it had.
///
/// # Errors
/// [`TestnetError::NodeNotRunning`] when it does not run.
pub async fn kill(dir: &Path, name: &str) -> Result<u32, TestnetError> {
    let state = State::load(&Layout::new(dir))?;
    let process = alive(&state, name)?;
    let process = process.ok_or_else(|| TestnetError::NodeNotRunning(name.into()))?;
    process.kill();
    let mut processes = vec![(name.to_owned(), process)];
    stop::gone(&mut processes, START_TIMEOUT).await;
    match processes.is_empty() {
        true => Ok(process.pid),
        false => Err(TestnetError::StillRunning(vec![name.into()])),
    }
}

/// Restarts the node `name` of a running testnet, or its mock model server, as a process of `binary`, waits until it is
/// connected or answers, and returns its pid.
///
/// # Errors
/// [`TestnetError::NodeRunning`] when it runs, [`TestnetError::NotRunning`] when the testnet does not.
pub async fn start(dir: &Path, name: &str, binary: &Path) -> Result<u32, TestnetError> {
    start_with(dir, name, binary, &[]).await
}

/// [`start`] with more variables in the environment of the process.
///
/// # Errors
/// As for [`start`].
pub async fn start_with(
    dir: &Path,
    name: &str,
    binary: &Path,
    variables: &[(&str, String)],
) -> Result<u32, TestnetError> {
    let layout = Layout::new(dir);
    let state = State::load(&layout)?;
    let is_extra = state.mock_server(name).is_some() || state.chain(name).is_some();
    let node = if is_extra { None } else { Some(state.node(name)?) };
    if state.stage != Stage::Ready || !(state.any_alive() || state.living_owner().is_some()) {
        return Err(TestnetError::NotRunning(dir.into()));
    }
    state.can_start(name)?;
    let (mut children, process) = respawn(&layout, name, (binary, variables))?;
    match (node, state.mock_server(name)) {
        (Some(node), _) => connected(&layout, node, process, &mut children).await?,
        (None, Some(mock_server)) => mock_server::answers(&layout, mock_server, &mut children).await?,
        (None, None) => {}
    }
    children.release();
    Ok(process.pid)
}

/// Restarts the miner `name` as a process of `binary`, with the same experts at another quality in percent, and returns
/// its pid.
///
/// # Errors
/// [`TestnetError::NoExpert`] when it serves nothing, and those of [`kill`] and [`start`].
pub async fn degrade(dir: &Path, name: &str, percent: u8, binary: &Path) -> Result<u32, TestnetError> {
    let layout = Layout::new(dir);
    let state = State::load(&layout)?;
    let served = match state.mock_server(name) {
        Some(_) => Vec::new(),
        None if state.chain(name).is_some() => Vec::new(),
        None => state.node(name)?.experts.clone(),
    };
    if served.is_empty() {
        return Err(TestnetError::NoExpert(name.into()));
    }
    state.can_start(name)?;
    let experts: Vec<String> = served.iter().map(|served| with_quality(served, percent)).collect();
    kill(dir, name).await?;
    State::edit(&layout, |state| {
        for node in state.nodes.iter_mut().filter(|node| node.name == name) {
            node.experts.clone_from(&experts);
        }
    })?;
    start(dir, name, binary).await
}

/// The process of that name, if it still runs.
fn alive(state: &State, name: &str) -> Result<Option<ProcessRef>, TestnetError> {
    match (state.mock_server(name), state.chain(name)) {
        (Some(mock_server), _) => Ok(mock_server.alive()),
        (_, Some(chain)) => Ok(chain.alive()),
        (None, None) => Ok(state.node(name)?.alive()),
    }
}

/// The expert with another quality.
fn with_quality(expert: &str, percent: u8) -> String {
    let rest = expert.split(',').filter(|setting| !setting.trim_start().starts_with("quality="));
    let rest = rest.collect::<Vec<_>>().join(",");
    if percent < 100 { format!("{rest},quality={percent}") } else { rest }
}

/// Starts the process and writes it into the state under the edit lock: of two concurrent calls, one is refused.
fn respawn(
    layout: &Layout,
    name: &str,
    (binary, variables): (&Path, &[(&str, String)]),
) -> Result<(Children, ProcessRef), TestnetError> {
    let _turn = owner::edit_turn(layout)?;
    let mut state = State::load(layout)?;
    let stdin =
        owner::tied_stdin(layout, state.living_owner()).map_err(TestnetError::io("open", layout.alive()))?;
    let mock_server = state.mock_server(name);
    if let Some(process) = alive(&state, name)? {
        return Err(TestnetError::NodeRunning { name: name.into(), pid: process.pid });
    }
    let child = match (mock_server, state.chain(name)) {
        (Some(mock_server), _) => spawn_mock_server(binary, layout, mock_server.listen, stdin)?,
        (_, Some(chain)) => spawn_chain(layout, chain)?,
        (None, None) => spawn(binary, layout, (state.node(name)?, state.chain.as_ref()), stdin, variables)?,
    };
    let process = ProcessRef::of(child.id().unwrap_or_default());
    let mut children = Children::default();
    children.add(name, child, process);
    if let Some(mock_server) = state.mock_server.as_mut().filter(|_| name == MOCK_SERVER) {
        mock_server.process = Some(process);
    }
    if let Some(chain) = state.chain.as_mut().filter(|_| name == CHAIN) {
        chain.process = Some(process);
    }
    for node in state.nodes.iter_mut().filter(|node| node.name == name) {
        node.process = Some(process);
    }
    state.save(layout)?;
    Ok((children, process))
}

/// Waits until `node` is up and has a peer.
async fn connected(
    layout: &Layout,
    node: &NodeState,
    process: ProcessRef,
    children: &mut Children,
) -> Result<(), TestnetError> {
    let client = Client::new().map_err(|reason| TestnetError::BadState {
        path: layout.state(),
        reason: format!("cannot create an HTTP client: {reason}"),
    })?;
    let goal = Goal { peers: 1, experts: 0 };
    let watched = vec![WatchTarget {
        name: node.name.clone(),
        dir: layout.node(&node.name).dir().into(),
        pid: process.pid,
        gateway: node.role == Role::Gateway,
    }];
    let mut board = Board::new(&watched, goal);
    let (_watcher, mut news) = ready::watch(watched, goal, &client);
    let timeout = tokio::time::sleep(START_TIMEOUT);
    tokio::pin!(timeout);
    while board.count(crate::Phase::Connected).0 == 0 {
        tokio::select! {
            Some(news) = news.recv() => board.note(news),
            Some(ended) = children.next() => return Err(node_ended(layout, &ended)),
            () = &mut timeout => return Err(TestnetError::NotReady {
                waited: START_TIMEOUT,
                phase: crate::Phase::Connected,
                missing: board.missing(crate::Phase::Connected).into_iter().map(|(_, how)| how).collect(),
                name: node.name.clone(),
                log: logs::for_error(&layout.node(&node.name).log(), MAX_LOG_LINES),
            }),
        }
    }
    Ok(())
}

/// The node of the testnet in `dir` that commands should talk to: a living gateway, else any living node.
///
/// # Errors
/// [`TestnetError::NotATestnet`] or [`TestnetError::NotRunning`].
pub fn entry(dir: &Path) -> Result<NodeFile, TestnetError> {
    let layout = Layout::new(dir);
    let state = State::load(&layout)?;
    let mut living: Vec<_> = state.nodes.iter().filter(|node| node.alive().is_some()).collect();
    living.sort_by_key(|node| node.role != Role::Gateway);
    living
        .into_iter()
        .find_map(|node| {
            let file = NodeFile::read(layout.node(&node.name).dir()).ok()??;
            (node.process?.pid == file.pid).then_some(file)
        })
        .ok_or_else(|| TestnetError::NotRunning(dir.into()))
}
