//! The proposals, as the last block left them.

use nervure_api::{ProposalPage, ProposalView, ServiceError};
use nervure_ledger::{
    governance::{Action, Proposal, ProposalId},
    state::LedgerState,
};
use nervure_primitives::Amount;

use super::LedgerQueries;

impl LedgerQueries {
    /// The proposals, the latest first.
    pub(super) fn list_proposals(&self) -> Result<ProposalPage, ServiceError> {
        let tip = self.chain()?.view().tip.clone();
        let state = &tip.state;
        let rules = &state.params().governance;
        let all = state.governance().proposals().iter().rev();
        Ok(ProposalPage {
            height: state.height(),
            treasury: Amount::from_base_units(state.governance().treasury()),
            deposit: state.proposal_deposit(),
            vote_deposit: Amount::from_base_units(state.params().vote_deposit()),
            most_open: rules.most_open,
            proposals: all.map(|(id, proposal)| view(state, *id, proposal)).collect(),
        })
    }
}

fn view(state: &LedgerState, id: ProposalId, proposal: &Proposal) -> ProposalView {
    let count = proposal.tally.unwrap_or_else(|| state.tally(id));
    let changes = match &proposal.action {
        Action::Params { values } if proposal.is_open() => state.rulebook().changes(values),
        Action::Params { .. } | Action::Text | Action::Upgrade { .. } | Action::Payment { .. } => Vec::new(),
    };
    ProposalView { changes, ..ProposalView::new(id, proposal.clone(), count) }
}
