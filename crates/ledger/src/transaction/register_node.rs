//! Making a node key one's own.
//!
//! The node key has to agree, with its own signature over the owner's key: otherwise any owner could
//! claim a key that was seen on the network before its owner does.

use nervure_primitives::{Domain, Envelope, EnvelopeError, MeshId, NodeId, NodeKey};
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind, weight};
use crate::state::LedgerState;

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

/// The node key that agreed to belong to `owner`, if it is a new one.
pub(super) fn consenting(
    state: &LedgerState,
    consent: &Envelope,
    owner: NodeId,
) -> Result<NodeId, Rejection> {
    let named: NodeId =
        consent.open(CONSENT, &state.mesh, MAX_CONSENT_LEN).map_err(|error| Rejection::consent(&error))?;
    if named != owner {
        return Err(Rejection::ConsentForAnother { owner: named });
    }
    let node = consent.signer();
    if state.nodes.is_known(&node) {
        return Err(Rejection::KeyTaken { node });
    }
    Ok(node)
}

/// A node key that has an owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegisterNodeOutcome {
    /// The node key.
    pub node: NodeId,
}

impl TransactionKind for RegisterNode {
    type Outcome = RegisterNodeOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn weight(&self) -> u64 {
        weight::REGISTER_NODE
    }

    fn apply(&self, state: &mut LedgerState, signer: NodeId) -> Result<Self::Outcome, Rejection> {
        let node = consenting(state, &self.consent, signer)?;
        state.nodes.register(node, signer);
        Ok(RegisterNodeOutcome { node })
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let RegisterNodeOutcome { node } = outcome;
        Description {
            future: format!("registers {node} under your owner account"),
            past: format!("{node} is registered under your owner account"),
        }
    }
}
