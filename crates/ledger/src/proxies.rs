//! Keys that may act for an owner, within limits: proxies.
//!
//! A proxy has scopes (which kinds of calls), optionally a limit (how much may leave the owner's balance in an interval),
//! a delay (each call is announced, and carried out that many blocks later unless the owner cancels it), and an expiry.
//! What a hostile proxy can do: everything that its scopes and its limit allow, at most twice the limit in any stretch of
//! one interval (at the end of one interval and the beginning of the next one). What it cannot: change what it may do,
//! register a node key under the owner (whose fees the owner would pay without limit), or act before its delay is over.
//!
//! The state is bounded: an owner has at most [`MAX_PROXIES`] proxies and [`MAX_ANNOUNCEMENTS`] announcements, of calls
//! of at most [`MAX_ANNOUNCED_BYTES`]. The owner deposits for each proxy, a proxy for each announcement.

use std::{collections::BTreeSet, fmt};

use imbl::OrdMap;
use nervure_primitives::{Amount, BlockHeight, Hash, NodeId, cbor};
use serde::{Deserialize, Serialize};

use crate::transaction::{Call, ProxyRejection};

/// Most proxies of an owner.
pub const MAX_PROXIES: usize = 8;

/// Most announcements for an owner, of all its proxies together.
pub const MAX_ANNOUNCEMENTS: usize = 16;

/// Largest call that can be announced, in bytes: it is kept in the state.
pub const MAX_ANNOUNCED_BYTES: usize = 1_024;

/// Longest interval of a limit, and longest delay, in blocks: half a year with a block a second.
pub const MAX_PROXY_BLOCKS: u64 = 16_000_000;

/// What the id of an announcement is a hash of.
const ANNOUNCEMENT: &str = "nervure/announcement/1";

/// A set of kinds of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProxyScope {
    /// Transfers, also vested ones.
    Transfers,
    /// Staking, unstaking and moving stake, and claiming what has vested.
    Staking,
    /// What nodes do that the owner has: takes, joining and leaving the validators. No node keys.
    Nodes,
    /// Subnets and slots in them.
    Subnets,
    /// Proposals, and votes on them.
    Voting,
}

/// How much may leave the owner's balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SpendingLimit {
    /// The most in an interval.
    pub amount: Amount,
    /// The length of an interval in blocks.
    pub interval: u64,
}

/// What a proxy may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProxyGrant {
    /// Which kinds of calls.
    pub scopes: BTreeSet<ProxyScope>,
    /// How much may leave the owner's balance; without one, all of it.
    pub limit: Option<SpendingLimit>,
    /// Blocks between the announcement of a call and the first block that may carry it out; 0: calls need none.
    pub delay: u64,
    /// The last block at which it may act.
    pub expiry: BlockHeight,
}

/// A proxy of an owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// What it may do.
    pub grant: ProxyGrant,
    /// The block at which the current interval of its limit began.
    pub since: u64,
    /// What has left the owner's balance since then.
    pub spent: Amount,
    /// What the owner gets back when the proxy is removed.
    pub deposit: Amount,
}

/// A call that a proxy announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// Who announced it.
    pub proxy: NodeId,
    /// The first block that may carry it out.
    pub ready: u64,
    /// What it will do.
    pub call: Box<Call>,
    /// What the proxy gets back when it is carried out or cancelled.
    pub deposit: Amount,
}

/// All proxies, and what they announced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// By owner and proxy.
    pub(crate) active: OrdMap<(NodeId, NodeId), Proxy>,
    /// By owner and the id of the announcement.
    pub(crate) announced: OrdMap<(NodeId, Hash), Announcement>,
}

/// The id of the announcement of `call` by `proxy`, among those for one owner.
pub fn announcement_id(proxy: &NodeId, call: &Call) -> Hash {
    // What a transaction is made of always encodes.
    let bytes = cbor::encode(call).unwrap_or_default();
    Hash::of(ANNOUNCEMENT, &[proxy.as_bytes(), &bytes])
}

impl ProxyScope {
    /// All scopes.
    pub const ALL: [Self; 5] = [Self::Transfers, Self::Staking, Self::Nodes, Self::Subnets, Self::Voting];
}

impl fmt::Display for ProxyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transfers => "transfers",
            Self::Staking => "staking",
            Self::Nodes => "nodes",
            Self::Subnets => "subnets",
            Self::Voting => "voting",
        })
    }
}

impl fmt::Display for ProxyGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scopes: Vec<String> = self.scopes.iter().map(ToString::to_string).collect();
        f.write_str(&scopes.join(", "))?;
        match self.limit {
            Some(SpendingLimit { amount, interval }) => {
                write!(f, "; at most {amount} tokens in {interval} blocks")?
            }
            None => f.write_str("; all of the balance")?,
        }
        if self.delay > 0 {
            write!(f, "; {} blocks after it announces a call", self.delay)?;
        }
        write!(f, "; until block {}", self.expiry)
    }
}

impl ProxyGrant {
    /// Refuses what means nothing, or cannot be kept.
    pub(crate) fn check(&self, height: u64) -> Result<(), ProxyRejection> {
        let interval = self.limit.map_or(1, |limit| limit.interval);
        let is_sound = !self.scopes.is_empty()
            && (1..=MAX_PROXY_BLOCKS).contains(&interval)
            && self.delay <= MAX_PROXY_BLOCKS
            && self.expiry.0 >= height;
        if is_sound { Ok(()) } else { Err(ProxyRejection::Grant) }
    }
}

impl Proxy {
    /// One that has spent nothing at block `since`.
    pub(crate) const fn new(grant: ProxyGrant, since: u64, deposit: Amount) -> Self {
        Self { grant, since, spent: Amount::ZERO, deposit }
    }

    /// What its limit leaves at block `height`; none without a limit.
    pub fn left(&self, height: u64) -> Option<Amount> {
        let limit = self.grant.limit?;
        let is_over = height >= self.since.saturating_add(limit.interval);
        let spent = if is_over { 0 } else { self.spent.base_units() };
        Some(Amount::from_base_units(limit.amount.base_units().saturating_sub(spent)))
    }

    /// Counts `spent` base units at block `height`; an interval begins with the first amount after the one before.
    fn spend(&mut self, spent: u64, height: u64) -> Result<(), ProxyRejection> {
        let (Some(left), Some(limit)) = (self.left(height), self.grant.limit) else { return Ok(()) };
        if spent > left.base_units() {
            return Err(ProxyRejection::Limit { left });
        }
        if spent > 0 && height >= self.since.saturating_add(limit.interval) {
            (self.since, self.spent) = (height, Amount::ZERO);
        }
        self.spent = Amount::from_base_units(self.spent.base_units().saturating_add(spent));
        Ok(())
    }
}

impl Proxies {
    /// The proxies of `owner`.
    pub fn of(&self, owner: NodeId) -> impl Iterator<Item = (NodeId, &Proxy)> {
        let from = (owner, NodeId::from_bytes([0; 32]));
        self.active
            .range(from..)
            .take_while(move |((of, _), _)| *of == owner)
            .map(|((_, id), proxy)| (*id, proxy))
    }

    /// What was announced for `owner`.
    pub fn announced(&self, owner: &NodeId) -> impl Iterator<Item = (Hash, &Announcement)> {
        let from = (*owner, Hash::from_bytes([0; 32]));
        let owner = *owner;
        self.announced
            .range(from..)
            .take_while(move |((of, _), _)| *of == owner)
            .map(|((_, id), one)| (*id, one))
    }

    /// What `proxy` announced, with the owner that it is for.
    pub fn announced_by(&self, proxy: NodeId) -> impl Iterator<Item = (NodeId, &Announcement)> {
        let by = move |(_, one): &(&(NodeId, Hash), &Announcement)| one.proxy == proxy;
        self.announced.iter().filter(by).map(|((owner, _), one)| (*owner, one))
    }

    /// The proxy `proxy` of `owner`.
    pub fn get(&self, owner: &NodeId, proxy: &NodeId) -> Option<&Proxy> {
        self.active.get(&(*owner, *proxy))
    }

    /// The grant of `proxy` for `call` at block `height`.
    ///
    /// # Errors
    /// When it has none, it expired, or the call is not in its scopes.
    pub(crate) fn permitted(
        &self,
        (owner, proxy): (NodeId, NodeId),
        call: &Call,
        height: u64,
    ) -> Result<&ProxyGrant, ProxyRejection> {
        let grant = &self.get(&owner, &proxy).ok_or(ProxyRejection::NoProxy { proxy })?.grant;
        if grant.expiry.0 < height {
            return Err(ProxyRejection::Expired { expiry: grant.expiry });
        }
        match call.scope() {
            Some(scope) if grant.scopes.contains(&scope) => Ok(grant),
            Some(_) | None => Err(ProxyRejection::Scope),
        }
    }

    /// All deposits, in base units.
    pub(crate) fn held(&self) -> u128 {
        let proxies = self.active.values().map(|proxy| proxy.deposit);
        let announced = self.announced.values().map(|one| one.deposit);
        proxies.chain(announced).map(|amount| u128::from(amount.base_units())).sum()
    }

    /// Refuses one proxy more than `owner` may have.
    pub(crate) fn check_room(&self, owner: &NodeId, id: &NodeId) -> Result<(), ProxyRejection> {
        match self.get(owner, id).is_none() && self.of(*owner).count() >= MAX_PROXIES {
            true => Err(ProxyRejection::TooManyProxies),
            false => Ok(()),
        }
    }

    /// Makes `id` a proxy of `owner`, which has room for it. What it announced under an earlier grant is gone: returns its
    /// deposits for that, in base units.
    #[must_use]
    pub(crate) fn set(&mut self, (owner, id): (NodeId, NodeId), proxy: Proxy) -> u64 {
        self.active.insert((owner, id), proxy);
        self.drop_announcements(&owner, &id)
    }

    /// Removes a proxy, with what it announced. Returns it, and its deposits for that, in base units.
    pub(crate) fn remove(&mut self, owner: NodeId, proxy: NodeId) -> Result<(Proxy, u64), ProxyRejection> {
        let removed = self.active.remove(&(owner, proxy)).ok_or(ProxyRejection::NoProxy { proxy })?;
        Ok((removed, self.drop_announcements(&owner, &proxy)))
    }

    fn drop_announcements(&mut self, owner: &NodeId, proxy: &NodeId) -> u64 {
        let of_proxy = self.announced(owner).filter(|(_, one)| one.proxy == *proxy);
        let dropped: Vec<(Hash, u64)> = of_proxy.map(|(id, one)| (id, one.deposit.base_units())).collect();
        for (id, _) in &dropped {
            self.announced.remove(&(*owner, *id));
        }
        dropped.into_iter().map(|(_, deposit)| deposit).fold(0, u64::saturating_add)
    }

    /// Refuses an announcement that is there, or one too many.
    pub(crate) fn check_announcement(&self, owner: &NodeId, id: Hash) -> Result<(), ProxyRejection> {
        if self.announced.contains_key(&(*owner, id)) {
            return Err(ProxyRejection::AlreadyAnnounced { id });
        }
        match self.announced(owner).count() >= MAX_ANNOUNCEMENTS {
            true => Err(ProxyRejection::TooManyAnnouncements),
            false => Ok(()),
        }
    }

    /// Keeps an announcement that was checked.
    pub(crate) fn announce(&mut self, owner: NodeId, id: Hash, announcement: Announcement) {
        self.announced.insert((owner, id), announcement);
    }

    /// Takes an announcement that is ready at block `height`.
    pub(crate) fn take_ready(
        &mut self,
        owner: NodeId,
        id: Hash,
        height: u64,
    ) -> Result<Announcement, ProxyRejection> {
        let ready = self.announced.get(&(owner, id)).ok_or(ProxyRejection::NotAnnounced)?.ready;
        if height < ready {
            return Err(ProxyRejection::NotReady { from: BlockHeight(ready) });
        }
        self.announced.remove(&(owner, id)).ok_or(ProxyRejection::NotAnnounced)
    }

    /// Removes an announcement for its owner, or for the proxy that made it.
    pub(crate) fn cancel(
        &mut self,
        owner: NodeId,
        id: Hash,
        signer: NodeId,
    ) -> Result<Announcement, ProxyRejection> {
        let proxy = self.announced.get(&(owner, id)).ok_or(ProxyRejection::NotAnnounced)?.proxy;
        if signer != owner && signer != proxy {
            return Err(ProxyRejection::NotAnnounced);
        }
        self.announced.remove(&(owner, id)).ok_or(ProxyRejection::NotAnnounced)
    }

    /// Counts what left the balance of `owner` through `proxy`.
    pub(crate) fn spend(
        &mut self,
        (owner, proxy): (NodeId, NodeId),
        spent: u64,
        height: u64,
    ) -> Result<(), ProxyRejection> {
        match self.active.get_mut(&(owner, proxy)) {
            Some(active) => active.spend(spent, height),
            None => Err(ProxyRejection::NoProxy { proxy }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(units: u64) -> Amount {
        Amount::from_base_units(units)
    }

    fn limited(amount: u64, interval: u64) -> Proxy {
        Proxy::new(
            ProxyGrant {
                scopes: [ProxyScope::Transfers].into(),
                limit: Some(SpendingLimit { amount: units(amount), interval }),
                delay: 0,
                expiry: BlockHeight(1_000),
            },
            0,
            Amount::ZERO,
        )
    }

    #[test]
    fn a_limit_holds_for_an_interval_that_begins_with_its_first_amount() {
        let mut proxy = limited(100, 10);
        assert_eq!(proxy.spend(0, 3), Ok(()));
        assert_eq!(proxy.spend(60, 105), Ok(()));
        assert_eq!(proxy.spend(41, 114), Err(ProxyRejection::Limit { left: units(40) }));
        assert_eq!((proxy.spend(40, 114), proxy.left(114)), (Ok(()), Some(units(0))));
        assert_eq!(proxy.left(115), Some(units(100)), "ten blocks after the first");
        assert_eq!(proxy.spend(100, 115), Ok(()), "at worst twice the limit in less than two intervals");
        assert_eq!(proxy.spend(1, 124), Err(ProxyRejection::Limit { left: units(0) }));
        proxy.grant.limit = None;
        assert_eq!((proxy.spend(u64::MAX, 124), proxy.left(124)), (Ok(()), None));
    }

    #[test]
    fn a_grant_is_for_something_and_for_a_while() {
        let good = limited(5, 1).grant;
        assert_eq!(good.check(1_000), Ok(()));
        assert_eq!(good.check(1_001), Err(ProxyRejection::Grant));
        let limit = |interval| Some(SpendingLimit { amount: units(5), interval });
        for grant in [
            ProxyGrant { scopes: BTreeSet::new(), ..good.clone() },
            ProxyGrant { limit: limit(0), ..good.clone() },
            ProxyGrant { limit: limit(MAX_PROXY_BLOCKS + 1), ..good.clone() },
            ProxyGrant { delay: MAX_PROXY_BLOCKS + 1, ..good.clone() },
        ] {
            assert_eq!(grant.check(1), Err(ProxyRejection::Grant));
        }
    }
}
