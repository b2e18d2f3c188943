//! What people do more rarely: validators come, go, change their keys and cheat; stake moves and changes hands; token holders
//! decide; proxies and threshold accounts act for others.

use nervure_anchor::{AnchorKey, ProofOfPossession};
use nervure_consensus::statement::{Equivocation, Round, SignedStatement, Vote, VoteKind};
use nervure_ledger::{
    governance::{Action, Choice, ParameterValue, ProposalId, ProposalStatus},
    multisig::MultisigAccount,
    proxies::{ProxyGrant, ProxyScope, SpendingLimit},
    subnet::Hyperparameter,
    transaction::{
        AnnounceCall, Batch, Call, CancelAnnouncement, ClaimVested, DeregisterNeuron, DeregisterNode,
        Holding, JoinValidators, LeaveValidators, MoveStake, MultisigCall, ProxyCall, RegisterAnchorKey,
        RegisterNeuron, RegisterNode, RemoveProxy, ReportEquivocation, RotateOwner, SetHyperparameter,
        SetMechanism, SetProxy, SetTake, Stake, SubmitProposal, SwapKey, Transfer, TransferVested, Unstake,
        VoteProposal, consent, owner_consent,
    },
};
use nervure_primitives::{Amount, BlockHeight, Envelope, Hash, MechanismSpec, NodeId, NodeKey};

use super::{History, OWNERS, owner, tokens};

impl History {
    /// Something rare. `who` acts where it does not matter who does.
    pub(super) fn uncommon_wish(&mut self, who: u8) -> Vec<Envelope> {
        match self.random.below(17) {
            0 => vec![self.move_stake(who)],
            1 => self.rotate(who),
            2 => self.swap_key(),
            3 => self.set_take(),
            4..6 => self.join_validators(),
            6 => self.leave_validators(),
            7 => self.leave_subnet(),
            8 => vec![self.set_proxy(who)],
            9 | 10 => self.act_for(who),
            11 => self.vest(who),
            12 => self.act_together(who),
            13 => vec![self.propose(who)],
            14 => self.vote_on_proposals(),
            15 => self.equip(),
            _ => self.equivocate(),
        }
    }

    /// The person that owns a node, by its number and its key.
    fn owner_of(&self, node: &NodeId) -> Option<u8> {
        let of = self.state.nodes().get(node)?.owner;
        (0..OWNERS).find(|index| owner(*index).node_id() == of)
    }

    fn other_than(&mut self, who: u8) -> u8 {
        (who + 1 + self.random.below(u64::from(OWNERS) - 1) as u8) % OWNERS
    }

    fn some_tokens(&mut self, most: u64) -> Amount {
        Amount::from_base_units(1_000_000_000 + self.random.below(most * 1_000_000_000))
    }

    fn move_stake(&mut self, who: u8) -> Envelope {
        let [from, to] = [self.some_validator().node_id(), self.some_validator().node_id()];
        let amount = self.some_tokens(100);
        self.by_owner(who, Call::MoveStake(MoveStake { from, to, amount }), 0)
    }

    /// A person gives a stake, what is unbonding, or a node of its own to another one.
    fn rotate(&mut self, who: u8) -> Vec<Envelope> {
        let (old, new) = (owner(who).node_id(), owner(self.other_than(who)));
        let node = self.some_validator().node_id();
        let unbonding = self.state.accounts().unbonding(&old).next().map(|(key, _)| BlockHeight(key.free));
        let holdings = match (self.random.below(3), unbonding) {
            // With its stake, without which it makes no blocks.
            (0, _) if self.owner_of(&node) == Some(who) => vec![Holding::Node(node), Holding::Stake(node)],
            (1, Some(free)) => vec![Holding::Unbonding(free)],
            _ => vec![Holding::Stake(node)],
        };
        let consent = owner_consent(&new, &old, &self.state.mesh()).unwrap();
        vec![self.by_owner(who, Call::RotateOwner(RotateOwner { consent, holdings, account: None }), 0)]
    }

    /// The owner of a validator replaces its key. Rarely: until the next election, the node's key is not one in office.
    fn swap_key(&mut self) -> Vec<Envelope> {
        if self.random.below(4) > 0 {
            return Vec::new();
        }
        let at = self.random.below(self.validators.len() as u64) as usize;
        let (old, new) = (self.validators[at].node_id(), self.new_key());
        let Some(who) = self.owner_of(&old) else { return Vec::new() };
        // One of the two is no node after the block, and is forgotten.
        self.validators.push(new.clone());
        let consent = consent(&new, &owner(who).node_id(), &self.state.mesh()).unwrap();
        vec![self.by_owner(who, Call::SwapKey(SwapKey { old, consent }), 0)]
    }

    fn set_take(&mut self) -> Vec<Envelope> {
        let node = self.some_validator().node_id();
        let Some(who) = self.owner_of(&node) else { return Vec::new() };
        let take = self.random.below(12_000) as u16;
        vec![self.by_owner(who, Call::SetTake(SetTake { node, take }), 0)]
    }

    /// The owner of a validator that is not elected wants it to be: it was jailed, or has left.
    fn join_validators(&mut self) -> Vec<Envelope> {
        let is_out = |key: &&NodeKey| !self.state.roster().has_joined(&key.node_id());
        let out = self.validators.iter().find(is_out).map(NodeKey::node_id);
        let Some((node, who)) = out.and_then(|node| Some((node, self.owner_of(&node)?))) else {
            return Vec::new();
        };
        vec![self.by_owner(who, Call::JoinValidators(JoinValidators { node }), 0)]
    }

    fn leave_validators(&mut self) -> Vec<Envelope> {
        let node = self.some_validator().node_id();
        match self.owner_of(&node) {
            Some(who) if self.in_office() > 3 => {
                vec![self.by_owner(who, Call::LeaveValidators(LeaveValidators { node }), 0)]
            }
            _ => Vec::new(),
        }
    }

    /// The last miner that came gives its slot and its node back.
    fn leave_subnet(&mut self) -> Vec<Envelope> {
        let Some(key) = self.miners.pop() else { return Vec::new() };
        let node = key.node_id();
        let Some(who) = self.owner_of(&node) else { return Vec::new() };
        let in_it =
            |subnet: &nervure_ledger::subnet::Subnet| subnet.neurons.iter().any(|one| one.node == node);
        let netuid = self.state.subnets().iter().find(|(_, subnet)| in_it(subnet)).map(|(netuid, _)| *netuid);
        let slot = netuid
            .map(|netuid| self.by_owner(who, Call::DeregisterNeuron(DeregisterNeuron { netuid, node }), 0));
        let before = u64::from(slot.is_some());
        let rest = self.by_owner(who, Call::DeregisterNode(DeregisterNode { node }), before);
        slot.into_iter().chain([rest]).collect()
    }

    /// A proxy for another person, or one less.
    fn set_proxy(&mut self, who: u8) -> Envelope {
        let (id, height) = (owner(who).node_id(), self.state.height().0);
        let has = self.state.proxies().of(id).next().map(|(proxy, _)| proxy);
        if let Some(proxy) = has.filter(|_| self.random.below(3) == 0) {
            return self.by_owner(who, Call::RemoveProxy(RemoveProxy { proxy }), 0);
        }
        let proxy = owner(self.other_than(who)).node_id();
        let limit = SpendingLimit { amount: tokens(100), interval: 1_000 };
        let grant = ProxyGrant {
            scopes: [ProxyScope::Transfers].into(),
            limit: (self.random.below(2) == 0).then_some(limit),
            delay: self.random.below(2) * 5,
            expiry: BlockHeight(height + 100_000),
        };
        self.by_owner(who, Call::SetProxy(SetProxy { proxy, grant }), 0)
    }

    /// A proxy pays something for its owner: at once, or after it said so; and what it said is cancelled at times.
    fn act_for(&mut self, who: u8) -> Vec<Envelope> {
        let id = owner(who).node_id();
        let waiting =
            self.state.proxies().announced(&id).next().map(|(at, one)| (at, one.proxy, one.call.clone()));
        let by = |proxy: NodeId| (0..OWNERS).find(|index| owner(*index).node_id() == proxy);
        if let Some((announced, proxy, call)) = waiting {
            if self.random.below(4) == 0 {
                let cancel = CancelAnnouncement { owner: id, id: announced };
                return vec![self.by_owner(who, Call::CancelAnnouncement(cancel), 0)];
            }
            let carried_out = |proxy| self.by_owner(proxy, Call::Proxy(ProxyCall { owner: id, call }), 0);
            return by(proxy).map(carried_out).into_iter().collect();
        }
        let Some((proxy, delay)) = self.state.proxies().of(id).next().map(|(id, one)| (id, one.grant.delay))
        else {
            return Vec::new();
        };
        let (to, amount) = (owner(self.other_than(who)).node_id(), self.some_tokens(10));
        let call = Box::new(Call::Transfer(Transfer { to, amount, memo: None }));
        let call = match delay {
            0 => Call::Proxy(ProxyCall { owner: id, call }),
            _ => Call::Announce(AnnounceCall { owner: id, call }),
        };
        by(proxy).map(|proxy| self.by_owner(proxy, call, 0)).into_iter().collect()
    }

    /// A person gives an amount that vests, or claims what has.
    fn vest(&mut self, who: u8) -> Vec<Envelope> {
        let other = owner(self.other_than(who)).node_id();
        let vesting = self.state.accounts().vesting(&owner(who).node_id()).next().map(|(key, _)| key.from);
        let call = match vesting {
            Some(from) if self.random.below(2) == 0 => Call::ClaimVested(ClaimVested { from }),
            _ => {
                let start = self.state.height();
                let [cliff, end] = [10, 2_000].map(|blocks| BlockHeight(start.0 + blocks));
                let amount = self.some_tokens(50);
                Call::TransferVested(TransferVested { to: other, amount, start, cliff, end })
            }
        };
        vec![self.by_owner(who, call, 0)]
    }

    /// A batch, or a call of the account of the first three people.
    fn act_together(&mut self, who: u8) -> Vec<Envelope> {
        let members = (0..3).map(|index| owner(index).node_id()).collect();
        let account = MultisigAccount::new(2, members).unwrap();
        let (id, amount) = (account.id(), self.some_tokens(10));
        let pay = |to| Call::Transfer(Transfer { to, amount, memo: None });
        let has = self.state.accounts().get(&id);
        if has.balance < tokens(100) || self.random.below(2) == 0 {
            let node = self.some_validator().node_id();
            let calls = vec![pay(id), Call::Stake(Stake { node, amount })];
            return vec![self.by_owner(who, Call::Batch(Batch { calls }), 0)];
        }
        let expiry = BlockHeight(self.state.height().0 + 20);
        let call = Box::new(pay(owner(who).node_id()));
        let mut call = MultisigCall { account, nonce: has.nonce, expiry, call, approvals: Vec::new() };
        let approve = |index| call.account.approve(&call.approved(), &owner(index), &self.state.mesh());
        let mut approvals: Vec<_> = (0..2).filter_map(|index| approve(index).unwrap()).collect();
        approvals.sort_by_key(|approval| approval.member);
        call.approvals = approvals;
        vec![self.by_owner(who, Call::Multisig(call), 0)]
    }

    fn propose(&mut self, who: u8) -> Envelope {
        let action = match self.random.below(3) {
            0 => Action::Text,
            1 => {
                let amount = Amount::from_base_units(6_000_000 + self.random.below(1_000_000));
                Action::Payment { to: owner(who).node_id(), amount }
            }
            _ => {
                let value = 90 + self.random.below(20);
                Action::Params { values: vec![ParameterValue { name: "vote_interval".into(), value }] }
            }
        };
        let proposal = SubmitProposal { title: "a wish".into(), document: None, action };
        self.by_owner(who, Call::SubmitProposal(proposal), 0)
    }

    /// Everyone with a stake votes on a proposal, most of them for it.
    fn vote_on_proposals(&mut self) -> Vec<Envelope> {
        let open = |(id, found): (&ProposalId, &nervure_ledger::governance::Proposal)| {
            (found.status == ProposalStatus::Voting).then_some(*id)
        };
        let Some(proposal) = self.state.governance().proposals().iter().find_map(open) else {
            return Vec::new();
        };
        let mut votes = Vec::new();
        for who in 0..OWNERS {
            let id = owner(who).node_id();
            let nodes = self.state.nodes().stakes_of(id).map(|(node, _)| node);
            let nodes: Vec<_> = nodes.filter(|node| self.state.roster().has_joined(node)).take(8).collect();
            let choice = match self.random.below(10) {
                0 => Choice::No,
                1 => Choice::Abstain,
                2 => Choice::Veto,
                _ => Choice::Yes,
            };
            if !nodes.is_empty() {
                let vote = VoteProposal { proposal, choice, nodes };
                votes.push(self.by_owner(who, Call::VoteProposal(vote), 0));
            }
        }
        votes
    }

    /// A validator gets an anchor key, or a subnet another mechanism or another rule.
    fn equip(&mut self) -> Vec<Envelope> {
        if self.random.below(2) == 0 {
            let (key, secret) = (self.some_validator(), 1 + self.random.below(250) as u8);
            let address_key = AnchorKey::from_secret(&[secret; 32]).unwrap();
            let possession = ProofOfPossession::prove(&address_key, &key.node_id(), &self.state.mesh());
            let call = RegisterAnchorKey { address: address_key.address(), possession };
            return self.by_node(&key, Call::RegisterAnchorKey(call)).into_iter().collect();
        }
        let netuid = self.some_subnet();
        let by = self.state.subnets()[&netuid].owner;
        let value = self.random.below(8);
        let call = match self.random.below(2) {
            0 => Call::SetHyperparameter(SetHyperparameter {
                netuid,
                to: Hyperparameter::Immunity(value * 500),
            }),
            _ => {
                let to = MechanismSpec::named("next-byte").with("contexts", 1 + value);
                Call::SetMechanism(SetMechanism { netuid, to })
            }
        };
        let who = by.and_then(|by| (0..OWNERS).find(|index| owner(*index).node_id() == by));
        who.map(|who| self.by_owner(who, call, 0)).into_iter().collect()
    }

    /// A validator in office signs twice and is reported by another one. Its owner takes back what is left, and begins again
    /// with another node.
    fn equivocate(&mut self) -> Vec<Envelope> {
        let is_in_office = |key: &NodeKey| {
            let set = self.state.validators();
            set.is_some_and(|set| set.power_of(&key.node_id()).is_some())
        };
        let in_office: Vec<NodeKey> =
            self.validators.iter().filter(|key| is_in_office(key)).cloned().collect();
        // Rarely: it takes the owner's stake out of office for as long as unbonding takes.
        if in_office.len() < 5 || self.random.below(4) > 0 {
            return Vec::new();
        }
        let culprit = in_office[self.random.below(in_office.len() as u64) as usize].clone();
        let (node, mesh) = (culprit.node_id(), self.state.mesh());
        let reporter = in_office.iter().find(|key| key.node_id() != node);
        let Some((reporter, who)) = reporter.and_then(|key| Some((key, self.owner_of(&node)?))) else {
            return Vec::new();
        };
        let vote = |value| {
            let vote = Vote { height: self.state.height(), round: Round(0), kind: VoteKind::Prevote, value };
            SignedStatement::sign(&culprit, &mesh, vote).unwrap()
        };
        let evidence = Equivocation::votes(vote(None), vote(Some(Hash::of("block", &[])))).unwrap();
        let report = Call::ReportEquivocation(ReportEquivocation { evidence: evidence.into() });
        let Some(report) = self.by_node(reporter, report) else { return Vec::new() };
        let (key, netuid) = (self.new_key(), self.some_subnet());
        self.validators.push(key.clone());
        let balance = self.state.accounts().get(&owner(who).node_id()).balance.base_units();
        let consent = consent(&key, &owner(who).node_id(), &mesh).unwrap();
        let new = key.node_id();
        let amount = Amount::from_base_units((balance / 3).min(300_000_000_000_000));
        let join = RegisterNeuron { netuid, node: new, max_price: Some(tokens(50)) };
        let calls = [
            Call::Unstake(Unstake { node, amount: Unstake::ALL }),
            Call::RegisterNode(RegisterNode { consent }),
            Call::Stake(Stake { node: new, amount }),
            Call::JoinValidators(JoinValidators { node: new }),
            Call::RegisterNeuron(join),
        ];
        let calls = (0..).zip(calls).map(|(before, call)| self.by_owner(who, call, before));
        [report].into_iter().chain(calls).collect()
    }
}
