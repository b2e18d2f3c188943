//! Receipts: a miner's signed proof of what it answered, and with which model.
//!
//! A receipt names both nodes, the query, the request, the model with its sampling, and the answer. It proves that the
//! miner gave that answer to that request and claimed that model for it. Its times are the miner's own claim and prove
//! nothing; what it says about the model is a claim that an auditor with the same model can refute.
//!
//! The query's name is a hash of a nonce of the end user's client ([`query_name`]), so that a node between the client
//! and the miner cannot show an old answer with its receipt. The answer's hash ([`AnswerHasher`]) is that of its
//! content, wherever its chunks end.
//!
//! Hazard: [`SignedReceipt::verify`] proves who signed, not that the receipt is for a query of the receiver. The
//! receiver compares it with the query that it sent.

use nervure_primitives::{
    Envelope, EnvelopeError, Hash, Hasher, MeshId, Netuid, NodeId, NodeKey, UnixMillis,
};
use serde::{Deserialize, Serialize};

use crate::{
    AnswerFields, ExpertEvent, ExpertRequest, FinishReason, ModelIdentity, ModelName, Usage,
    bounds::{MAX_ANSWER_MS, MAX_RECEIPT_LEN},
    domains,
    record::is_expert_name,
};

/// Bytes of text that are hashed together. The last block of an answer may be shorter.
const TEXT_BLOCK: usize = 4096;

/// What a miner answered to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The subnet of the query.
    pub netuid: Netuid,
    /// The node that asked.
    pub asker: NodeId,
    /// The node that answered.
    pub miner: NodeId,
    /// The asker's unique name for the query.
    pub query: Hash,
    /// The [`request_hash`].
    pub request: Hash,
    /// The hash of the answer, by an [`AnswerHasher`].
    pub answer: Hash,
    /// The expert's name on its node.
    pub expert: String,
    /// The name of its model.
    pub model: ModelName,
    /// What the miner says about that model.
    #[serde(default, skip_serializing_if = "ModelIdentity::is_unstated")]
    pub identity: ModelIdentity,
    /// How it was asked to choose tokens; absent for vectors and distributions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<ReceiptSampling>,
    /// When the miner had the whole request, by its clock.
    pub received_at: UnixMillis,
    /// Milliseconds from then to the end of the answer.
    pub took_ms: u32,
}

/// Why a receipt is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// Not a signed receipt of this mesh.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Signed by another node than the miner that it names.
    #[error("signed by another node than the miner that it names")]
    NotItsOwn,
    /// A field out of its bounds.
    #[error("{0} is out of bounds")]
    OutOfBounds(&'static str),
}

/// The hash of a request in a receipt: of the query's name and the request's bytes on the wire.
pub fn request_hash(query: &Hash, body: &[u8]) -> Hash {
    Hash::of(domains::REQUEST, &[query.as_bytes(), body])
}

/// How the tokens of an answer were chosen, as far as an auditor has to know it. The request has all of it; a receipt
/// names it, so that a receipt alone says whether its answer can be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptSampling {
    /// Temperature in thousandths.
    #[serde(rename = "t")]
    pub temperature_milli: u32,
    /// Top-p in thousandths.
    #[serde(rename = "p")]
    pub top_p_milli: u32,
    /// The seed; an answer without one cannot be repeated, unless its temperature is 0.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

impl ReceiptSampling {
    /// That of `request`; none where it asks for vectors or a distribution.
    #[must_use]
    pub fn of(request: &ExpertRequest) -> Option<Self> {
        let sampling = request.sampling()?;
        Some(Self {
            temperature_milli: sampling.temperature_milli,
            top_p_milli: sampling.top_p_milli,
            seed: sampling.seed,
        })
    }
}

/// The name of a query: of the end user's `nonce`, where there is one, and of a `salt` that the asking node draws for
/// each query.
///
/// The miner sees only the hash: it cannot tell whether there is a nonce, nor that two queries have the same one. The
/// client gets the salt with the receipt, and computes the name again. No other nonce has that name, so that a receipt
/// of an earlier answer does not verify.
#[must_use]
pub fn query_name(nonce: Option<&Hash>, salt: &Hash) -> Hash {
    match nonce {
        Some(nonce) => Hash::of(domains::QUERY, &[salt.as_bytes(), nonce.as_bytes()]),
        None => Hash::of(domains::QUERY, &[salt.as_bytes()]),
    }
}

/// The hash of an answer in a receipt: of its text, its vectors, distributions and fields, and its end.
///
/// The hash does not depend on the borders of events: a text has the same hash in one piece and in many, so that an
/// answer can be checked, stored and replayed without its pieces. The text is hashed in blocks of 4,096 bytes;
/// a vector or a distribution with the number of bytes of text that came before it. Pieces of fields have borders: they
/// are hashed one by one, as the expert sent them.
#[derive(Clone, Debug)]
pub struct AnswerHasher {
    text: Hasher,
    /// Text that does not fill a block yet.
    block: Vec<u8>,
    /// Bytes of text so far.
    length: u64,
    numbers: Hasher,
}

impl Default for AnswerHasher {
    /// The hash of an empty answer.
    fn default() -> Self {
        Self {
            text: Hasher::new(domains::ANSWER_TEXT),
            block: Vec::new(),
            length: 0,
            numbers: Hasher::new(domains::ANSWER_NUMBERS),
        }
    }
}

impl AnswerHasher {
    /// Adds an event. [`ExpertEvent::Done`] adds nothing: [`Self::finish`] takes the end.
    pub fn event(&mut self, event: &ExpertEvent) {
        match event {
            ExpertEvent::Text(text) => self.text(text.as_bytes()),
            ExpertEvent::Embedding { index, vector } => self.numbers(b"embedding", *index, vector),
            ExpertEvent::Distribution(probabilities) => self.numbers(b"distribution", 0, probabilities),
            ExpertEvent::Fields(fields) => self.fields(fields),
            ExpertEvent::Done { .. } => {}
        }
    }

    /// The hash of all events and the end.
    #[must_use]
    pub fn finish(mut self, usage: Usage, reason: FinishReason) -> Hash {
        self.text.update(&self.block);
        let (text, numbers) = (self.text.finish(), self.numbers.finish());
        let reason: &[u8] = match reason {
            FinishReason::Stop => b"stop",
            FinishReason::Length => b"length",
            FinishReason::Other => b"other",
            FinishReason::ToolCalls => b"tool_calls",
        };
        let tokens = [usage.prompt_tokens.to_be_bytes(), usage.completion_tokens.to_be_bytes()];
        let parts =
            [text.as_bytes(), numbers.as_bytes(), &self.length.to_be_bytes()[..], tokens.as_flattened()];
        Hash::of(domains::ANSWER, &[parts[0], parts[1], parts[2], parts[3], reason])
    }

    fn text(&mut self, mut text: &[u8]) {
        self.length += text.len() as u64;
        while !text.is_empty() {
            let (now, later) = text.split_at(text.len().min(TEXT_BLOCK - self.block.len()));
            self.block.extend_from_slice(now);
            text = later;
            if self.block.len() == TEXT_BLOCK {
                self.text.update(&self.block);
                self.block.clear();
            }
        }
    }

    /// Without its place in the text: clients add up both apart from each other.
    fn fields(&mut self, fields: &AnswerFields) {
        self.numbers.update(b"fields");
        self.numbers.update(fields.as_str().as_bytes());
    }

    fn numbers(&mut self, kind: &[u8], index: u32, numbers: &[f32]) {
        // Canonical CBOR has one zero: a miner whose model computed -0.0 signs for the 0.0 that the asker receives.
        let bits = |number: &f32| (*number + 0.0).to_bits().to_be_bytes();
        let bytes: Vec<u8> = numbers.iter().flat_map(bits).collect();
        self.numbers.update(kind);
        self.numbers.update(&self.length.to_be_bytes());
        self.numbers.update(&index.to_be_bytes());
        self.numbers.update(&bytes);
    }
}

/// A receipt whose signature was verified, and the bytes that prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedReceipt {
    receipt: Receipt,
    bytes: Vec<u8>,
}

impl SignedReceipt {
    /// Signs `receipt`.
    ///
    /// # Errors
    /// When a field is out of its bounds.
    pub fn sign(key: &NodeKey, mesh: &MeshId, receipt: Receipt) -> Result<Self, ReceiptError> {
        receipt.check()?;
        let bytes = Envelope::seal(key, domains::RECEIPT, mesh, &receipt)?.encode()?;
        Ok(Self { receipt, bytes })
    }

    /// Verifies that the miner that a receipt names signed it.
    ///
    /// # Errors
    /// When it is not a receipt, out of bounds, or signed by another node.
    pub fn verify(bytes: &[u8], mesh: &MeshId) -> Result<Self, ReceiptError> {
        let envelope = Envelope::decode(bytes, MAX_RECEIPT_LEN)?;
        let receipt: Receipt = envelope.open(domains::RECEIPT, mesh, MAX_RECEIPT_LEN)?;
        if envelope.signer() != receipt.miner {
            return Err(ReceiptError::NotItsOwn);
        }
        receipt.check()?;
        Ok(Self { receipt, bytes: bytes.to_vec() })
    }

    /// The receipt.
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// The signed bytes, as others verify them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Receipt {
    fn check(&self) -> Result<(), ReceiptError> {
        let identity = self.identity.out_of_bounds();
        let checks = [
            ("took_ms", self.took_ms <= MAX_ANSWER_MS),
            ("expert", is_expert_name(&self.expert)),
            ("model", !self.model.is_empty() && !self.model.raw().chars().any(char::is_control)),
            (identity.unwrap_or("identity"), identity.is_none()),
        ];
        match checks.into_iter().find(|(_, good)| !good) {
            Some((field, _)) => Err(ReceiptError::OutOfBounds(field)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        query::body,
        testing::{self, MESH, key, largest_identity},
    };

    fn receipt() -> Receipt {
        testing::receipt(key(1).node_id(), key(2).node_id())
    }

    #[test]
    fn refuses_a_receipt_of_another_signer() {
        let signed = SignedReceipt::sign(&key(2), &MESH, receipt()).unwrap();
        assert_eq!(SignedReceipt::verify(signed.bytes(), &MESH), Ok(signed.clone()));
        let forged = SignedReceipt::sign(&key(3), &MESH, receipt()).unwrap();
        assert_eq!(SignedReceipt::verify(forged.bytes(), &MESH), Err(ReceiptError::NotItsOwn));
        let elsewhere = SignedReceipt::verify(signed.bytes(), &MeshId::from_bytes([9; 32]));
        assert!(matches!(elsewhere, Err(ReceiptError::Envelope(EnvelopeError::Signature(_)))));
    }

    #[test]
    fn fields_are_bounded_and_the_largest_fits() {
        let refused = |change: fn(&mut Receipt)| {
            let mut receipt = receipt();
            change(&mut receipt);
            SignedReceipt::sign(&key(2), &MESH, receipt).unwrap_err()
        };
        assert_eq!(refused(|r| r.took_ms = MAX_ANSWER_MS + 1), ReceiptError::OutOfBounds("took_ms"));
        assert_eq!(refused(|r| r.expert = "e".repeat(33)), ReceiptError::OutOfBounds("expert"));
        assert_eq!(refused(|r| r.expert = "A".into()), ReceiptError::OutOfBounds("expert"));
        assert_eq!(refused(|r| r.model = "\n".into()), ReceiptError::OutOfBounds("model"));
        assert_eq!(refused(|r| r.identity.digest = Some("".into())), ReceiptError::OutOfBounds("digest"));
        let largest = Receipt {
            netuid: Netuid(u16::MAX),
            expert: "e".repeat(32),
            model: "m".repeat(ModelName::MAX_BYTES).into(),
            identity: largest_identity(),
            sampling: Some(ReceiptSampling {
                temperature_milli: u32::MAX,
                top_p_milli: u32::MAX,
                seed: Some(u64::MAX),
            }),
            received_at: UnixMillis(u64::MAX),
            took_ms: MAX_ANSWER_MS,
            ..receipt()
        };
        let signed = SignedReceipt::sign(&key(2), &MESH, largest).unwrap();
        assert!(SignedReceipt::verify(signed.bytes(), &MESH).is_ok());
        assert!(signed.bytes().len() + 256 <= crate::bounds::MAX_CLOSING, "it fits an end frame");
    }

    const USAGE: Usage = Usage { prompt_tokens: 3, completion_tokens: 4 };

    fn hash(events: &[ExpertEvent]) -> Hash {
        let mut hasher = AnswerHasher::default();
        events.iter().for_each(|event| hasher.event(event));
        hasher.finish(USAGE, FinishReason::Stop)
    }

    fn text(text: &str) -> ExpertEvent {
        ExpertEvent::Text(text.into())
    }

    #[test]
    fn the_hash_of_an_answer_is_that_of_its_content() {
        assert_eq!(hash(&[text("ab"), text("c")]), hash(&[text("a"), text("bc")]));
        assert_ne!(hash(&[text("ab")]), hash(&[text("abc")]), "another text");
        let vector = |index| ExpertEvent::Embedding { index, vector: vec![1.0, 2.0] };
        assert_ne!(hash(&[vector(0), vector(1)]), hash(&[vector(1), vector(0)]), "another order");
        assert_ne!(hash(&[text("a"), vector(0)]), hash(&[vector(0), text("a")]), "another place");
        let split = ExpertEvent::Embedding { index: 0, vector: vec![1.0] };
        assert_ne!(hash(&[vector(0)]), hash(&[split.clone(), split]), "other vectors");
        assert_ne!(hash(&[ExpertEvent::Distribution(vec![1.0, 2.0])]), hash(&[vector(0)]), "another kind");
        let fields =
            |text: &str| ExpertEvent::Fields(format!("{{\"reasoning\":\"{text}\"}}").try_into().unwrap());
        assert_ne!(hash(&[fields("a")]), hash(&[fields("b")]), "other fields");
        assert_ne!(hash(&[fields("a"), fields("b")]), hash(&[fields("b"), fields("a")]), "another order");
        assert_eq!(
            hash(&[text("a"), fields("b")]),
            hash(&[fields("b"), text("a")]),
            "text and fields are apart"
        );
    }

    #[test]
    fn the_hash_of_an_answer_covers_its_end() {
        let end = |usage, reason| AnswerHasher::default().finish(usage, reason);
        assert_ne!(end(USAGE, FinishReason::Stop), end(USAGE, FinishReason::Length));
        let more = Usage { completion_tokens: 5, ..USAGE };
        assert_ne!(end(USAGE, FinishReason::Stop), end(more, FinishReason::Stop));
    }

    #[test]
    fn the_name_of_a_query_is_of_one_nonce() {
        let (salt, nonce, other) = (Hash::of("s", &[]), Hash::of("n", &[]), Hash::of("o", &[]));
        assert_ne!(query_name(Some(&nonce), &salt), query_name(Some(&other), &salt));
        assert_ne!(query_name(Some(&nonce), &salt), query_name(Some(&nonce), &other));
        assert_ne!(query_name(Some(&nonce), &salt), query_name(None, &salt));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
            proptest::prop_assert!(SignedReceipt::verify(&bytes, &MESH).is_err());
        }

        /// The miner hashes what it sends, and the asker what it receives: canonical CBOR has one zero.
        #[test]
        fn the_wire_does_not_change_the_hash(
            vector in proptest::collection::vec(
                {
                    use proptest::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
                    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
                },
                0..8,
            ),
        ) {
            for sent in [ExpertEvent::Embedding { index: 0, vector: vector.clone() }, ExpertEvent::Distribution(vector)] {
                let received = body::decode_event(&body::encode_event(&sent).unwrap()).unwrap();
                proptest::prop_assert_eq!(hash(&[sent]), hash(&[received]));
            }
        }

        #[test]
        fn the_borders_of_pieces_do_not_change_the_hash(pieces in proptest::collection::vec(".{0,3000}", 0..6)) {
            let whole = text(&pieces.concat());
            let pieces: Vec<_> = pieces.iter().map(|piece| text(piece)).collect();
            proptest::prop_assert_eq!(hash(&pieces), hash(&[whole]));
        }
    }
}
