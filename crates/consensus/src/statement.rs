//! What validators sign: votes and proposals under their domain and the mesh id.
//!
//! On the wire a [`SignedStatement`] is an [`Envelope`](nervure_primitives::Envelope), byte for
//! byte. In memory its parts are separate, because a certificate collects signatures without their
//! bodies and rebuilds the bodies to verify them. That works because a statement determines its
//! bytes: decoding refuses a body that differs from the encoding of its statement.
//!
//! Hazard: nothing in a decoded [`SignedStatement`] is verified before [`SignedStatement::verify`].

mod equivocation;
mod position;
mod vote;

use nervure_primitives::{
    Domain, MeshId, NodeId, NodeKey, Signature, SignatureError,
    cbor::{self, CborError, Limits},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error as _},
    ser::Error as _,
};

pub use equivocation::{Equivocation, EquivocationError, MAX_EQUIVOCATION_BYTES};
pub use position::{Position, Step};
pub use vote::{MAX_ROUND, Proposal, Round, SignedProposal, SignedVote, Vote, VoteKind};

/// Upper bound for the encoded body of a statement. A proposal whose numbers are all at their
/// largest is shorter.
pub const MAX_STATEMENT_BYTES: usize = 128;

/// A vote or a proposal: a validator signs at most one of them at each position.
pub trait Statement: Copy + Serialize + DeserializeOwned {
    /// The signature domain: a signature under one domain is invalid under every other.
    const DOMAIN: Domain;

    /// The height, round and step in which it is made.
    fn position(&self) -> Position;

    /// The bytes that are signed, as in every envelope of the mesh: a length byte and the domain,
    /// the mesh id, and the canonical body.
    ///
    /// # Errors
    /// None in practice: statements always encode.
    fn message(&self, mesh: &MeshId) -> Result<Vec<u8>, CborError> {
        let body = cbor::encode(self)?;
        let name = Self::DOMAIN.as_str().as_bytes();
        let mut message = Vec::with_capacity(1 + name.len() + 32 + body.len());
        // `extend` takes the length byte out of the `Result`; a domain has fewer than 256 bytes.
        message.extend(u8::try_from(name.len()));
        message.extend_from_slice(name);
        message.extend_from_slice(mesh.as_bytes());
        message.extend_from_slice(&body);
        Ok(message)
    }
}

/// A statement with a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedStatement<T> {
    /// The vote or proposal.
    pub statement: T,
    /// The claimed signer.
    pub signer: NodeId,
    /// The signature over [`Statement::message`].
    pub signature: Signature,
}

impl<T: Statement> SignedStatement<T> {
    /// Signs `statement` without a double-sign check. Validators sign with
    /// [`Signer`](crate::bft::Signer), which has one.
    ///
    /// # Errors
    /// None in practice: statements always encode.
    pub fn sign(key: &NodeKey, mesh: &MeshId, statement: T) -> Result<Self, CborError> {
        let signature = key.sign(&statement.message(mesh)?);
        Ok(Self { statement, signer: key.node_id(), signature })
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// When `signer` did not sign this statement for this mesh.
    pub fn verify(&self, mesh: &MeshId) -> Result<(), SignatureError> {
        let message = self.statement.message(mesh).map_err(|_| SignatureError { signer: self.signer })?;
        self.signature.verify(&self.signer, &message)
    }
}

/// The fields of an envelope on the wire.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeFields {
    #[serde(rename = "b", with = "serde_bytes")]
    body: Vec<u8>,
    #[serde(rename = "k")]
    signer: NodeId,
    #[serde(rename = "s")]
    signature: Signature,
}

impl<T: Statement> Serialize for SignedStatement<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let body = cbor::encode(&self.statement).map_err(S::Error::custom)?;
        EnvelopeFields { body, signer: self.signer, signature: self.signature }.serialize(serializer)
    }
}

impl<'de, T: Statement> Deserialize<'de> for SignedStatement<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let EnvelopeFields { body, signer, signature } = EnvelopeFields::deserialize(deserializer)?;
        let statement: T = cbor::decode(&body, Limits::new(MAX_STATEMENT_BYTES)).map_err(D::Error::custom)?;
        // `verify` rebuilds the body from the statement. Serde accepts bodies that encode
        // differently, for example one without an optional field, so compare the bytes here.
        if cbor::encode(&statement).map_err(D::Error::custom)? != body {
            return Err(D::Error::custom("the body is not the canonical encoding of its statement"));
        }
        Ok(Self { statement, signer, signature })
    }
}
