//! Subnets as tables.

use super::{output, values};
use nervure_api::{NeuronView, SubnetDetail, SubnetPage, SubnetView};
use nervure_primitives::MechanismSpec;
use nervure_subnet::mechanism::build;

/// Prints all subnets.
pub(super) fn list(page: &SubnetPage) -> anyhow::Result<()> {
    let row = |subnet: &SubnetView| {
        [
            subnet.netuid.to_string(),
            subnet.name.clone(),
            subnet.owner.map_or_else(|| "none".into(), |owner| owner.short()),
            format!("{} of {}", subnet.neurons, subnet.slots),
            subnet.price.to_string(),
            subnet.epoch.to_string(),
            subnet.due.to_string(),
            subnet.pending.to_string(),
        ]
    };
    output::table(
        &["subnet", "name", "owner", "slots", "slot costs", "epoch", "ends at", "to share"],
        page.subnets.iter().map(row),
    )?;
    output::note(&format!(
        "after block {}; creating another subnet locks {} tokens",
        page.height, page.lock_cost
    ));
    Ok(())
}

/// Prints a subnet and its metagraph.
pub(super) fn show(detail: &SubnetDetail) -> anyhow::Result<()> {
    let SubnetDetail { height, subnet, neurons } = detail;
    let none = || "none".to_owned();
    output::line(&format!("subnet      {} ({})", subnet.netuid, subnet.name))?;
    output::line(&format!("owner       {}", subnet.owner.map_or_else(none, |owner| owner.to_string())))?;
    output::line(&format!(
        "epoch       {}, ends at block {}; now is block {height}",
        subnet.epoch, subnet.due
    ))?;
    output::line(&format!("to share    {} tokens so far", subnet.pending))?;
    output::line(&format!(
        "slots       {} of {}, one costs {} tokens",
        subnet.neurons, subnet.slots, subnet.price
    ))?;
    output::line(&format!("locked      {} tokens; the owner earned {}", subnet.locked, subnet.earned))?;
    output::line(&format!("behind it   {}", subnet.backing.in_words()))?;
    let mechanism =
        subnet.mechanism.as_ref().map_or_else(|| "none: miners get no tasks".into(), ToString::to_string);
    output::line(&format!("mechanism   {mechanism}"))?;
    if let Some(how) = subnet.mechanism.as_ref().and_then(demonstration) {
        output::line(&format!("            a demonstration: {how}"))?;
    }
    let rules = values(&subnet.hyperparameters)?.into_iter().map(|(name, value)| format!("{name}={value}"));
    output::line(&format!("rules       {}", rules.collect::<Vec<_>>().join(" ")))?;
    output::table(
        &[
            "uid",
            "node",
            "stake",
            "permit",
            "trust",
            "consensus",
            "incentive",
            "dividends",
            "v-trust",
            "emission",
            "updated",
        ],
        neurons.iter().map(row),
    )
}

/// How a miner without a model earns by this mechanism, if it can.
fn demonstration(mechanism: &MechanismSpec) -> Option<&'static str> {
    build(mechanism).ok()?.demonstration()
}

fn row(neuron: &NeuronView) -> [String; 11] {
    [
        neuron.uid.to_string(),
        neuron.node.short(),
        neuron.stake.to_string(),
        if neuron.permit { "yes" } else { "" }.into(),
        neuron.trust.map_or_else(|| "-".into(), share),
        share(neuron.consensus),
        share(neuron.incentive),
        share(neuron.dividends),
        share(neuron.validator_trust),
        neuron.emission.to_string(),
        neuron.last_update.to_string(),
    ]
}

/// A share in parts of 65,535, with five decimal places.
fn share(of_u16: u16) -> String {
    let parts = u64::from(of_u16) * 100_000 / u64::from(u16::MAX);
    format!("{}.{:05}", parts / 100_000, parts % 100_000)
}
