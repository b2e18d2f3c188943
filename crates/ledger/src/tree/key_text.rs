//! Keys of records as people and URLs write them: `account/ID`, `neuron/1/3`.

use std::{fmt, str::FromStr};

use nervure_primitives::{Excerpt, Netuid, Uid};

use super::record::Key;
use crate::{
    accounts::UnbondingKey,
    governance::{ProposalId, StakeVoteKey},
    lane::LaneScope,
    nodes::{MovedKey, NodeNumber},
    vesting::VestingKey,
};

/// Why a text names no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' names no record: chain, account/ID, node/ID, stake/NUMBER/STAKER, retired/ID, vote/NODE, subnet/N, neuron/N/UID, \
     unbonding/BLOCK/ID/NUMBER, unbonding/BLOCK/ID, anchor-key/ID, anchor-sets, validator/NODE, liveness/ID, term/ID, \
     lane/N/NODE, lane/election/NODE, moved/BLOCK/ID/NUMBER/NUMBER, params, proposal/N, ballots/NUMBER, \
     stake-vote/PROPOSAL/NUMBER/STAKER, resting/N, proxy/OWNER/PROXY, announcement/OWNER/HASH or \
     vesting/TO/FROM/NUMBER"
)]
pub struct ParseKeyError(Excerpt);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain => f.write_str("chain"),
            Self::Account(owner) => write!(f, "account/{owner}"),
            Self::Unbonding(UnbondingKey { free, owner, node: None }) => {
                write!(f, "unbonding/{free}/{owner}")
            }
            Self::Unbonding(UnbondingKey { free, owner, node: Some(number) }) => {
                write!(f, "unbonding/{free}/{owner}/{number}")
            }
            Self::Node(node) => write!(f, "node/{node}"),
            Self::Stake(node, staker) => write!(f, "stake/{node}/{staker}"),
            Self::Retired(node) => write!(f, "retired/{node}"),
            Self::Vote(node) => write!(f, "vote/{node}"),
            Self::Subnet(netuid) => write!(f, "subnet/{netuid}"),
            Self::Neuron(netuid, uid) => write!(f, "neuron/{netuid}/{uid}"),
            Self::AnchorKey(node) => write!(f, "anchor-key/{node}"),
            Self::AnchorSets => f.write_str("anchor-sets"),
            Self::Validator(node) => write!(f, "validator/{node}"),
            Self::Liveness(member) => write!(f, "liveness/{member}"),
            Self::Term(member) => write!(f, "term/{member}"),
            Self::Lane(LaneScope::Subnet(netuid), node) => write!(f, "lane/{netuid}/{node}"),
            Self::Lane(LaneScope::Election, node) => write!(f, "lane/election/{node}"),
            Self::Moved(MovedKey { free, staker, from, to }) => {
                write!(f, "moved/{free}/{staker}/{from}/{to}")
            }
            Self::Params => f.write_str("params"),
            Self::Proposal(proposal) => write!(f, "proposal/{proposal}"),
            Self::Ballots(node) => write!(f, "ballots/{node}"),
            Self::StakeVote(StakeVoteKey { proposal, node, staker }) => {
                write!(f, "stake-vote/{proposal}/{node}/{staker}")
            }
            Self::RestingNumber(netuid) => write!(f, "resting/{netuid}"),
            Self::Proxy(owner, proxy) => write!(f, "proxy/{owner}/{proxy}"),
            Self::Announcement(owner, id) => write!(f, "announcement/{owner}/{id}"),
            Self::Vesting(VestingKey { to, from, number }) => write!(f, "vesting/{to}/{from}/{number}"),
        }
    }
}

impl FromStr for Key {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        let wrong = || ParseKeyError(text.into());
        let parts: Vec<&str> = text.splitn(4, '/').collect();
        let key = match parts[..] {
            ["chain"] => Some(Self::Chain),
            ["anchor-sets"] => Some(Self::AnchorSets),
            ["anchor-key", node] => node.parse().ok().map(Self::AnchorKey),
            ["validator", node] => node.parse().ok().map(Self::Validator),
            ["liveness", member] => member.parse().ok().map(Self::Liveness),
            ["lane", scope, node] => {
                let scope = match scope {
                    "election" => Some(LaneScope::Election),
                    netuid => netuid.parse().ok().map(|netuid| LaneScope::Subnet(Netuid(netuid))),
                };
                scope.zip(node.parse().ok()).map(|(scope, node)| Self::Lane(scope, node))
            }
            ["account", owner] => owner.parse().ok().map(Self::Account),
            ["node", node] => node.parse().ok().map(Self::Node),
            ["retired", node] => node.parse().ok().map(Self::Retired),
            ["vote", node] => node.parse().ok().map(Self::Vote),
            ["resting", netuid] => netuid.parse().ok().map(|netuid| Self::RestingNumber(Netuid(netuid))),
            ["subnet", netuid] => netuid.parse().ok().map(|netuid| Self::Subnet(Netuid(netuid))),
            ["neuron", netuid, uid] => netuid
                .parse()
                .ok()
                .zip(uid.parse().ok())
                .map(|(netuid, uid)| Self::Neuron(Netuid(netuid), Uid(uid))),
            ["stake", node, staker] => {
                node.parse().ok().zip(staker.parse().ok()).map(|(node, staker)| Self::Stake(node, staker))
            }
            ["proxy", owner, proxy] => {
                owner.parse().ok().zip(proxy.parse().ok()).map(|(owner, proxy)| Self::Proxy(owner, proxy))
            }
            ["announcement", owner, id] => {
                owner.parse().ok().zip(id.parse().ok()).map(|(owner, id)| Self::Announcement(owner, id))
            }
            ["vesting", to, from, number] => vesting((to, from), number),
            ["term", member] => member.parse().ok().map(Self::Term),
            ["unbonding", free, owner] => unbonding((free, owner), None),
            ["unbonding", free, owner, number] => {
                number.parse().ok().and_then(|number| unbonding((free, owner), Some(number)))
            }
            ["moved", free, staker, nodes] => moved((free, staker), nodes),
            ["params"] => Some(Self::Params),
            ["proposal", id] => id.parse().ok().map(Self::Proposal),
            ["ballots", node] => node.parse().ok().map(Self::Ballots),
            ["stake-vote", proposal, node, staker] => {
                let stake = node.parse().ok().zip(staker.parse().ok());
                let proposal = proposal.parse::<ProposalId>().ok();
                proposal.zip(stake).map(|(proposal, (node, staker))| {
                    Self::StakeVote(StakeVoteKey { proposal, node, staker })
                })
            }
            _ => None,
        };
        key.ok_or_else(wrong)
    }
}

fn unbonding((free, owner): (&str, &str), node: Option<NodeNumber>) -> Option<Key> {
    Some(Key::Unbonding(UnbondingKey { free: free.parse().ok()?, owner: owner.parse().ok()?, node }))
}

fn moved((free, staker): (&str, &str), nodes: &str) -> Option<Key> {
    let (from, to) = nodes.split_once('/')?;
    let (from, to) = (from.parse().ok()?, to.parse().ok()?);
    Some(Key::Moved(MovedKey { free: free.parse().ok()?, staker: staker.parse().ok()?, from, to }))
}

fn vesting((to, from): (&str, &str), number: &str) -> Option<Key> {
    let (to, from) = (to.parse().ok()?, from.parse().ok()?);
    Some(Key::Vesting(VestingKey { to, from, number: number.parse().ok()? }))
}

#[cfg(test)]
mod tests {
    use nervure_primitives::{Hash, NodeKey};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_key_reads_back() {
        let id = |n: u8| NodeKey::from_seed(&[n; 32]).node_id();
        let keys = [
            Key::Chain,
            Key::Account(id(1)),
            Key::Unbonding(UnbondingKey { free: 7, owner: id(1), node: None }),
            Key::Unbonding(UnbondingKey { free: 7, owner: id(1), node: Some(NodeNumber(4)) }),
            Key::Term(id(9)),
            Key::Node(id(2)),
            Key::Stake(NodeNumber(2), id(3)),
            Key::Retired(id(4)),
            Key::Vote(id(5)),
            Key::Subnet(Netuid(9)),
            Key::Neuron(Netuid(9), Uid(255)),
            Key::AnchorKey(id(6)),
            Key::AnchorSets,
            Key::Validator(id(7)),
            Key::Liveness(id(8)),
            Key::Lane(LaneScope::Subnet(Netuid(9)), id(7)),
            Key::Lane(LaneScope::Election, id(7)),
            Key::Moved(MovedKey { free: 7, staker: id(1), from: NodeNumber(2), to: NodeNumber(3) }),
            Key::Params,
            Key::Proposal(ProposalId(3)),
            Key::Ballots(NodeNumber(4)),
            Key::StakeVote(StakeVoteKey { proposal: ProposalId(3), node: NodeNumber(4), staker: id(2) }),
            Key::RestingNumber(Netuid(9)),
            Key::Proxy(id(1), id(2)),
            Key::Announcement(id(1), Hash::of("id", &[])),
            Key::Vesting(VestingKey { to: id(1), from: id(2), number: 7 }),
        ];
        for key in keys {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\\PC|/){0,60}") {
            if let Ok(key) = text.parse::<Key>() {
                prop_assert_eq!(key.to_string().parse::<Key>(), Ok(key));
            }
        }
    }
}
