//! Questions to a node that no other can dial: it takes places at relays by itself, and a direct connection goes before a
//! relayed one.

use std::{sync::Arc, time::Duration};

use nervure_p2p::{Multiaddr, StreamError, StreamNeeds};
use nervure_primitives::NodeId;
use prometheus_client::{encoding::text::encode, registry::Registry};

use crate::cluster::{Mesh, Node, eventually};

/// A mesh with relays.
struct Relays {
    mesh: Mesh,
    relays: Vec<Node>,
    addresses: Vec<Multiaddr>,
}

impl Relays {
    async fn new(count: u8) -> Self {
        let mesh = Mesh::new(1);
        let (mut relays, mut addresses): (Vec<Node>, Vec<Multiaddr>) = (Vec::new(), Vec::new());
        for seed in 0..count {
            let mut config = mesh.config(seed);
            config.reach.relay_server = true;
            // They know each other, so that lookups find them.
            config.bootstrap = addresses.iter().take(1).cloned().collect();
            let relay = mesh.start(config);
            addresses.push(relay.address().await);
            relays.push(relay);
        }
        eventually("the first relay knows the others", async || {
            relays[0].status().await.routing_table + 1 >= u32::from(count)
        })
        .await;
        Self { mesh, relays, addresses }
    }

    /// A node without a listen address, which is connected to all relays and accepts questions.
    async fn hidden(&self, auto_relay: bool, hole_punching: bool) -> Node {
        let mut config = self.mesh.config(100);
        config.listen = Vec::new();
        config.bootstrap = self.addresses.clone();
        (config.reach.auto_relay, config.reach.hole_punching) = (auto_relay, hole_punching);
        let node = self.mesh.start(config);
        let mut streams = node.handle.query_streams().unwrap();
        tokio::spawn(async move { while streams.next().await.is_some() {} });
        eventually("it is connected to the relays", async || {
            node.status().await.connected as usize >= self.relays.len()
        })
        .await;
        node
    }

    /// A node that listens, and that knows the first relay only. It is a stranger: others do not dial it by themselves.
    async fn asker(&self, hole_punching: bool) -> Node {
        let mut config = self.mesh.stranger(101);
        config.bootstrap = self.addresses[..1].to_vec();
        config.reach.hole_punching = hole_punching;
        let node = self.mesh.start(config);
        let first = self.relays[0].id();
        eventually("the asker is connected", async || node.is_connected_to(first).await).await;
        eventually("it can look nodes up", async || node.status().await.routing_table > 0).await;
        node
    }
}

/// The circuits that a node listens on.
async fn circuits(node: &Node) -> Vec<String> {
    let listening = node.status().await.listening;
    listening.iter().map(ToString::to_string).filter(|address| address.contains("p2p-circuit")).collect()
}

/// The relays that a node has places at.
async fn places(node: &Node) -> Vec<NodeId> {
    let circuits = circuits(node).await;
    let relay = |circuit: &String| circuit.split("/p2p/").nth(1)?.split('/').next()?.parse().ok();
    circuits.iter().filter_map(relay).collect()
}

/// Streams for questions that a node opened over this road.
fn opened(node: &Node, road: &str) -> u64 {
    let (mut registry, mut text) = (Registry::default(), String::new());
    node.handle.metrics().register(&mut registry);
    encode(&mut text, &registry).unwrap();
    let name = format!("query_streams_total{{road=\"{road}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_node_that_cannot_be_dialled_takes_places_at_relays_and_replaces_lost_ones() {
    let mut relays = Relays::new(4).await;
    let hidden = relays.hidden(true, false).await;
    eventually("it has places at three of four relays", async || circuits(&hidden).await.len() == 3).await;
    let asker = relays.asker(false).await;
    asker.handle.query_stream(hidden.id(), &places(&hidden).await, StreamNeeds::NONE).await.unwrap();
    assert_eq!((opened(&asker, "direct"), opened(&asker, "relayed")), (0, 1));

    let used = circuits(&hidden).await;
    let holds = |relay: &Node| used.iter().any(|circuit| circuit.contains(&relay.id().peer_id().to_string()));
    let number = relays.relays.iter().position(holds).unwrap();
    let lost = relays.relays.remove(number).id().peer_id().to_string();
    eventually("it has three places again, at others", async || {
        let now = circuits(&hidden).await;
        now.len() == 3 && now.iter().all(|circuit| !circuit.contains(&lost))
    })
    .await;
}

#[tokio::test]
async fn without_relays_of_its_own_it_is_not_reached() {
    let relays = Relays::new(2).await;
    let hidden = relays.hidden(false, false).await;
    let asker = relays.asker(false).await;
    for relays in [Vec::new(), vec![relays.relays[0].id()], vec![relays.relays[1].id()]] {
        let unreached = asker.handle.query_stream(hidden.id(), &relays, StreamNeeds::NONE).await.unwrap_err();
        assert!(matches!(unreached, StreamError::Unreachable(_)), "{unreached:?}");
    }
    assert!(circuits(&hidden).await.is_empty());
}

#[tokio::test]
async fn a_direct_connection_goes_before_the_relayed_one() {
    for (hole_punching, expected) in [(true, (4, 0)), (false, (0, 4))] {
        let relays = Relays::new(1).await;
        let hidden = relays.hidden(true, hole_punching).await;
        eventually("it has a place at the relay", async || circuits(&hidden).await.len() == 1).await;
        let asker = Arc::new(relays.asker(hole_punching).await);
        let ask = || {
            let (asker, node) = (asker.clone(), hidden.id());
            async move { asker.handle.query_stream(node, &[], StreamNeeds::NONE).await.map(drop) }
        };
        let answers = tokio::join!(ask(), ask(), ask());
        assert_eq!(answers, (Ok(()), Ok(()), Ok(())));
        assert_eq!(ask().await, Ok(()));
        assert_eq!((opened(&asker, "direct"), opened(&asker, "relayed")), expected);
    }
}

/// The relays of these tests carry 16 MiB for ten minutes.
#[tokio::test]
async fn a_question_that_a_relay_does_not_carry_is_refused_before_it_is_sent() {
    let most = StreamNeeds { bytes: 16 << 20, time: Duration::from_secs(600) };
    let too_much = [
        StreamNeeds { bytes: most.bytes + 1, ..most },
        StreamNeeds { time: most.time + Duration::from_secs(1), ..most },
    ];
    for hole_punching in [false, true] {
        let relays = Relays::new(1).await;
        let hidden = relays.hidden(true, hole_punching).await;
        eventually("it has a place at the relay", async || circuits(&hidden).await.len() == 1).await;
        let asker = relays.asker(hole_punching).await;
        let ask = async |needs| asker.handle.query_stream(hidden.id(), &[], needs).await.map(drop);
        assert_eq!(ask(most).await, Ok(()));
        for needs in too_much {
            let asked = ask(needs).await;
            match hole_punching {
                // From machine to machine there is no limit.
                true => assert_eq!(asked, Ok(())),
                false => assert!(matches!(asked, Err(StreamError::BeyondRelay(_))), "{asked:?}"),
            }
        }
        assert_eq!(opened(&asker, "relayed"), u64::from(!hole_punching));
    }
}

#[tokio::test]
async fn a_node_that_listens_takes_no_places() {
    let relays = Relays::new(2).await;
    let mut config = relays.mesh.config(102);
    config.bootstrap = relays.addresses.clone();
    config.reach.auto_relay = true;
    let node = relays.mesh.start(config);
    eventually("the relays are identified", async || node.status().await.routing_table >= 2).await;
    // A later node takes its places: the earlier one would have by now.
    let hidden = relays.hidden(true, false).await;
    eventually("another node has places", async || circuits(&hidden).await.len() == 2).await;
    assert!(circuits(&node).await.is_empty());
}
