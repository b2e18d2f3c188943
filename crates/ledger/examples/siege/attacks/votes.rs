//! Founds a subnet of its own and votes the emission to it, while no other stake votes.

use nervure_ledger::transaction::{Call, Outcome, RegisterNode, RegisterSubnet, Stake, VoteSubnets, consent};
use nervure_primitives::Netuid;
use rand::Rng;

use crate::{
    field::{Field, INTERVAL, Report, Start, Terrain},
    mesh::{key, units},
};

/// Votes with all stake that the funds pay for; the share of the emission that it takes, in thousandths.
pub(crate) fn votes(start: Start) -> Report {
    // The registration of a subnet has to fit into a block.
    let mut field = Field::with(start, Terrain { block_milliseconds: 250, ..Terrain::default() });
    let (owner, node) = (field.accounts[0].clone(), key(6_000));
    let consent = match consent(&node, &owner.node_id(), &field.state().mesh()) {
        Ok(consent) => consent,
        Err(_) => return field.finish(0),
    };
    field.carry_out(&owner, Call::RegisterNode(RegisterNode { consent }));
    let node_id = node.node_id();
    let found =
        RegisterSubnet { name: "captured".into(), node: node_id, max_lock: units(u64::MAX), mechanism: None };
    let Some(Outcome::SubnetRegistered(founded)) = field.carry_out(&owner, Call::RegisterSubnet(found))
    else {
        return field.finish(0);
    };
    for account in field.accounts.clone() {
        let left = field.mesh.balance(&account.node_id());
        // Something is left for fees.
        let amount = units(left - left / field.rng.random_range(20..100));
        field.carry_out(&account, Call::Stake(Stake { node: node_id, amount }));
    }
    let vote = VoteSubnets { weights: vec![(founded.netuid, u16::MAX)] };
    field.carry_out(&node, Call::VoteSubnets(vote));
    for _ in 0..3 * INTERVAL {
        field.besieged(|_| ());
    }
    let share = share_of(&field, founded.netuid);
    field.finish(share)
}

fn share_of(field: &Field, netuid: Netuid) -> u64 {
    let subnets = field.state().subnets();
    let whole: u64 = subnets.values().map(|subnet| subnet.share).sum();
    let share = subnets.get(&netuid).map_or(0, |subnet| subnet.share);
    (u128::from(share) * 1_000 / u128::from(whole.max(1))) as u64
}

/// A model of the rule without the defence: the mean of the votes, weighted by stake, over those who vote. The part, in
/// thousandths, that one voter gives its subnet.
pub(crate) fn mean_of_voters(stake: u64, others_that_vote: u64) -> u64 {
    stake * 1_000 / (stake + others_that_vote)
}
