//! Making a node key one's own.
//!
//! The node key has to agree, with its own signature over the owner's key: otherwise any owner could
//! claim a key that was seen on the network before its owner does.

use nervure_primitives::{Amount, Domain, Envelope, EnvelopeError, MeshId, NodeId, NodeKey};
use serde::{Deserialize, Serialize};

use super::{Description, NodeRejection, Rejection, SignerKey, TransactionKind, kind::deposited, weight};
use crate::{deposits::RecordKind, state::LedgerState};

/// What a node key's consent is for.
const CONSENT: Domain = Domain::new("nervure/node-consent/1");

/// Largest body of a consent in bytes: an owner key and its header.
const MAX_CONSENT_LEN: usize = 40;

/// Makes the signer the owner of the node key that signed `consent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterNode {
    /// The node key's word; see [`consent`].
    pub consent: Envelope,
}

/// The word of `node` that it belongs to `owner` on `mesh`.
///
/// # Errors
/// None in practice: a key always encodes.
pub fn consent(node: &NodeKey, owner: &NodeId, mesh: &MeshId) -> Result<Envelope, EnvelopeError> {
    Envelope::seal(node, CONSENT, mesh, owner)
}

/// The owner that the signer of `consent` agreed to belong to on `mesh`.
///
/// # Errors
/// When it is no consent, is for another mesh, or its signature is not by its signer.
pub fn consented_owner(consent: &Envelope, mesh: &MeshId) -> Result<NodeId, EnvelopeError> {
    consent.open(CONSENT, mesh, MAX_CONSENT_LEN)
}

/// The node key that agreed to belong to `owner`, if it is a new one.
pub(super) fn consenting(
    state: &LedgerState,
    consent: &Envelope,
    owner: NodeId,
) -> Result<NodeId, Rejection> {
    let named = consented_owner(consent, &state.mesh).map_err(|error| Rejection::consent(&error))?;
    if named != owner {
        return Err(NodeRejection::ConsentForAnother { owner: named }.into());
    }
    let node = consent.signer();
    // A key that was in office answers for what it signed as the node that it was.
    if state.nodes.is_known(&node) || state.roster.term(&node).is_some() {
        return Err(NodeRejection::KeyTaken { node }.into());
    }
    Ok(node)
}

/// A node key that has an owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegisterNodeOutcome {
    /// The node key.
    pub node: NodeId,
    /// What is deposited for it.
    #[serde(default)]
    pub deposit: Amount,
}

impl TransactionKind for RegisterNode {
    type Outcome = RegisterNodeOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::REGISTER_NODE
    }

    fn spends(&self, state: &LedgerState) -> u64 {
        state.params.deposit(RecordKind::Node)
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let node = consenting(state, &self.consent, signer)?;
        let deposit = state.deposit(&signer, RecordKind::Node)?;
        state.nodes.register(node, signer);
        state.nodes.set_deposit(&node, deposit);
        Ok(RegisterNodeOutcome { node, deposit })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let RegisterNodeOutcome { node, deposit } = outcome;
        let deposited = deposited(*deposit, "when you deregister it");
        Description {
            future: format!("registers {node} under your owner account{deposited}"),
            past: format!("{node} is registered under your owner account{deposited}"),
        }
    }

    #[cfg(test)]
    fn sample() -> super::Sample<Self> {
        use super::sample::{AMOUNT, consented, node};
        super::Sample {
            call: Self { consent: consented() },
            call_hash: "159d44df448da3374451c534bf7a8bfceefeab4fadf3c2fdb512af5f5a93220e",
            outcome: RegisterNodeOutcome { node: node(), deposit: AMOUNT },
            outcome_hash: "6e4d986a0d158a6fdb2fdd168d568b6f2ed695a37b654a3232f62179b5c0726b",
            future: "registers NODE under your owner account; 1.5 tokens are deposited and come back when you deregister it",
            past: "NODE is registered under your owner account; 1.5 tokens are deposited and come back when you deregister it",
        }
    }
}
