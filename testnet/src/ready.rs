//! Decides when a testnet is ready: one task per node watches that node, and the board collects their news.
//!
//! All nodes are watched at once: one that is up is asked for its peers while others still start. The phases are only
//! how the board reports this, in order: a phase ends when all nodes have completed it and the earlier phases.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use tokio::{sync::mpsc, task::JoinSet};

use crate::{NodeFile, Phase, client::Client};

/// How often a node is asked. Short, because the start is measured; a request costs a node some tens of microseconds.
const POLL_INTERVAL: Duration = Duration::from_millis(30);

/// Fewest peers of a connected node, in meshes with that many nodes.
const MIN_PEERS: usize = 3;

/// The state that every node has to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Goal {
    /// Peers that every node must have.
    pub(crate) peers: u32,
    /// Experts that every gateway must know.
    pub(crate) experts: u32,
}

impl Goal {
    /// For a mesh of `nodes`, of which `bootstrap` are known to all from the start, with `experts`.
    pub(crate) fn new(nodes: usize, bootstrap: usize, experts: usize) -> Self {
        // A bootstrap node always connects to the other bootstrap nodes, and to at least one node.
        let certain = bootstrap.saturating_sub(1).max(1);
        let peers = certain.min(MIN_PEERS).min(nodes.saturating_sub(1));
        Self { peers: peers as u32, experts: experts as u32 }
    }
}

/// A node to watch.
#[derive(Clone, Debug)]
pub(crate) struct WatchTarget {
    /// Its name.
    pub(crate) name: String,
    /// Its directory.
    pub(crate) dir: PathBuf,
    /// The pid that its `node.json` must name.
    pub(crate) pid: u32,
    /// Whether it has to find all experts.
    pub(crate) gateway: bool,
}

/// News of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    name: String,
    change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Up(SocketAddr),
    Peers(u32),
    Experts(u32),
}

/// Watches `nodes` until each has reached `goal`. The tasks end with the set.
pub(crate) fn watch(
    nodes: Vec<WatchTarget>,
    goal: Goal,
    client: &Client,
) -> (JoinSet<()>, mpsc::Receiver<News>) {
    // When it is full, the watchers wait for the board, which only reads.
    let (sender, receiver) = mpsc::channel(64);
    let mut tasks = JoinSet::new();
    for node in nodes {
        tasks.spawn(watch_one(node, goal, client.clone(), sender.clone()));
    }
    (tasks, receiver)
}

async fn watch_one(node: WatchTarget, goal: Goal, client: Client, news: mpsc::Sender<News>) {
    let send = |change| {
        let message = News { name: node.name.clone(), change };
        async { news.send(message).await.is_ok() }
    };
    let http = loop {
        match NodeFile::read(&node.dir) {
            Ok(Some(file)) if file.pid == node.pid => break file.http,
            _ => tokio::time::sleep(POLL_INTERVAL).await,
        }
    };
    let mut open = send(Change::Up(http)).await;
    let mut sent = (None, None);
    while open {
        if let Ok(health) = client.health(http).await {
            if sent.0 != Some(health.peers_connected) {
                sent.0 = Some(health.peers_connected);
                open = send(Change::Peers(health.peers_connected)).await;
            }
            if node.gateway && sent.1 != Some(health.experts_known) {
                sent.1 = Some(health.experts_known);
                open &= send(Change::Experts(health.experts_known)).await;
            }
            if health.peers_connected >= goal.peers && (!node.gateway || health.experts_known >= goal.experts)
            {
                return;
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The progress of all nodes.
#[derive(Debug)]
pub(crate) struct Board {
    goal: Goal,
    nodes: BTreeMap<String, NodeProgress>,
}

#[derive(Clone, Copy, Debug)]
struct NodeProgress {
    gateway: bool,
    http: Option<SocketAddr>,
    peers: u32,
    experts: u32,
}

impl Board {
    /// A board on which no node is up.
    pub(crate) fn new(nodes: &[WatchTarget], goal: Goal) -> Self {
        let progress = |gateway| NodeProgress { gateway, http: None, peers: 0, experts: 0 };
        Self { goal, nodes: nodes.iter().map(|node| (node.name.clone(), progress(node.gateway))).collect() }
    }

    /// Records news. A node that was connected once counts as connected: peers come and go during the start.
    pub(crate) fn note(&mut self, news: News) {
        if let Some(progress) = self.nodes.get_mut(&news.name) {
            match news.change {
                Change::Up(http) => progress.http = Some(http),
                Change::Peers(peers) => progress.peers = progress.peers.max(peers),
                Change::Experts(experts) => progress.experts = experts,
            }
        }
    }

    /// How many nodes or experts have completed `phase`, and how many there are.
    pub(crate) fn count(&self, phase: Phase) -> (usize, usize) {
        match phase {
            Phase::Experts => {
                let gateways = self.nodes.values().filter(|progress| progress.gateway);
                let total = self.goal.experts;
                let known = gateways.map(|progress| progress.experts).min().unwrap_or(total);
                (known.min(total) as usize, total as usize)
            }
            _ => (
                self.nodes.values().filter(|progress| self.has_completed(progress, phase)).count(),
                self.nodes.len(),
            ),
        }
    }

    /// The names of the nodes that have not completed `phase`, each with its progress.
    pub(crate) fn missing(&self, phase: Phase) -> Vec<(String, String)> {
        let of = |progress: &NodeProgress| match phase {
            Phase::Connected => format!("{} of {} peers", progress.peers, self.goal.peers),
            Phase::Experts => format!("knows {} of {} experts", progress.experts, self.goal.experts),
            _ => "not up".into(),
        };
        let behind = self.nodes.iter().filter(|(_, progress)| !self.has_completed(progress, phase));
        behind.map(|(name, progress)| (name.clone(), of(progress))).collect()
    }

    /// The first gateway that is up, with its HTTP address.
    pub(crate) fn gateway(&self) -> Option<(&str, SocketAddr)> {
        let mut gateways = self.nodes.iter().filter(|(_, progress)| progress.gateway);
        gateways.find_map(|(name, progress)| Some((name.as_str(), progress.http?)))
    }

    fn has_completed(&self, progress: &NodeProgress, phase: Phase) -> bool {
        match phase {
            Phase::Keys | Phase::Query => true,
            Phase::Nodes => progress.http.is_some(),
            Phase::Connected => progress.peers >= self.goal.peers,
            Phase::Experts => !progress.gateway || progress.experts >= self.goal.experts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> Board {
        let watched =
            |name: &str, gateway| WatchTarget { name: name.into(), dir: "/x".into(), pid: 1, gateway };
        Board::new(&[watched("a", false), watched("g", true)], Goal { peers: 1, experts: 2 })
    }

    fn news(name: &str, change: Change) -> News {
        News { name: name.into(), change }
    }

    #[test]
    fn sets_a_goal_that_the_mesh_can_reach() {
        assert_eq!(Goal::new(13, 4, 8), Goal { peers: 3, experts: 8 });
        assert_eq!(Goal::new(4, 1, 2), Goal { peers: 1, experts: 2 });
        assert_eq!(Goal::new(1, 1, 0), Goal { peers: 0, experts: 0 });
    }

    #[test]
    fn counts_the_news() {
        let mut board = board();
        let http = ([127, 0, 0, 1], 1).into();
        assert_eq!(board.count(Phase::Nodes), (0, 2));
        assert_eq!(board.gateway(), None);
        board.note(news("g", Change::Up(http)));
        board.note(news("g", Change::Experts(1)));
        board.note(news("stranger", Change::Peers(9)));
        assert_eq!(board.count(Phase::Nodes), (1, 2));
        assert_eq!(board.count(Phase::Experts), (1, 2));
        assert_eq!(board.gateway(), Some(("g", http)));
        assert_eq!(board.missing(Phase::Experts), [("g".into(), "knows 1 of 2 experts".into())]);
        board.note(news("g", Change::Experts(5)));
        assert_eq!(board.count(Phase::Experts), (2, 2));
        assert!(board.missing(Phase::Experts).is_empty());
    }

    #[test]
    fn keeps_a_node_connected_that_loses_a_peer() {
        let mut board = board();
        board.note(news("a", Change::Peers(1)));
        board.note(news("a", Change::Peers(0)));
        assert_eq!(board.count(Phase::Connected), (1, 2));
        assert_eq!(board.missing(Phase::Connected), [("g".into(), "0 of 1 peers".into())]);
    }

    #[test]
    fn does_not_wait_for_experts_without_gateways() {
        let watched = WatchTarget { name: "a".into(), dir: "/x".into(), pid: 1, gateway: false };
        let board = Board::new(&[watched], Goal { peers: 0, experts: 4 });
        assert_eq!(board.count(Phase::Experts), (4, 4));
    }
}
