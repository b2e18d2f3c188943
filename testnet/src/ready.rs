//! Is it ready? One small task per node watches that node; the board puts their news together.
//!
//! Everything goes on at once: a node that is up is asked for its peers while others still start.
//! The phases are only how the board tells it, in order: one ends when all nodes are through it and
//! the phases before it ended.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use tokio::{sync::mpsc, task::JoinSet};

use crate::{NodeFile, Phase, client::Client};

/// Pause between two looks at a node. Short, as the start is measured; a look costs a node
/// some tens of microseconds.
const LOOK_EVERY: Duration = Duration::from_millis(30);

/// Least peers, where there are as many, that make a node count as connected.
const ENOUGH_PEERS: usize = 3;

/// What is waited for.
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
        // A bootstrap node surely meets the other bootstrap nodes, and somebody at all.
        let certain = bootstrap.saturating_sub(1).max(1);
        let peers = certain.min(ENOUGH_PEERS).min(nodes.saturating_sub(1));
        Self { peers: peers as u32, experts: experts as u32 }
    }
}

/// One node to watch.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    /// Its name.
    pub(crate) name: String,
    /// Its directory.
    pub(crate) dir: PathBuf,
    /// The pid that its `node.json` must name.
    pub(crate) pid: u32,
    /// Whether it must come to know the experts.
    pub(crate) gateway: bool,
}

/// News of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct News {
    name: String,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Up(SocketAddr),
    Peers(u32),
    Experts(u32),
}

/// Watches `nodes` until each has reached `goal`. The tasks end with the set.
pub(crate) fn watch(nodes: Vec<Watched>, goal: Goal, client: &Client) -> (JoinSet<()>, mpsc::Receiver<News>) {
    // When full, watchers wait for the board, which does nothing but read.
    let (sender, receiver) = mpsc::channel(64);
    let mut tasks = JoinSet::new();
    for node in nodes {
        tasks.spawn(watch_one(node, goal, client.clone(), sender.clone()));
    }
    (tasks, receiver)
}

async fn watch_one(node: Watched, goal: Goal, client: Client, news: mpsc::Sender<News>) {
    let tell = |what| {
        let message = News { name: node.name.clone(), what };
        async { news.send(message).await.is_ok() }
    };
    let http = loop {
        match NodeFile::read(&node.dir) {
            Ok(Some(file)) if file.pid == node.pid => break file.http,
            _ => tokio::time::sleep(LOOK_EVERY).await,
        }
    };
    let mut goes_on = tell(What::Up(http)).await;
    let mut told = (None, None);
    while goes_on {
        if let Ok(health) = client.health(http).await {
            if told.0 != Some(health.peers_connected) {
                told.0 = Some(health.peers_connected);
                goes_on = tell(What::Peers(health.peers_connected)).await;
            }
            if node.gateway && told.1 != Some(health.experts_known) {
                told.1 = Some(health.experts_known);
                goes_on &= tell(What::Experts(health.experts_known)).await;
            }
            if health.peers_connected >= goal.peers && (!node.gateway || health.experts_known >= goal.experts)
            {
                return;
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Who is how far.
#[derive(Debug)]
pub(crate) struct Board {
    goal: Goal,
    nodes: BTreeMap<String, Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    gateway: bool,
    http: Option<SocketAddr>,
    peers: u32,
    experts: u32,
}

impl Board {
    /// A board on which nobody has got anywhere.
    pub(crate) fn new(nodes: &[Watched], goal: Goal) -> Self {
        let seen = |gateway| Seen { gateway, http: None, peers: 0, experts: 0 };
        Self { goal, nodes: nodes.iter().map(|node| (node.name.clone(), seen(node.gateway))).collect() }
    }

    /// Takes in one piece of news. Connected once is connected: nodes come and go a little at first.
    pub(crate) fn note(&mut self, news: News) {
        if let Some(seen) = self.nodes.get_mut(&news.name) {
            match news.what {
                What::Up(http) => seen.http = Some(http),
                What::Peers(peers) => seen.peers = seen.peers.max(peers),
                What::Experts(experts) => seen.experts = experts,
            }
        }
    }

    /// How many of how many are through `phase`.
    pub(crate) fn count(&self, phase: Phase) -> (usize, usize) {
        match phase {
            Phase::Experts => {
                let gateways = self.nodes.values().filter(|seen| seen.gateway);
                let total = self.goal.experts;
                let known = gateways.map(|seen| seen.experts).min().unwrap_or(total);
                (known.min(total) as usize, total as usize)
            }
            _ => (self.nodes.values().filter(|seen| self.is_through(seen, phase)).count(), self.nodes.len()),
        }
    }

    /// The names of those that are not through `phase`, each with how far it is.
    pub(crate) fn missing(&self, phase: Phase) -> Vec<(String, String)> {
        let of = |seen: &Seen| match phase {
            Phase::Connected => format!("{} of {} peers", seen.peers, self.goal.peers),
            Phase::Experts => format!("knows {} of {} experts", seen.experts, self.goal.experts),
            _ => "not up".into(),
        };
        let behind = self.nodes.iter().filter(|(_, seen)| !self.is_through(seen, phase));
        behind.map(|(name, seen)| (name.clone(), of(seen))).collect()
    }

    /// Where the first gateway that is up listens for HTTP.
    pub(crate) fn gateway(&self) -> Option<(&str, SocketAddr)> {
        let mut gateways = self.nodes.iter().filter(|(_, seen)| seen.gateway);
        gateways.find_map(|(name, seen)| Some((name.as_str(), seen.http?)))
    }

    fn is_through(&self, seen: &Seen, phase: Phase) -> bool {
        match phase {
            Phase::Keys | Phase::Query => true,
            Phase::Nodes => seen.http.is_some(),
            Phase::Connected => seen.peers >= self.goal.peers,
            Phase::Experts => !seen.gateway || seen.experts >= self.goal.experts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> Board {
        let watched = |name: &str, gateway| Watched { name: name.into(), dir: "/x".into(), pid: 1, gateway };
        Board::new(&[watched("a", false), watched("g", true)], Goal { peers: 1, experts: 2 })
    }

    fn news(name: &str, what: What) -> News {
        News { name: name.into(), what }
    }

    #[test]
    fn the_goal_is_never_more_than_the_mesh_can_give() {
        assert_eq!(Goal::new(13, 4, 8), Goal { peers: 3, experts: 8 });
        assert_eq!(Goal::new(4, 1, 2), Goal { peers: 1, experts: 2 });
        assert_eq!(Goal::new(1, 1, 0), Goal { peers: 0, experts: 0 });
    }

    #[test]
    fn counts_follow_the_news() {
        let mut board = board();
        let http = ([127, 0, 0, 1], 1).into();
        assert_eq!(board.count(Phase::Nodes), (0, 2));
        assert_eq!(board.gateway(), None);
        board.note(news("g", What::Up(http)));
        board.note(news("g", What::Experts(1)));
        board.note(news("stranger", What::Peers(9)));
        assert_eq!(board.count(Phase::Nodes), (1, 2));
        assert_eq!(board.count(Phase::Experts), (1, 2));
        assert_eq!(board.gateway(), Some(("g", http)));
        assert_eq!(board.missing(Phase::Experts), [("g".into(), "knows 1 of 2 experts".into())]);
        board.note(news("g", What::Experts(5)));
        assert_eq!(board.count(Phase::Experts), (2, 2));
        assert!(board.missing(Phase::Experts).is_empty());
    }

    #[test]
    fn losing_a_peer_again_is_no_way_back() {
        let mut board = board();
        board.note(news("a", What::Peers(1)));
        board.note(news("a", What::Peers(0)));
        assert_eq!(board.count(Phase::Connected), (1, 2));
        assert_eq!(board.missing(Phase::Connected), [("g".into(), "0 of 1 peers".into())]);
    }

    #[test]
    fn without_gateways_nobody_need_know_experts() {
        let watched = Watched { name: "a".into(), dir: "/x".into(), pid: 1, gateway: false };
        let board = Board::new(&[watched], Goal { peers: 0, experts: 4 });
        assert_eq!(board.count(Phase::Experts), (4, 4));
    }
}
