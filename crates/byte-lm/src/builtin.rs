//! The built-in models: their cards and their weights, which are part of the binary.
//!
//! `docs/experts.md` has the sources and licences of the training text, and the measured quality of each model.

use nervure_experts::ModelCard;
use nervure_experts::byte_text::{CONTEXT_BYTES, MAX_OUTPUT_BYTES, SAMPLER};
use nervure_protocol::{ModelDigest, ModelIdentity};

use crate::ModelError;
use crate::model::ByteModel;
use crate::weights::{WEIGHTS_TYPE, load, weights_digest};

/// The program that computes a byte model, in a model's identity. The number counts changes of its arithmetic: two nodes
/// with the same number compute the same bits.
pub const RUNTIME: &str = "nervure-byte-lm/2";

/// One built-in model.
#[derive(Debug)]
pub struct Builtin {
    domain: &'static str,
    description: &'static str,
    weights: &'static [u8],
}

/// The built-in models, one per domain.
pub static BUILTIN: [Builtin; 4] = [
    Builtin {
        domain: "rust",
        description: "continues Rust source code; 0.9 M parameters, bytes",
        weights: include_bytes!("../weights/rust.safetensors"),
    },
    Builtin {
        domain: "python",
        description: "continues Python source code; 0.9 M parameters, bytes",
        weights: include_bytes!("../weights/python.safetensors"),
    },
    Builtin {
        domain: "prose",
        description: "continues English technical prose; 0.9 M parameters, bytes",
        weights: include_bytes!("../weights/prose.safetensors"),
    },
    Builtin {
        domain: "manual",
        description: "continues manual pages (roff source); 0.9 M parameters, bytes",
        weights: include_bytes!("../weights/manual.safetensors"),
    },
];

/// The built-in model of `domain` (`rust`, `python`, `prose`, `manual`).
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

    /// The card of an expert that serves it.
    #[must_use]
    pub fn card(&self) -> ModelCard {
        ModelCard {
            model: format!("nervure-bytes-{}", self.domain),
            identity: self.identity(),
            capability: format!("text.generate.{}", self.domain),
            context: CONTEXT_BYTES as u32,
            max_output: MAX_OUTPUT_BYTES,
            byte_level: true,
            description: self.description.to_owned(),
        }
    }

    /// Which weights these are, and which arithmetic computes them.
    #[must_use]
    pub fn identity(&self) -> ModelIdentity {
        ModelIdentity {
            digest: Some(ModelDigest::new(weights_digest(self.weights))),
            quant: Some(WEIGHTS_TYPE.into()),
            runtime: Some(RUNTIME.into()),
            sampler: Some(SAMPLER.into()),
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
    /// When the weights do not fit the model's shapes, which the tests rule out.
    pub fn load(&self) -> Result<ByteModel, ModelError> {
        load(self.weights)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use nervure_primitives::Capability;

    use super::*;

    /// Text of `domain` from files that no model was trained on. It is not part of the program, as it has other licences.
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
    fn each_weights_file_is_below_two_megabytes_and_loads() {
        for builtin in &BUILTIN {
            assert!(builtin.weights().len() <= 2_000_000);
            builtin.load().unwrap();
        }
    }
}
