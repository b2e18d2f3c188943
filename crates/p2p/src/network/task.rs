//! The task that owns the swarm: commands in, gossip out, connections kept.

mod event;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm,
    gossipsub::{IdentTopic, MessageAcceptance},
    kad,
    swarm::{DialError, dial_opts::DialOpts},
};
use nervure_primitives::NodeId;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    command::{Command, GossipMessage, Judged, PublishError, Verdict},
    dialer::Dialer,
    handle::{NetworkStatus, PeerInfo},
};
use crate::{Admission, NetworkConfig, behaviour::Behaviour};

/// Lookups in progress; more are answered with nothing.
const LOOKUPS: usize = 256;

/// Verdicts that wait for the task; whoever gives more waits.
const VERDICTS: usize = 1024;

/// When nothing is due to be dialled, look again after this.
const NOTHING_DUE: Duration = Duration::from_secs(60);

pub(super) struct Task {
    swarm: Swarm<Behaviour>,
    config: NetworkConfig,
    admission: Arc<dyn Admission>,
    gossip: mpsc::Sender<GossipMessage>,
    verdicts: mpsc::Sender<Judged>,
    judged: mpsc::Receiver<Judged>,
    dialer: Dialer,
    /// By connected peer, so bounded by the connection limits.
    peers: BTreeMap<PeerId, Peer>,
    lookups: HashMap<kad::QueryId, oneshot::Sender<Vec<NodeId>>>,
    status: NetworkStatus,
}

/// A connected peer.
struct Peer {
    node: NodeId,
    registered: bool,
    inbound: bool,
    address: Multiaddr,
    agent: String,
    rtt_ms: Option<f64>,
}

impl Task {
    pub(super) fn new(
        mut swarm: Swarm<Behaviour>,
        config: NetworkConfig,
        admission: Arc<dyn Admission>,
        gossip: mpsc::Sender<GossipMessage>,
    ) -> Result<Self, String> {
        for topic in &config.topics {
            let topic = IdentTopic::new(&topic.name);
            swarm.behaviour_mut().gossip.subscribe(&topic).map_err(|error| error.to_string())?;
        }
        let dialer = Dialer::new(&config.bootstrap, *swarm.local_peer_id())?;
        let (verdicts, judged) = mpsc::channel(VERDICTS);
        let (peers, lookups, status) = (BTreeMap::new(), HashMap::new(), NetworkStatus::default());
        Ok(Self { swarm, config, admission, gossip, verdicts, judged, dialer, peers, lookups, status })
    }

    /// Runs until `stop`, or until nobody holds a handle any more.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>, stop: CancellationToken) {
        loop {
            let due = self.dialer.next_due().unwrap_or_else(|| Instant::now() + NOTHING_DUE);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => break,
                },
                Some(judged) = self.judged.recv() => self.judge(judged),
                () = sleep_until(due) => self.dial(),
                event = self.swarm.select_next_some() => self.event(event),
            }
        }
    }

    /// A reply that nobody waits for any more is dropped.
    fn command(&mut self, command: Command) {
        match command {
            Command::Publish { topic, data, reply } => drop(reply.send(self.publish(&topic, data))),
            Command::Closest { key, reply } if self.lookups.len() < LOOKUPS => {
                let lookup = self.swarm.behaviour_mut().kad.get_closest_peers(key.as_bytes().to_vec());
                self.lookups.insert(lookup, reply);
            }
            Command::Closest { reply, .. } => drop(reply.send(Vec::new())),
            Command::Peers { reply } => drop(reply.send(self.peer_infos())),
            Command::Status { reply } => drop(reply.send(self.current_status())),
        }
    }

    fn publish(&mut self, topic: &str, data: Vec<u8>) -> Result<(), PublishError> {
        let Some(spec) = self.config.topics.iter().find(|spec| spec.name == topic) else {
            return Err(PublishError::Refused(format!("there is no topic {topic}")));
        };
        if data.len() > spec.max_len {
            return Err(PublishError::Refused(format!("{} bytes, at most {}", data.len(), spec.max_len)));
        }
        match self.swarm.behaviour_mut().gossip.publish(IdentTopic::new(topic), data) {
            Ok(_) | Err(libp2p::gossipsub::PublishError::Duplicate) => Ok(()),
            Err(libp2p::gossipsub::PublishError::NoPeersSubscribedToTopic) => Err(PublishError::Nobody),
            Err(error) => Err(PublishError::Refused(error.to_string())),
        }
    }

    fn judge(&mut self, judged: Judged) {
        let acceptance = match judged.verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject => {
                self.status.gossip_rejected += 1;
                MessageAcceptance::Reject
            }
        };
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(&judged.id, &judged.from, acceptance);
    }

    fn dial(&mut self) {
        for (peer, address) in self.dialer.take_due(Instant::now()) {
            let options = DialOpts::peer_id(peer).addresses(vec![address]).build();
            match self.swarm.dial(options) {
                Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => {}
                Err(error) => {
                    tracing::debug!(%peer, %error, "cannot dial a bootstrap node");
                    self.dialer.lost(&peer, Instant::now());
                }
            }
        }
    }

    fn peer_infos(&self) -> Vec<PeerInfo> {
        let info = |peer: &Peer| PeerInfo {
            node: peer.node,
            inbound: peer.inbound,
            rtt_ms: peer.rtt_ms,
            agent: peer.agent.clone(),
            address: peer.address.clone(),
        };
        self.peers.values().map(info).collect()
    }

    fn current_status(&mut self) -> NetworkStatus {
        let own = *self.swarm.local_peer_id();
        let listening =
            self.swarm.listeners().filter_map(|address| address.clone().with_p2p(own).ok()).collect();
        let buckets = self.swarm.behaviour_mut().kad.kbuckets();
        let routing_table = buckets.map(|bucket| bucket.num_entries()).sum::<usize>();
        NetworkStatus {
            connected: u32::try_from(self.peers.len()).unwrap_or(u32::MAX),
            listening,
            routing_table: u32::try_from(routing_table).unwrap_or(u32::MAX),
            ..self.status.clone()
        }
    }
}
