//! `nervure validator status`: whether one's validator does its duties, and which comes next.

use anyhow::Context;
use nervure_api::{NodeView, SubnetDetail, ValidatorPage, ValidatorView};
use nervure_primitives::{BlockHeight, Netuid, NodeId};
use serde::Serialize;

use super::{next_step, power, state};
use crate::cli::{Global, access::Access, output};

/// Shows what your validator is and did, and its next duty
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// Id of the node [default: the running node]
    node: Option<NodeId>,
    #[command(flatten)]
    access: Access,
}

/// A validator and its duties.
#[derive(Serialize)]
struct Duties {
    validator: ValidatorView,
    /// The last block, and the next election.
    height: BlockHeight,
    election: BlockHeight,
    subnets: Vec<SubnetDuty>,
    /// The next step, if something is wrong.
    next: Option<String>,
}

/// What it has to do in a subnet.
#[derive(Serialize)]
struct SubnetDuty {
    netuid: Netuid,
    /// Whether it may set weights.
    permit: bool,
    /// The block at which it last set them.
    weights: BlockHeight,
    /// The block at which the epoch ends that the next weights are for.
    due: BlockHeight,
}

impl StatusArgs {
    /// Runs the command.
    pub(super) async fn run(self, global: &Global) -> anyhow::Result<()> {
        let session = self.access.open(global).await?;
        let client = session.node.client();
        let node = match self.node {
            Some(node) => node,
            None => client.status().await?.node,
        };
        let found = async {
            let (page, view) = (client.validators().await?, client.node(&node).await?);
            let mut details = Vec::new();
            for netuid in view.slots.keys() {
                details.push(client.subnet(*netuid).await?);
            }
            anyhow::Ok(duties(view, &page, &details))
        };
        let found = found.await.with_context(|| format!("{node} is no validator that can be shown"));
        session.close().await;
        let (duties, power) = found?;
        if global.json { output::json(&duties) } else { duties.show(&power) }
    }
}

/// The duties, and the share of the voting power as text.
fn duties(view: NodeView, page: &ValidatorPage, details: &[SubnetDetail]) -> (Duties, String) {
    let node = view.node;
    let duty = |detail: &SubnetDetail| {
        let neuron = detail.neurons.iter().find(|neuron| neuron.node == node)?;
        Some(SubnetDuty {
            netuid: detail.subnet.netuid,
            permit: neuron.permit,
            weights: neuron.last_update,
            due: detail.subnet.due,
        })
    };
    let subnets = details.iter().filter_map(duty).collect();
    let (next, share) = (next_step(&view.validator, page), power(&view.validator, page));
    let (height, election) = (page.height, page.election);
    (Duties { validator: view.validator, height, election, subnets, next }, share)
}

impl Duties {
    fn show(&self, power: &str) -> anyhow::Result<()> {
        let one = &self.validator;
        let mut rows = vec![
            ("node", one.node.to_string()),
            ("state", state(one)),
            ("power", power.to_owned()),
            ("missed", format!("{} blocks lately", one.missed)),
            ("next duty", self.next_duty()),
        ];
        for SubnetDuty { netuid, permit, weights, due } in &self.subnets {
            let permit = if *permit { "may set weights" } else { "has no permit: more stake is needed" };
            rows.push((
                "subnet",
                format!("{netuid}: {permit}; last weights at block {weights}, next ones until block {due}"),
            ));
        }
        rows.into_iter().try_for_each(|(name, value)| output::line(&format!("{name:<11} {value}")))?;
        if let Some(next) = &self.next {
            output::note(&format!("next: {next}"));
        }
        Ok(())
    }

    /// What it has to do next.
    fn next_duty(&self) -> String {
        let one = &self.validator;
        let weights = self.subnets.iter().filter(|subnet| subnet.permit).map(|subnet| subnet.due).min();
        let weights = weights.map_or_else(String::new, |due| format!(", weights until block {due}"));
        match (one.power.is_some(), one.joined.is_some()) {
            (true, _) => format!("sign block {}{weights}", self.height.0.saturating_add(1)),
            (false, true) => format!("none before the election at block {}{weights}", self.election),
            (false, false) if weights.is_empty() => "none: it has not joined those that make blocks".into(),
            (false, false) => format!("no blocks{weights}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use nervure_primitives::Amount;

    use super::*;

    #[test]
    fn the_next_duty_follows_from_election_and_permits() {
        let id = NodeId::from_bytes([1; 32]);
        let validator = ValidatorView {
            node: id,
            owner: id,
            stake: Amount::ZERO,
            self_stake: Amount::ZERO,
            joined: None,
            jailed_until: None,
            equivocation: None,
            power: None,
            missed: 0,
            silent: false,
        };
        let (height, election) = (BlockHeight(7), BlockHeight(10));
        let mut duties = Duties { validator, height, election, subnets: Vec::new(), next: None };
        assert!(duties.next_duty().starts_with("none: it has not joined"));
        duties.validator.joined = Some(BlockHeight(3));
        assert_eq!(duties.next_duty(), "none before the election at block 10");
        duties.validator.power = Some(1);
        let duty =
            SubnetDuty { netuid: Netuid(1), permit: true, weights: BlockHeight(5), due: BlockHeight(12) };
        duties.subnets.push(duty);
        assert_eq!(duties.next_duty(), "sign block 8, weights until block 12");
    }
}
