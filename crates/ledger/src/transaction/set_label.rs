//! Labelling an owner's account: an example of a kind that changes no state.
//!
//! What a hostile signer can do: pay the fee for a label that no one keeps. What it cannot: put bytes on a terminal that
//! are no printable ASCII, or make the outcome longer than its label.

use nervure_primitives::NodeId;
use serde::{Deserialize, Serialize};

use super::{Description, Rejection, SignerKey, TransactionKind};
use crate::state::LedgerState;

/// Longest label, in characters.
pub(super) const MAX_LABEL_LEN: usize = 32;

/// Says a label for the signer's account; the ledger checks it and does not keep it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetLabel {
    /// 1 to 32 printable ASCII characters.
    pub label: String,
}

/// A label that is valid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetLabelOutcome {
    /// Number of its characters.
    pub characters: u8,
}

impl TransactionKind for SetLabel {
    type Outcome = SetLabelOutcome;

    const SIGNER: SignerKey = SignerKey::Owner;

    fn apply(&self, _: &mut LedgerState, _: NodeId) -> Result<Self::Outcome, Rejection> {
        let Self { label } = self;
        let is_printable = label.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        match u8::try_from(label.len()) {
            Ok(characters) if (1..=MAX_LABEL_LEN).contains(&label.len()) && is_printable => {
                Ok(SetLabelOutcome { characters })
            }
            _ => Err(Rejection::Label),
        }
    }

    fn description(outcome: &Self::Outcome) -> Description {
        let SetLabelOutcome { characters } = outcome;
        Description {
            future: format!("labels your owner account with {characters} characters"),
            past: format!("your owner account has a label of {characters} characters"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::MeshSpec;

    fn applied(label: &str) -> Result<SetLabelOutcome, Rejection> {
        let mut state = LedgerState::genesis(&MeshSpec::test("label")).unwrap();
        let before = state.clone();
        let done = SetLabel { label: label.into() }.apply(&mut state, NodeId::from_bytes([1; 32]));
        assert_eq!(state, before, "a label is not kept");
        done
    }

    #[test]
    fn a_label_has_1_to_32_printable_ascii_characters() {
        for label in ["a", "Garage, left rack ~", &"x".repeat(MAX_LABEL_LEN)] {
            assert_eq!(applied(label), Ok(SetLabelOutcome { characters: label.len() as u8 }));
        }
        for label in ["", "tab\t", "\u{7f}", "café", &"x".repeat(MAX_LABEL_LEN + 1), &"x".repeat(257)] {
            assert_eq!(applied(label), Err(Rejection::Label), "{label:?}");
        }
    }
}
