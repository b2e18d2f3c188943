//! The properties of our score parameters. The formula is gossipsub's (specification v1.1, "The score function").

use nervure_primitives::{MeshId, NodeKey};
use proptest::prelude::*;

use super::*;
use crate::TopicSpec;

/// A peer's conduct on one topic.
#[derive(Clone, Copy, Debug)]
struct Conduct {
    seconds_in_mesh: f64,
    first_deliveries: f64,
    rejected: f64,
}

/// The score of a peer with this conduct on each topic.
fn score(parameters: &PeerScoreParams, conduct: &[Conduct], excess: f64) -> f64 {
    let topics = parameters.topics.values().zip(conduct).map(|(topic, conduct)| {
        let time = conduct.seconds_in_mesh / topic.time_in_mesh_quantum.as_secs_f64();
        let gained = time.min(topic.time_in_mesh_cap) * topic.time_in_mesh_weight
            + conduct.first_deliveries.min(topic.first_message_deliveries_cap)
                * topic.first_message_deliveries_weight;
        (gained + conduct.rejected.powi(2) * topic.invalid_message_deliveries_weight) * topic.topic_weight
    });
    let mut sum: f64 = topics.sum();
    if parameters.topic_score_cap > 0.0 {
        sum = sum.min(parameters.topic_score_cap);
    }
    sum - excess * parameters.app_specific_weight
}

fn parameters(topics: usize) -> PeerScoreParams {
    let mut config =
        NetworkConfig::new(NodeKey::from_seed(&[1; 32]), MeshId::from_bytes([1; 32]), AddressScope::Public);
    config.topics = (0..topics).map(|number| TopicSpec::new(number.to_string(), 100)).collect();
    scores(&config)
}

fn conduct() -> impl Strategy<Value = Conduct> {
    (0.0..1e6, 0.0..1e6).prop_map(|(seconds_in_mesh, first_deliveries)| Conduct {
        seconds_in_mesh,
        first_deliveries,
        rejected: 0.0,
    })
}

/// The conduct with so many rejected messages on the first topic.
fn misbehave(conduct: &[Conduct], rejected: u32) -> Vec<Conduct> {
    let mut conduct = conduct.to_vec();
    conduct[0].rejected = rejected.into();
    conduct
}

proptest! {
    #[test]
    fn one_fault_outweighs_all_merit(conduct in prop::collection::vec(conduct(), 1..40)) {
        let parameters = parameters(conduct.len());
        // Whatever the class adds.
        prop_assert!(score(&parameters, &misbehave(&conduct, 1), -MAX_CLASS_SCORE) < 0.0);
        prop_assert!(score(&parameters, &misbehave(&conduct, 3), -MAX_CLASS_SCORE) < GRAYLIST_THRESHOLD);
    }

    #[test]
    fn more_faults_are_strictly_worse(conduct in prop::collection::vec(conduct(), 1..40), faults in 0u32..1000) {
        let parameters = parameters(conduct.len());
        let (less, more) = (misbehave(&conduct, faults), misbehave(&conduct, faults + 1));
        prop_assert!(score(&parameters, &more, 0.0) < score(&parameters, &less, 0.0));
        prop_assert!(score(&parameters, &less, 1.0) < score(&parameters, &less, 0.0));
    }

    #[test]
    fn honest_peers_are_never_below_zero(conduct in prop::collection::vec(conduct(), 1..40)) {
        prop_assert!(score(&parameters(conduct.len()), &conduct, 0.0) >= 0.0);
    }

    #[test]
    fn merit_is_bounded(conduct in prop::collection::vec(conduct(), 1..40)) {
        prop_assert!(score(&parameters(conduct.len()), &conduct, 0.0) <= MAX_GAIN + 1e-9);
    }
}

/// The score of a peer with perfect conduct on three topics, and one fault.
fn spoiled(parameters: &PeerScoreParams) -> f64 {
    let perfect = Conduct { seconds_in_mesh: 1e6, first_deliveries: 1e6, rejected: 0.0 };
    score(parameters, &misbehave(&[perfect; 3], 1), 0.0)
}

#[test]
fn a_cap_over_generous_topics_would_hide_the_fault() {
    assert!(spoiled(&parameters(3)) < 0.0);
    let mut generous = parameters(3);
    generous.topic_score_cap = MAX_GAIN;
    generous.topics.values_mut().for_each(|topic| topic.first_message_deliveries_weight = 100.0);
    assert!(spoiled(&generous) > 0.0, "this is what the property catches");
}

#[test]
fn libp2p_accepts_the_parameters() {
    for topics in [0, 1, 40] {
        parameters(topics).validate().unwrap();
    }
    thresholds().validate().unwrap();
}

/// A peer may subscribe to the configured topics and to the members of families, and to no other topic.
#[test]
fn families_bound_the_subscriptions_of_peers() {
    let mut config =
        NetworkConfig::new(NodeKey::from_seed(&[1; 32]), MeshId::from_bytes([1; 32]), AddressScope::Public);
    config.topics = vec![TopicSpec::new("a", 100)];
    let hash = |name: &str| IdentTopic::new(name).hash();
    let mut closed = filter(&config);
    assert!(closed.can_subscribe(&hash("a")) && !closed.can_subscribe(&hash("f/7")));
    config.families = vec![TopicFamily { each: TopicSpec::new("f/", 100), most: 128 }];
    let mut open = filter(&config);
    assert!(open.can_subscribe(&hash("a")) && open.can_subscribe(&hash("f/7")));
    assert!(!open.can_subscribe(&hash("f/70000")) && !open.can_subscribe(&hash("g/7")));
    assert_eq!((closed.max_subscribed_topics, open.max_subscribed_topics), (1, 129));
}

/// With any number of topics, all together give less than one fault costs.
#[test]
fn added_topics_share_the_maximal_gain() {
    for topics in [1usize, 2, 9, 140] {
        let one = topic_scores(share(topics));
        let gained = one.time_in_mesh_cap * one.time_in_mesh_weight
            + one.first_message_deliveries_cap * one.first_message_deliveries_weight;
        assert!(gained * topics as f64 <= MAX_GAIN + 1e-9 && MAX_GAIN < -REJECTED_MESSAGE_WEIGHT);
    }
    let gone = topic_scores(0.0);
    assert_eq!((gone.time_in_mesh_weight, gone.first_message_deliveries_weight), (0.0, 0.0));
    gone.validate().unwrap();
}

/// The cost of protocol faults and of messages that were taken too late.
fn slips(parameters: &PeerScoreParams, slips: usize, late: usize) -> f64 {
    let over = |count: usize, free: f64| (count as f64 - free).max(0.0).powi(2);
    over(slips, parameters.behaviour_penalty_threshold) * parameters.behaviour_penalty_weight
        + over(late, parameters.slow_peer_threshold) * parameters.slow_peer_weight
}

#[test]
fn a_restarted_node_loses_no_score_and_a_flooding_node_does() {
    for topics in [1, 6, 40] {
        let parameters = parameters(topics);
        assert_eq!(slips(&parameters, topics * MAX_EARLY_GRAFTS_PER_TOPIC, 10_000), 0.0);
        assert!(
            slips(&parameters, topics * MAX_EARLY_GRAFTS_PER_TOPIC + MAX_FREE_SLIPS + 3, 0)
                < GRAYLIST_THRESHOLD
        );
        let usual = PeerScoreParams::default();
        let theirs = PeerScoreParams {
            slow_peer_weight: usual.slow_peer_weight,
            behaviour_penalty_threshold: 6.0,
            ..parameters
        };
        assert!(slips(&theirs, 0, 22) < GRAYLIST_THRESHOLD, "22 messages waited for a killed node");
        assert!(
            topics < 6 || slips(&theirs, topics * 2, 0) < GRAYLIST_THRESHOLD,
            "it grafted too early, twice for each topic"
        );
    }
}
