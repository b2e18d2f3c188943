//! Prepares a run: takes the directory, and removes the state of an earlier run and writes keys, ports and mesh spec, or
//! takes those of the earlier one up again.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    os::unix::fs::DirBuilderExt,
    path::Path,
};

use nervure_anchor::AnchorKey;
use nervure_ledger::spec::Role;
use nervure_primitives::{NodeId, NodeKey, key_file};
use tokio_util::sync::CancellationToken;

use crate::{
    Event, Layout, Progress, TestnetError, UpOptions,
    mesh::mesh_spec,
    mock_server::MockServerState,
    owner::Owner,
    plan::{MinerExperts, NodePlan},
    state::{NodeState, Stage, State},
    stop, subnets,
};

/// Files that a directory may have before it becomes a testnet's: a run that was killed at once leaves these.
const OWN_FILES: [&str; 2] = ["lock", "edit.lock"];

/// Takes the directory for a run: creates it, locks it, and removes the state of an earlier run unless that is resumed.
///
/// # Errors
/// When the testnet already runs, the directory has other files, or there is nothing to resume.
pub(crate) async fn claim(
    layout: &Layout,
    resume: bool,
    progress: &mut dyn Progress,
) -> Result<Owner, TestnetError> {
    if resume && !layout.state().exists() {
        return Err(TestnetError::NotATestnet(layout.dir().into()));
    }
    make_dir(layout.dir())?;
    if !layout.state().exists() && has_foreign_files(layout.dir())? {
        return Err(TestnetError::ForeignDirectory(layout.dir().into()));
    }
    let owner = Owner::acquire(layout)?;
    match State::load(layout) {
        Err(TestnetError::NotATestnet(_)) => return Ok(owner),
        Err(error) => return Err(error),
        Ok(state) if state.is_sound() => {
            return Err(TestnetError::AlreadyRunning { dir: layout.dir().into(), owner: None });
        }
        Ok(state) => {
            stop_left(&state, progress).await?;
            if !resume {
                if layout.nodes().exists() {
                    progress.event(&Event::Replaced { mesh: state.mesh });
                }
                remove_nodes(layout)?;
            }
        }
    }
    Ok(owner)
}

/// The state of the testnet that was stopped here, as one whose processes are still to be started.
pub(crate) fn resumed(layout: &Layout, binary: &Path) -> Result<State, TestnetError> {
    let state = State::load(layout)?;
    let refused = |reason| TestnetError::NotResumable { dir: layout.dir().into(), reason };
    if state.chain.is_some() {
        return Err(refused("its checkpoints are in a contract on a local chain, which is gone"));
    }
    if state.nodes.iter().any(|node| !layout.node(&node.name).key().exists()) {
        return Err(refused("a node's key is missing"));
    }
    let state = state.again(binary.into());
    state.save(layout)?;
    Ok(state)
}

/// Stops the remaining processes of an earlier run.
async fn stop_left(state: &State, progress: &mut dyn Progress) -> Result<(), TestnetError> {
    let left = state.living();
    let stopped = left.iter().map(|(name, _)| name.clone()).collect();
    stop::stop(left, &CancellationToken::new(), progress).await?;
    if state.stage != Stage::Stopped {
        progress.event(&Event::Cleaned { stopped });
    }
    Ok(())
}

/// Removes the nodes' directories: of an earlier run, or of a start that is retried with other keys, whose files are of
/// another mesh.
pub(crate) fn remove_nodes(layout: &Layout) -> Result<(), TestnetError> {
    match fs::remove_dir_all(layout.nodes()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(TestnetError::io("remove", layout.nodes())(error))
        }
        _ => Ok(()),
    }
}

/// Writes the state, keys and mesh spec of a new run.
pub(crate) fn write(layout: &Layout, options: &UpOptions) -> Result<State, TestnetError> {
    let mock_server = mock_server(options)?;
    let url = mock_server.as_ref().map(MockServerState::url);
    let further = subnets::experts(options.upstream.as_ref(), url.as_deref()).to_vec();
    let plan = options.shape.plan(&MinerExperts { each: options.experts.clone(), further })?;
    let ports = free_ports(options.shape.validators).map_err(TestnetError::io("find", "a free port"))?;
    let mut ports = ports.into_iter();
    let mut keys = Vec::with_capacity(plan.len());
    let mut nodes = Vec::with_capacity(plan.len());
    for planned in plan {
        let key = NodeKey::generate().map_err(|error| TestnetError::Randomness(error.to_string()))?;
        let port = if planned.role == Role::Validator { ports.next() } else { None };
        nodes.push(node_state(planned, &key, port));
        keys.push(key);
    }
    let owner = NodeKey::generate().map_err(|error| TestnetError::Randomness(error.to_string()))?;
    let anchors = nodes.iter().filter(|node| node.role == Role::Validator).map(|node| {
        let key = AnchorKey::generate().map_err(|error| TestnetError::Randomness(error.to_string()))?;
        Ok((node.node, key))
    });
    let anchors: BTreeMap<NodeId, AnchorKey> = anchors.collect::<Result<_, TestnetError>>()?;
    let addresses = anchors.iter().map(|(node, key)| (*node, key.address())).collect();
    let spec = mesh_spec(options, &nodes, &addresses, owner.node_id())?;
    let state = State::new(spec.mesh_id(), options.binary.clone(), nodes, mock_server);
    // First, so that the directory counts as a testnet's if the next steps fail.
    state.save(layout)?;
    fs::write(layout.mesh(), spec.to_toml()).map_err(TestnetError::io("write", layout.mesh()))?;
    let keys = state.nodes.iter().map(|node| layout.node(&node.name).key()).zip(&keys);
    for (path, key) in keys.chain([(layout.owner_key(), &owner)]) {
        // A retried start finds the keys of the first attempt.
        remove_if_there(&path)?;
        key_file::create(&path, key, None)?;
    }
    for (node, key) in state.nodes.iter().filter_map(|node| Some((node, anchors.get(&node.node)?))) {
        let path = layout.node(&node.name).anchor_key();
        remove_if_there(&path)?;
        key.write(&path)?;
    }
    Ok(state)
}

/// The mock model server, if one is needed: without named experts, it serves what the user's own model server does not.
fn mock_server(options: &UpOptions) -> Result<Option<MockServerState>, TestnetError> {
    let enough = options.upstream.as_ref().is_some_and(|server| server.embedding.is_some());
    if !options.experts.is_empty() || options.shape.miners == 0 || enough {
        return Ok(None);
    }
    Ok(Some(MockServerState { listen: free_address()?, process: None }))
}

/// A port on loopback that is free now.
pub(crate) fn free_address() -> Result<SocketAddr, TestnetError> {
    let ports = free_ports(1).map_err(TestnetError::io("find", "a free port"))?;
    Ok((Ipv4Addr::LOCALHOST, ports.first().copied().unwrap_or_default()).into())
}

fn node_state(planned: NodePlan, key: &NodeKey, p2p_port: Option<u16>) -> NodeState {
    NodeState {
        name: planned.name,
        role: planned.role,
        experts: planned.experts,
        netuids: planned.netuids,
        node: key.node_id(),
        p2p_port,
        process: None,
    }
}

fn make_dir(dir: &Path) -> Result<(), TestnetError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(TestnetError::io("make", dir))
}

fn has_foreign_files(dir: &Path) -> Result<bool, TestnetError> {
    for entry in fs::read_dir(dir).map_err(TestnetError::io("read", dir))? {
        let name = entry.map_err(TestnetError::io("read", dir))?.file_name();
        if !OWN_FILES.iter().any(|own| name == *own) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn remove_if_there(path: &Path) -> Result<(), TestnetError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(TestnetError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Ports on loopback that are free for UDP and TCP now. Another process may take one before the node does; then the
/// start is retried.
fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    // All sockets stay open until the end, so that no port is chosen twice.
    let mut held = Vec::with_capacity(count);
    let mut refused = 0;
    while held.len() < count {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = udp.local_addr()?.port();
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(tcp) => held.push((port, udp, tcp)),
            Err(error) if refused == 100 => return Err(error),
            Err(_) => refused += 1,
        }
    }
    Ok(held.into_iter().map(|(port, ..)| port).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Silent;

    #[test]
    fn free_ports_are_distinct_and_free() {
        let ports = free_ports(8).unwrap();
        let distinct: std::collections::BTreeSet<_> = ports.iter().collect();
        assert_eq!(distinct.len(), 8);
        assert!(ports.iter().all(|port| *port > 0));
    }

    #[tokio::test]
    async fn does_not_touch_a_directory_with_other_files() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.tex"), "x").unwrap();
        let layout = Layout::new(dir.path());
        let error = claim(&layout, false, &mut Silent).await.unwrap_err();
        assert!(matches!(error, TestnetError::ForeignDirectory(_)), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was written");
    }

    #[tokio::test]
    async fn claims_a_directory_again_after_an_unused_claim() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().join("new"));
        drop(claim(&layout, false, &mut Silent).await.unwrap());
        claim(&layout, false, &mut Silent).await.unwrap();
    }

    /// A start that is retried makes other keys, so that the chain of the first attempt is of another mesh.
    #[test]
    fn a_retried_start_finds_no_chain_of_the_first_attempt() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let chain = layout.nodes().join("validator-1").join("chain.redb");
        fs::create_dir_all(chain.parent().unwrap()).unwrap();
        fs::write(&chain, "of another mesh").unwrap();
        remove_nodes(&layout).unwrap();
        assert!(!chain.exists());
        remove_nodes(&layout).unwrap();
    }
}
