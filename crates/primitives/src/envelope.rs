//! The signed envelope of statements that are sent between nodes.
//!
//! A signature covers a *domain* (the kind of statement), the *mesh id* and the *body bytes as
//! received*. A statement of one kind can therefore not be replayed as another kind or on another
//! mesh, and the body is not encoded again between signing and verifying. Domain and mesh id are not
//! sent: the receiver passes those that it expects.
//!
//! Hazard: `open` proves the signer, not that the statement is fresh or that the signer is permitted
//! to make it. The receiver checks expiry, sequence numbers and admission.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Hash, MeshId, NodeId, NodeKey, Signature, SignatureError,
    cbor::{self, CborError, Limits},
};

/// Upper bound for a domain name in bytes; its length is a single byte of the signed message.
pub const MAX_DOMAIN_LEN: usize = 64;

/// Bytes that an envelope adds to its body: map header, three keys, id, signature and length
/// prefixes, rounded up.
const OVERHEAD_BYTES: usize = 160;

/// The kind of statement that a signature is for, such as `nervure/expert/1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domain(&'static str);

impl Domain {
    /// A domain name; fails to compile in a `const` when empty or over [`MAX_DOMAIN_LEN`] bytes.
    pub const fn new(name: &'static str) -> Self {
        assert!(!name.is_empty() && name.len() <= MAX_DOMAIN_LEN, "a domain has 1 to 64 bytes");
        Self(name)
    }

    /// The name.
    pub const fn as_str(&self) -> &'static str {
        self.0
    }
}

/// A statement whose signatures travel apart from it, because several keys sign the same one.
pub struct DetachedStatement(Vec<u8>);

impl DetachedStatement {
    /// The statement with the canonical bytes `body`, of the kind `domain`, on `mesh`.
    pub fn new(domain: Domain, mesh: &MeshId, body: &[u8]) -> Self {
        Self(signed_message(domain, mesh, body))
    }

    /// The signature of `key`.
    pub fn sign(&self, key: &NodeKey) -> Signature {
        key.sign(&self.0)
    }

    /// Checks that `signer` made `signature` over it.
    ///
    /// # Errors
    /// When another key signed it, or the key signed something else.
    pub fn verify(&self, signer: &NodeId, signature: &Signature) -> Result<(), SignatureError> {
        signature.verify(signer, &self.0)
    }
}

/// A body with a signature.
///
/// Nothing in it is verified before [`Envelope::open`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// Canonical CBOR of the statement.
    #[serde(rename = "b", with = "serde_bytes")]
    body: Vec<u8>,
    /// The claimed signer.
    #[serde(rename = "k")]
    signer: NodeId,
    /// Signature over domain, mesh id and body.
    #[serde(rename = "s")]
    signature: Signature,
}

/// Why an envelope was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The envelope or its body is not canonical CBOR of the expected form, or too large.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// The signature is invalid for this domain, mesh and body.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl Envelope {
    /// Encodes and signs `value`.
    ///
    /// # Errors
    /// When `value` has no canonical CBOR form.
    pub fn seal<T: Serialize>(
        key: &NodeKey,
        domain: Domain,
        mesh: &MeshId,
        value: &T,
    ) -> Result<Self, EnvelopeError> {
        let body = cbor::encode(value)?;
        let signature = key.sign(&signed_message(domain, mesh, &body));
        Ok(Self { body, signer: key.node_id(), signature })
    }

    /// Verifies the signature, then decodes the body. `max_body` bounds the body in bytes.
    ///
    /// # Errors
    /// When the body is too large, the signature is invalid (checked before the body is decoded), or
    /// the body is not a canonical `T`.
    pub fn open<T: DeserializeOwned>(
        &self,
        domain: Domain,
        mesh: &MeshId,
        max_body: usize,
    ) -> Result<T, EnvelopeError> {
        if self.body.len() > max_body {
            return Err(CborError::TooLarge { limit: max_body, actual: self.body.len() }.into());
        }
        self.signature.verify(&self.signer, &signed_message(domain, mesh, &self.body))?;
        Ok(cbor::decode(&self.body, Limits::new(max_body))?)
    }

    /// Decodes an envelope whose body has at most `max_body` bytes. Verifies nothing.
    ///
    /// # Errors
    /// When `bytes` are too long or not a canonical envelope.
    pub fn decode(bytes: &[u8], max_body: usize) -> Result<Self, EnvelopeError> {
        Ok(cbor::decode(bytes, Limits::new(max_body.saturating_add(OVERHEAD_BYTES)))?)
    }

    /// The canonical bytes of the envelope.
    ///
    /// # Errors
    /// None in practice: byte strings always encode.
    pub fn encode(&self) -> Result<Vec<u8>, EnvelopeError> {
        Ok(cbor::encode(self)?)
    }

    /// The claimed signer. Proven only once [`Envelope::open`] has succeeded.
    pub const fn signer(&self) -> NodeId {
        self.signer
    }

    /// The body as received.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The hash of all of it. The signature is part of it: otherwise an envelope with a wrong signature could take the
    /// place of the right one wherever ids are remembered.
    pub fn id(&self) -> Hash {
        Hash::of("nervure/envelope/2", &[self.signer.as_bytes(), &self.body, self.signature.as_bytes()])
    }
}

/// The bytes under a signature: one length byte, the domain, the 32 bytes of the mesh id, the body.
fn signed_message(domain: Domain, mesh: &MeshId, body: &[u8]) -> Vec<u8> {
    let name = domain.as_str().as_bytes();
    let mut message = Vec::with_capacity(1 + name.len() + 32 + body.len());
    message.push(name.len() as u8);
    message.extend_from_slice(name);
    message.extend_from_slice(mesh.as_bytes());
    message.extend_from_slice(body);
    message
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DOMAIN: Domain = Domain::new("nervure/test/1");
    const OTHER: Domain = Domain::new("nervure/test/2");

    fn mesh(byte: u8) -> MeshId {
        MeshId::from_bytes([byte; 32])
    }

    fn envelope() -> Envelope {
        Envelope::seal(&NodeKey::from_seed(&[1; 32]), DOMAIN, &mesh(1), &("hello", 5u64)).unwrap()
    }

    #[test]
    fn opens_only_in_its_domain_and_mesh() {
        let bytes = envelope().encode().unwrap();
        let envelope = Envelope::decode(&bytes, 64).unwrap();
        assert_eq!(envelope.open::<(String, u64)>(DOMAIN, &mesh(1), 64).unwrap(), ("hello".into(), 5));
        for (domain, mesh) in [(OTHER, mesh(1)), (DOMAIN, mesh(2))] {
            let refused = envelope.open::<(String, u64)>(domain, &mesh, 64);
            assert!(matches!(refused, Err(EnvelopeError::Signature(_))));
        }
    }

    #[test]
    fn a_domain_cannot_borrow_bytes_from_the_mesh_id() {
        let short = signed_message(Domain::new("a"), &mesh(b'b'), b"");
        let long = signed_message(Domain::new("ab"), &mesh(b'b'), b"");
        assert!(!long.starts_with(&short[..2]), "the length byte separates domain and mesh id");
    }

    #[test]
    fn a_detached_signature_is_that_of_an_envelope() {
        let (key, envelope) = (NodeKey::from_seed(&[1; 32]), envelope());
        let statement = DetachedStatement::new(DOMAIN, &mesh(1), envelope.body());
        assert_eq!(statement.sign(&key), envelope.signature);
        assert_eq!(statement.verify(&key.node_id(), &envelope.signature), Ok(()));
        for (domain, mesh) in [(OTHER, mesh(1)), (DOMAIN, mesh(2))] {
            let other = DetachedStatement::new(domain, &mesh, envelope.body());
            assert!(other.verify(&key.node_id(), &envelope.signature).is_err());
        }
    }

    #[test]
    fn size_is_checked_first() {
        let refused = envelope().open::<(String, u64)>(DOMAIN, &mesh(1), 3);
        assert!(matches!(refused, Err(EnvelopeError::Cbor(CborError::TooLarge { limit: 3, .. }))));
        assert!(Envelope::decode(&vec![0; 500], 64).is_err());
    }

    #[test]
    fn the_overhead_bound_holds() {
        let key = NodeKey::from_seed(&[1; 32]);
        let large = Envelope::seal(&key, DOMAIN, &mesh(1), &vec![7u8; 70_000]).unwrap();
        let extra = large.encode().unwrap().len() - large.body().len();
        assert!(extra <= OVERHEAD_BYTES, "{extra}");
    }

    proptest! {
        #[test]
        fn refuses_every_flipped_bit(bit in 0usize..8 * 90) {
            let envelope = envelope();
            let mut bytes = envelope.encode().unwrap();
            let bit = bit % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let opened = Envelope::decode(&bytes, 64)
                .and_then(|e| e.open::<(String, u64)>(DOMAIN, &mesh(1), 64));
            prop_assert!(opened.is_err());
        }
    }
}
