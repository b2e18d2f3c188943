//! Which model an expert claims to run, so exactly that its answers can be repeated.
//!
//! A node states it in an expert's record, and signs it again in each receipt. It is a claim: what makes it worth
//! something is that an auditor with the same model can repeat an answer and show that it is not of that model.
//!
//! What a hostile node can do: fill the bounds with text. It is escaped where it is shown.

use nervure_primitives::UntrustedText;
use serde::{Deserialize, Serialize};

use crate::bounds::{MAX_DIGEST_LEN, MAX_IDENTITY_LEN};

/// The word for a part that a node does not state.
const UNSTATED: &str = "unstated";

/// The digest of a model's weights: `sha256:` and hexadecimal digits for the built-in ones, an upstream's own notation
/// for others.
pub type ModelDigest = UntrustedText<MAX_DIGEST_LEN>;

/// One part of a [`ModelIdentity`] in words.
pub type IdentityText = UntrustedText<MAX_IDENTITY_LEN>;

/// What a node says about the model behind an expert. An absent part is unstated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelIdentity {
    /// The digest of its weights.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<ModelDigest>,
    /// The type of its weights: `f16`, `q4_k_m`.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub quant: Option<IdentityText>,
    /// The program that computes it, with the version of its arithmetic: `nervure-byte-lm/2`, `vllm/0.11`.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<IdentityText>,
    /// How it draws tokens from probabilities and a seed: `inverse-cdf/chacha8`.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub sampler: Option<IdentityText>,
}

impl ModelIdentity {
    /// Whether nothing is stated.
    #[must_use]
    pub fn is_unstated(&self) -> bool {
        self.parts().iter().all(|(_, part)| part.is_none())
    }

    /// Each part with its name and its text, as it was written.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, Option<&str>); 4] {
        [
            ("digest", self.digest.as_ref().map(UntrustedText::raw)),
            ("quant", self.quant.as_ref().map(UntrustedText::raw)),
            ("runtime", self.runtime.as_ref().map(UntrustedText::raw)),
            ("sampler", self.sampler.as_ref().map(UntrustedText::raw)),
        ]
    }

    /// The first part that is empty or has control characters.
    pub(crate) fn out_of_bounds(&self) -> Option<&'static str> {
        let is_bad = |part: &str| part.is_empty() || part.chars().any(char::is_control);
        self.parts().into_iter().find(|(_, part)| part.is_some_and(is_bad)).map(|(name, _)| name)
    }
}

impl std::fmt::Display for ModelIdentity {
    /// One line of `name=value`, with `unstated` for what is absent; escaped.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (name, part)) in self.parts().into_iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            match part {
                Some(part) => write!(f, "{gap}{name}={}", UntrustedText::<MAX_DIGEST_LEN>::new(part))?,
                None => write!(f, "{gap}{name}={UNSTATED}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_shown_as_unstated() {
        let identity = ModelIdentity { quant: Some("f16".into()), ..ModelIdentity::default() };
        assert_eq!(identity.to_string(), "digest=unstated quant=f16 runtime=unstated sampler=unstated");
        assert!(!identity.is_unstated() && ModelIdentity::default().is_unstated());
    }

    #[test]
    fn a_part_is_text_without_control_characters() {
        let quant = |text: &str| ModelIdentity { quant: Some(text.into()), ..ModelIdentity::default() };
        assert_eq!(quant("\u{1b}[2J").out_of_bounds(), Some("quant"));
        assert_eq!(quant("").out_of_bounds(), Some("quant"));
        assert_eq!(quant("q4").out_of_bounds(), None);
        assert!(!quant("a\u{202e}b").to_string().contains('\u{202e}'), "it is escaped where it is shown");
    }
}
