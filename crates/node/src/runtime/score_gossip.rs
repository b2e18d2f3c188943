//! Validators' gossiped live scores, and the trust that the gate computes from those and the last block.
//!
//! What a hostile node can do: make us verify one signature per message that passed the network's own bounds. There
//! are tables for subnets of the ledger only, and each is bounded.

use std::{collections::BTreeMap, sync::Arc};

use futures::FutureExt;
use nervure_ledger::{
    state::LedgerState,
    subnet::{Neuron, Subnet},
};
use nervure_p2p::{TopicSpec, Verdict};
use nervure_primitives::{BlockHeight, MeshId, Netuid, NodeId, Uid};
use nervure_protocol::{
    LiveScoresError, Score, ScoresRequest, ScoresResponse, SignedLiveScores, bounds::MAX_SCORES_PAGE,
    topics::SCORES,
};
use nervure_router::{NeuronTrust, SubnetTrust, TrustTable};
use nervure_subnet::{Trust, score::LiveScoreTable};
use parking_lot::Mutex;
use serde_bytes::ByteBuf;

use super::{clock, gossip::TopicHandlers, metrics::VerdictCounters, registry::LedgerRegistry};

/// The topic of this module.
pub(crate) fn topic() -> TopicSpec {
    TopicSpec::of(SCORES)
}

/// Registers the handler of live scores.
pub(crate) fn register(topics: &mut TopicHandlers, score_gossip: &Arc<ScoreGossip>) {
    let score_gossip = score_gossip.clone();
    topics.register(SCORES.name, move |message| {
        let verdict = score_gossip.handle_gossip(&message.data);
        message.judge(verdict).boxed()
    });
}

pub(crate) const LIVE_SCORE_COUNTERS: [(&str, &str); 3] = [
    ("scores_accepted", "Live scores of validators accepted"),
    ("score_messages_ignored", "Live scores that were old or already known"),
    ("score_messages_rejected", "Live scores that were invalid"),
];

/// Validators' live scores, shared by gossip, gate and the HTTP API.
pub(crate) struct ScoreGossip {
    mesh: MeshId,
    registry: LedgerRegistry,
    live: Mutex<LiveScoreState>,
    counters: VerdictCounters,
}

#[derive(Default)]
struct LiveScoreState {
    tables: BTreeMap<Netuid, LiveScoreTable>,
    /// The trust computed from them, and at which block; none once newer scores were accepted.
    trust: Option<(BlockHeight, Arc<TrustTable>)>,
}

impl ScoreGossip {
    /// Without scores.
    pub(crate) fn new(mesh: MeshId, registry: LedgerRegistry) -> Self {
        Self { mesh, registry, live: Mutex::default(), counters: VerdictCounters::default() }
    }

    /// Judges a message.
    pub(crate) fn handle_gossip(&self, data: &[u8]) -> Verdict {
        let verdict = self.scores(data);
        self.counters.count(verdict);
        verdict
    }

    fn scores(&self, data: &[u8]) -> Verdict {
        let now = clock::now();
        match SignedLiveScores::verify(data, &self.mesh, now, &self.registry) {
            Ok(signed) if self.take(&signed) => Verdict::Accept,
            Ok(_) => Verdict::Ignore,
            Err(
                LiveScoresError::TooOld
                | LiveScoresError::FromTheFuture
                | LiveScoresError::NotAValidator { .. },
            ) => Verdict::Ignore,
            Err(_) => Verdict::Reject,
        }
    }

    /// Takes verified scores, of others or this node's own. False when they are not newer than the known ones.
    pub(crate) fn take(&self, signed: &SignedLiveScores) -> bool {
        let netuid = signed.scores().netuid;
        let mut live = self.live.lock();
        // The verification needs a subnet of the ledger, so that peers cannot make tables of other numbers.
        let book = live.tables.entry(netuid).or_insert_with(|| LiveScoreTable::new(netuid));
        let news = book.insert(signed, clock::now());
        if news {
            live.trust = None;
        }
        news
    }

    /// Takes scores that another node sent on request; their validator when they are valid. Invalid ones are counted.
    pub(crate) fn take_fetched(&self, bytes: &[u8]) -> Option<NodeId> {
        let Ok(signed) = SignedLiveScores::verify(bytes, &self.mesh, clock::now(), &self.registry) else {
            self.counters.count(Verdict::Reject);
            return None;
        };
        self.counters.count(if self.take(&signed) { Verdict::Accept } else { Verdict::Ignore });
        Some(signed.scores().validator)
    }

    /// A page of the signed scores of a subnet's validators.
    pub(crate) fn page(&self, request: &ScoresRequest) -> ScoresResponse {
        let live = self.live.lock();
        let Some(table) = live.tables.get(&request.netuid) else { return ScoresResponse::default() };
        let mut signed = table.signed(request.after);
        let scores = signed.by_ref().take(MAX_SCORES_PAGE).map(ByteBuf::from).collect();
        ScoresResponse { scores, more: signed.next().is_some() }
    }

    /// The last block, and the trust in every expert by that block and the live scores since. Computed again only after
    /// a new block or new scores; queries share the result.
    pub(crate) fn trusts(&self) -> (BlockHeight, Arc<TrustTable>) {
        if let Some(slots) = self.registry.slots() {
            return slots.trusts();
        }
        let tip = self.registry.tip();
        let (height, state) = (tip.header.height, &tip.state);
        let mut live = self.live.lock();
        if let Some((_, trusts)) = live.trust.as_ref().filter(|(block, _)| *block == height) {
            return (height, trusts.clone());
        }
        // With each block: subnets end and validators lose their permits, and their scores must end too.
        live.tables.retain(|netuid, book| {
            book.retain(&self.registry);
            state.subnets().contains_key(netuid)
        });
        let trusts = Arc::new(trusts(state, &live.tables));
        live.trust = Some((height, trusts.clone()));
        (height, trusts)
    }

    /// What is counted about the messages.
    pub(crate) fn counters(&self) -> &VerdictCounters {
        &self.counters
    }
}

/// The trust table of the state and the live scores.
fn trusts(state: &LedgerState, tables: &BTreeMap<Netuid, LiveScoreTable>) -> TrustTable {
    let now = clock::now();
    let stake = |node: &NodeId| state.nodes().get(node).map_or(0, |node| node.stake().base_units());
    let of_subnet = |(netuid, subnet): (&Netuid, &Subnet)| {
        let table = tables.get(netuid);
        let (part, whole) = state.backing(*netuid).unwrap_or_default().part();
        let trust = SubnetTrust {
            backing: Score::ratio(part, whole),
            has_live_scores: table.is_some_and(|table| {
                // Of half of the stake: the few that a hostile peer shows a node that has just joined are not a median.
                let published = table.published_stake(stake, now);
                published > 0 && 2 * published >= permitted_stake(subnet, stake)
            }),
            neurons: neurons(subnet, state.height()),
            experts: table.map(|table| table.medians(stake, now)).unwrap_or_default(),
        };
        (*netuid, trust)
    };
    state.subnets().iter().map(of_subnet).collect()
}

/// The stake of the validators of a subnet, together.
fn permitted_stake(subnet: &Subnet, stake: impl Fn(&NodeId) -> u64) -> u128 {
    let permitted = subnet.occupied().filter(|(_, neuron)| neuron.permit);
    permitted.map(|(_, neuron)| u128::from(stake(&neuron.node))).sum()
}

/// The neurons of a subnet with their incentives at block `height`, as parts of the largest.
fn neurons(subnet: &Subnet, height: BlockHeight) -> BTreeMap<NodeId, NeuronTrust> {
    let largest = subnet.neurons.iter().map(|neuron| neuron.incentive).max().unwrap_or(0);
    let of_neuron = |(_, neuron): (Uid, &Neuron)| {
        let age = height.0.saturating_sub(neuron.registered);
        let incentive = Trust::incentive_of((neuron.incentive, largest), (age, subnet.hyperparameters.tempo));
        (neuron.node, NeuronTrust { registered: BlockHeight(neuron.registered), incentive })
    };
    subnet.occupied().map(of_neuron).collect()
}

#[cfg(test)]
mod tests {
    use nervure_ledger::{
        chain::Tip,
        spec::{MeshSpec, SubnetSpec},
    };
    use nervure_protocol::testing::key;

    use super::*;

    #[test]
    fn a_neuron_without_incentive_says_nothing_until_weights_for_it_can_have_counted() {
        let mut spec = MeshSpec::test("trust");
        spec.subnets = vec![SubnetSpec::new(Netuid(1), "a", None)];
        let [old, new] = [1, 2].map(|seed| key(seed).node_id());
        let (tip, _) = Tip::genesis(&spec.with_miner(old).with_miner(new)).unwrap();
        let mut subnet = tip.state.subnets()[&Netuid(1)].clone();
        let uid = usize::from(subnet.uid_of(&old).unwrap().0);
        Arc::make_mut(&mut subnet.neurons[uid]).incentive = 1_000;
        let incentives = |block| {
            let neurons = neurons(&subnet, BlockHeight(block));
            [old, new].map(|node| neurons[&node].incentive)
        };
        let tempo = subnet.hyperparameters.tempo;
        assert_eq!(incentives(3 * tempo), [Some(Score::ONE), None]);
        assert_eq!(incentives(3 * tempo + 1), [Some(Score::ONE), Some(Score::ZERO)]);
    }
}
