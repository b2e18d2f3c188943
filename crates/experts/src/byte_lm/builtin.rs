//! The shipped experts: their cards and their weights, inside the binary.
//!
//! Where the training text comes from, under which licences, and how well each does is in `docs/experts.md`.

use super::model::{ByteModel, CONTEXT};
use super::weights::load;
use crate::{ExpertError, ModelCard};

/// Longest answer of a built-in expert, in bytes.
pub const MAX_OUTPUT: u32 = 4096;

/// One shipped expert.
#[derive(Debug)]
pub struct Builtin {
    domain: &'static str,
    description: &'static str,
    weights: &'static [u8],
}

/// The shipped experts, one per domain.
pub static BUILTIN: [Builtin; 4] = [
    Builtin {
        domain: "rust",
        description: "continues Rust source code; 0.9 M parameters, bytes",
        weights: include_bytes!("../../weights/rust.safetensors"),
    },
    Builtin {
        domain: "python",
        description: "continues Python source code; 0.9 M parameters, bytes",
        weights: include_bytes!("../../weights/python.safetensors"),
    },
    Builtin {
        domain: "prose",
        description: "continues English technical prose; 0.9 M parameters, bytes",
        weights: include_bytes!("../../weights/prose.safetensors"),
    },
    Builtin {
        domain: "manual",
        description: "continues manual pages (roff source); 0.9 M parameters, bytes",
        weights: include_bytes!("../../weights/manual.safetensors"),
    },
];

/// The shipped expert of `domain` (`rust`, `python`, `prose`, `manual`).
#[must_use]
pub fn find(domain: &str) -> Option<&'static Builtin> {
    BUILTIN.iter().find(|builtin| builtin.domain == domain)
}

impl Builtin {
    /// Its domain: one word, the last of its capability.
    #[must_use]
    pub fn domain(&self) -> &'static str {
        self.domain
    }

    /// What it serves.
    #[must_use]
    pub fn card(&self) -> ModelCard {
        ModelCard {
            model: format!("nervure-bytes-{}", self.domain),
            capability: format!("text.generate.{}", self.domain),
            context: CONTEXT as u32,
            max_output: MAX_OUTPUT,
            byte_level: true,
            description: self.description.to_owned(),
        }
    }

    /// Its weights, as safetensors.
    #[must_use]
    pub fn weights(&self) -> &'static [u8] {
        self.weights
    }

    /// Loads it.
    ///
    /// # Errors
    /// Only when the weights do not fit the code, which the tests rule out.
    pub fn load(&self) -> Result<ByteModel, ExpertError> {
        load(self.weights)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use nervure_primitives::Capability;

    use super::*;

    /// Text of `domain` from files that no model was trained on. Not part of the program: it has licences of its own.
    pub(crate) fn heldout(domain: &str) -> Vec<u8> {
        std::fs::read(format!("{}/data/{domain}.heldout", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn cards_are_valid_and_distinct() {
        for builtin in &BUILTIN {
            let card = builtin.card();
            let capability = Capability::new(&card.capability).unwrap();
            assert!(Capability::new("text.generate").unwrap().covers(&capability));
            assert!(std::ptr::eq(find(builtin.domain()).unwrap(), builtin));
        }
        assert!(find("poetry").is_none());
    }

    #[test]
    fn each_file_stays_below_two_megabytes_and_loads() {
        for builtin in &BUILTIN {
            assert!(builtin.weights().len() <= 2_000_000);
            builtin.load().unwrap();
        }
    }
}
