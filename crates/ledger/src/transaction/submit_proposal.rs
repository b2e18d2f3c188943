//! Proposing a decision to the token holders. See [`crate::governance`].

use nervure_primitives::{Amount, BlockHeight, NodeId};
use serde::{Deserialize, Serialize};

use super::{Description, GovernanceRejection, Rejection, SignerKey, TransactionKind, weight};
use crate::{
    governance::{Action, Document, ParameterChange, Proposal, ProposalId, ProposalStatus, ProposalTitle},
    proxies::ProxyScope,
    state::LedgerState,
};

/// Proposes something, and holds back a deposit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitProposal {
    /// What it is called.
    pub title: ProposalTitle,
    /// Where it is explained.
    pub document: Option<Document>,
    /// What it does when it takes effect.
    pub action: Action,
}

/// A proposal that stake can vote on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubmitProposalOutcome {
    /// Its number.
    pub proposal: ProposalId,
    /// What it does when it takes effect.
    pub action: Action,
    /// What it makes of parameters, if it is about them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ParameterChange>,
    /// What is held back.
    pub deposit: Amount,
    /// The block at whose end the votes are counted.
    pub ends: BlockHeight,
    /// The block at whose end it takes effect if it passes.
    pub effective: BlockHeight,
}

impl SubmitProposalOutcome {
    /// What it does, in words, with the values of parameters now.
    fn effect(&self) -> String {
        if self.changes.is_empty() {
            return self.action.to_string();
        }
        let one = |change: &ParameterChange| format!("{} from {} to {}", change.name, change.from, change.to);
        let each: Vec<String> = self.changes.iter().map(one).collect();
        format!("changes {}", each.join(", "))
    }
}

impl TransactionKind for SubmitProposal {
    type Outcome = SubmitProposalOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::SUBMIT_PROPOSAL
    }

    fn spends(&self, state: &LedgerState) -> u64 {
        state.proposal_deposit().base_units()
    }

    fn scope(&self) -> Option<ProxyScope> {
        Some(ProxyScope::Voting)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { title, document, action } = self;
        if title.is_empty() {
            return Err(GovernanceRejection::Untitled.into());
        }
        let rules = &state.params.governance;
        let most = rules.most_open;
        if state.governance.open() >= usize::from(most) {
            return Err(GovernanceRejection::TooManyProposals { most }.into());
        }
        let ends = state.height.saturating_add(rules.voting_period);
        let effective = ends.saturating_add(rules.delay);
        state.check_action(action, effective).map_err(|error| Rejection::action(&error))?;
        let (deposit, rules) = (state.proposal_deposit(), rules.of_vote());
        state.spend(&signer, deposit.base_units())?;
        let proposal = state.governance.next;
        state.governance.next = ProposalId(proposal.0.saturating_add(1));
        state.nodes.ballots.open(proposal);
        let submitted = Proposal {
            proposer: signer,
            title: title.clone(),
            document: document.clone(),
            action: action.clone(),
            deposit,
            submitted: state.height,
            ends,
            rules,
            status: ProposalStatus::Voting,
            tally: None,
        };
        state.governance.proposals.insert(proposal, submitted);
        let changes = match action {
            Action::Params { values } => state.rulebook().changes(values),
            Action::Text | Action::Upgrade { .. } | Action::Payment { .. } => Vec::new(),
        };
        let (ends, effective) = (BlockHeight(ends), BlockHeight(effective));
        Ok(SubmitProposalOutcome { proposal, action: action.clone(), changes, deposit, ends, effective })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let SubmitProposalOutcome { proposal, deposit, ends, effective, .. } = outcome;
        let effect = outcome.effect();
        let terms = format!(
            "stake votes until block {ends}, and if it passes, it takes effect at the end of block {effective}; {deposit} \
             tokens are held back until block {ends}, and lost if it is vetoed or too little stake votes"
        );
        Description {
            future: format!("makes proposal {proposal}, which {effect}; {terms}"),
            past: format!("made proposal {proposal}, which {effect}; {terms}"),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use nervure_primitives::Hash;

        use super::sample::{AMOUNT, BLOCK};
        use crate::governance::ParameterValue;
        let values = vec![ParameterValue { name: "min_base_fee".into(), value: 400 }];
        let action = Action::Params { values };
        let document = Document { url: "https://example.org/1".into(), sha256: Hash::from_bytes([4; 32]) };
        let change = ParameterChange { name: "min_base_fee".into(), from: 300, to: 400 };
        super::Sample {
            call: Self { title: "A higher floor".into(), document: Some(document), action: action.clone() },
            call_hash: "89594e40d1879b790e9675d276eb62b70ce6fa320d122df3a119b5da737a2ad3",
            outcome: SubmitProposalOutcome {
                proposal: ProposalId(3),
                action,
                changes: vec![change],
                deposit: AMOUNT,
                ends: BLOCK,
                effective: BlockHeight(310),
            },
            outcome_hash: "777ec2cee2b2bcc9b0961704cd1325a23900fc3528867b2a3213124369338377",
            future: "makes proposal 3, which changes min_base_fee from 300 to 400; stake votes until block 300, and if it passes, it takes effect at the end of block 310; 1.5 tokens are held back until block 300, and lost if it is vetoed or too little stake votes",
            past: "made proposal 3, which changes min_base_fee from 300 to 400; stake votes until block 300, and if it passes, it takes effect at the end of block 310; 1.5 tokens are held back until block 300, and lost if it is vetoed or too little stake votes",
        }
    }
}
