//! Giving everything of an owner key to another key, for instance before the old one is retired.
//!
//! The new key agrees with its own signature, so that nothing goes to a mistyped key. Nodes, stakes, subnets and what is
//! unbonding change hands as they are: nothing is unstaked, no dividend is lost, and what answers for a node still does.
//! The signer names what it gives, at most [`MAX_HOLDINGS`] at a time: the work of a transaction does not depend on how much
//! an owner has. The balance goes by a transfer.
//!
//! What a hostile signer can do: give what it owns to a key that wants it. That is selling the key.

use std::collections::BTreeSet;

use nervure_primitives::{
    Amount, BlockHeight, Domain, Envelope, EnvelopeError, MeshId, Netuid, NodeId, NodeKey,
};
use serde::{Deserialize, Serialize};

use super::{
    Description, FormError, FundsRejection, NodeRejection, Rejection, SignerKey, StakeRejection,
    SubnetRejection, TransactionKind, swap_key::owned, weight,
};
use crate::{
    accounts::{Unbonding, UnbondingKey},
    multisig::MultisigAccount,
    nodes::NodeNumber,
    state::LedgerState,
    vesting::MAX_VESTINGS,
};

/// What an owner key's consent is for.
const CONSENT: Domain = Domain::new("nervure/owner-consent/1");

/// Largest body of a consent in bytes: an owner key and its header.
const MAX_CONSENT_LEN: usize = 40;

/// Most holdings of one transaction.
pub const MAX_HOLDINGS: usize = 64;

/// Most amounts of one owner, from different nodes, that become free at one block and change hands together.
pub const MAX_UNBONDING: usize = 16;

/// Something that an owner key holds and that can change hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Holding {
    /// A node; the owner's stake on it is a holding of its own.
    Node(NodeId),
    /// A subnet.
    Subnet(Netuid),
    /// All of the stake on a node.
    Stake(NodeId),
    /// All that becomes free at a block, of at most [`MAX_UNBONDING`] nodes.
    Unbonding(BlockHeight),
    /// All vested amounts from one sender.
    Vested(NodeId),
}

/// Gives holdings of the signer to the key that signed `consent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateOwner {
    /// The new owner key's word; see [`owner_consent`].
    pub consent: Envelope,
    /// What changes hands, at most [`MAX_HOLDINGS`], each once.
    pub holdings: Vec<Holding>,
    /// The threshold account that takes over: one of its members signed `consent`. Without one, the key that signed does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<MultisigAccount>,
}

/// The word of `new` that it takes over from `old` on `mesh`.
///
/// # Errors
/// None in practice: a key always encodes.
pub fn owner_consent(new: &NodeKey, old: &NodeId, mesh: &MeshId) -> Result<Envelope, EnvelopeError> {
    Envelope::seal(new, CONSENT, mesh, old)
}

/// Holdings that have another owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RotateOwnerOutcome {
    /// The new owner key.
    pub owner: NodeId,
    /// How many holdings.
    pub holdings: u16,
}

/// A holding that was checked, and what its change needs.
enum Change {
    Node(NodeId),
    Subnet(Netuid),
    /// The number of the node, and the shares in its pool.
    Stake(NodeNumber, u128),
    Unbonding(Vec<UnbondingKey>),
    Vested(NodeId),
}

impl TransactionKind for RotateOwner {
    type Outcome = RotateOwnerOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        let of = |holding: &Holding| match holding {
            Holding::Node(_) => weight::SET_TAKE,
            Holding::Subnet(_) => weight::SET_HYPERPARAMETER,
            Holding::Stake(_) => weight::ROTATED_STAKE,
            Holding::Unbonding(_) => weight::each(weight::ROTATED_UNBONDING, MAX_UNBONDING),
            Holding::Vested(_) => weight::CLAIM_VESTED,
        };
        self.holdings.iter().map(of).fold(weight::ROTATE_OWNER, u64::saturating_add)
    }

    fn check(&self, _: &MeshId) -> Result<(), FormError> {
        self.account.as_ref().map_or(Ok(()), MultisigAccount::check)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let new = taking_over(state, self, signer)?;
        let once: BTreeSet<Holding> = self.holdings.iter().copied().collect();
        if once.is_empty() || once.len() > MAX_HOLDINGS || once.len() != self.holdings.len() {
            return Err(NodeRejection::Holdings.into());
        }
        let changes: Vec<Change> =
            once.iter().map(|holding| state.rotation(*holding, (signer, new))).collect::<Result<_, _>>()?;
        changes.into_iter().for_each(|change| state.rotate(change, signer, new));
        Ok(RotateOwnerOutcome { owner: new, holdings: once.len() as u16 })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let RotateOwnerOutcome { owner, holdings } = outcome;
        let what = match holdings {
            1 => "1 holding".to_owned(),
            many => format!("{many} holdings"),
        };
        Description {
            future: format!("gives {what} of this owner key to {owner}, permanently"),
            past: format!("gave {what} to {owner}"),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{BLOCK, NETUID, node, other, taken_over};
        let holdings = vec![
            Holding::Node(node()),
            Holding::Subnet(NETUID),
            Holding::Stake(node()),
            Holding::Unbonding(BLOCK),
        ];
        super::Sample {
            call: Self { consent: taken_over(), holdings, account: None },
            call_hash: "f3ea1943a0b9327c1aabca3ca4bb8ac1f98efea21de5cad4a00c3aa3af376d8b",
            outcome: RotateOwnerOutcome { owner: other(), holdings: 4 },
            outcome_hash: "f9e8931a5a63d6b9f9ce9e6484c21ac922d45503869a6fe754cddff16fd45b6d",
            future: "gives 4 holdings of this owner key to OTHER, permanently",
            past: "gave 4 holdings to OTHER",
        }
    }
}

/// The owner that agreed to take over from `old`.
fn taking_over(state: &LedgerState, rotation: &RotateOwner, old: NodeId) -> Result<NodeId, Rejection> {
    let RotateOwner { consent, account, .. } = rotation;
    let named: NodeId =
        consent.open(CONSENT, &state.mesh, MAX_CONSENT_LEN).map_err(|error| Rejection::consent(&error))?;
    if named != old {
        return Err(NodeRejection::ConsentForAnother { owner: named }.into());
    }
    let signer = consent.signer();
    // A member is enough: the id of an account with a mistyped member is none that it signs for.
    let is_stranger = account.as_ref().is_some_and(|account| !account.members.contains(&signer));
    if is_stranger {
        return Err(NodeRejection::ConsentForAnother { owner: signer }.into());
    }
    match account.as_ref().map_or(signer, MultisigAccount::id) {
        new if new == old => Err(NodeRejection::SameOwner.into()),
        new => Ok(new),
    }
}

impl LedgerState {
    /// What giving a holding of `owner` away changes.
    fn rotation(&self, holding: Holding, (owner, new): (NodeId, NodeId)) -> Result<Change, Rejection> {
        match holding {
            Holding::Node(node) => owned(self, node, owner).map(|()| Change::Node(node)),
            Holding::Subnet(netuid) => {
                let subnet = self.subnets.get(&netuid).ok_or(SubnetRejection::NoSuchSubnet { netuid })?;
                let is_owner = subnet.owner == Some(owner);
                is_owner
                    .then_some(Change::Subnet(netuid))
                    .ok_or(Rejection::from(SubnetRejection::NotSubnetOwner { netuid }))
            }
            Holding::Stake(node) => {
                let number = self.nodes.get(&node).ok_or(NodeRejection::NoSuchNode { node })?.number;
                let shares = self.nodes.stakes.get(&(number, owner)).copied();
                let staked = Amount::ZERO;
                let shares = shares.ok_or(StakeRejection::NotStaked { staked })?;
                // Its liability is kept under the staker: it would be left behind.
                let bound = self.nodes.moved.bound(number, owner);
                if bound > 0 {
                    let bound = Amount::from_base_units(bound);
                    return Err(StakeRejection::StakeBound { bound }.into());
                }
                Ok(Change::Stake(number, shares))
            }
            Holding::Vested(from) => {
                // The recipient may change, the number of those from one sender is bounded for each.
                let (here, there) =
                    (self.accounts.vesting_from(owner, from), self.accounts.vesting_from(new, from));
                match (here.count(), there.count()) {
                    (0, _) => Err(FundsRejection::NothingVested.into()),
                    (ours, theirs) if ours + theirs > usize::from(MAX_VESTINGS) => {
                        Err(FundsRejection::TooManyVestings.into())
                    }
                    _ => Ok(Change::Vested(from)),
                }
            }
            Holding::Unbonding(free) => {
                let entries = self.accounts.unbonding_at(free.0, owner);
                let keys: Vec<UnbondingKey> = entries.take(MAX_UNBONDING + 1).collect();
                match keys.len() {
                    0 => Err(NodeRejection::NothingUnbonds { block: free }.into()),
                    many if many > MAX_UNBONDING => Err(NodeRejection::Holdings.into()),
                    _ => Ok(Change::Unbonding(keys)),
                }
            }
        }
    }

    /// Gives a holding that was checked to `new`.
    fn rotate(&mut self, change: Change, old: NodeId, new: NodeId) {
        match change {
            Change::Node(node) => self.nodes.set_owner(&node, new),
            Change::Vested(from) => self.accounts.rotate_vested((old, new), from),
            Change::Subnet(netuid) => {
                if let Some(subnet) = self.subnets.get_mut(&netuid) {
                    subnet.owner = Some(new);
                }
            }
            Change::Stake(number, shares) => {
                // Shares of one pool: what both had is what the new one has.
                let held = self.nodes.stakes.get(&(number, new)).copied().unwrap_or(0);
                self.nodes.set_shares(number, old, 0);
                self.nodes.set_shares(number, new, held.saturating_add(shares));
            }
            Change::Unbonding(keys) => {
                for key in keys {
                    if let Some(Unbonding { amount, unstaked }) = self.accounts.take_unbonding(&key) {
                        let key = UnbondingKey { owner: new, ..key };
                        self.accounts.credit_later(key, amount.base_units(), unstaked);
                    }
                }
            }
        }
    }
}
