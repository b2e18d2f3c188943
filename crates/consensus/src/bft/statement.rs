//! What validators sign: the body of a statement under its domain and the mesh id.
//!
//! On the wire a [`Signed`] statement is an [`Envelope`](nervure_primitives::Envelope), byte for
//! byte. In memory it is kept taken apart, because a certificate collects signatures without their
//! bodies and puts the bodies together again: the statement says everything about its bytes, and
//! decoding refuses a body that is not exactly what the statement encodes to.
//!
//! Hazard: nothing about a decoded [`Signed`] is verified until [`Signed::verify`] says so.

use nervure_primitives::{
    Domain, MeshId, NodeId, NodeKey, Signature, SignatureError,
    cbor::{self, CborError, Limits},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error as _},
    ser::Error as _,
};

/// Most bytes of a statement's body: a proposal with every number at its largest has fewer.
pub const MAX_STATEMENT_LEN: usize = 128;

/// Something that a validator answers for.
pub trait Statement: Copy + Serialize + DeserializeOwned {
    /// Its domain: a signature under one is none under another.
    const DOMAIN: Domain;

    /// The bytes that are signed: as in every envelope of the mesh, a byte of length and the
    /// domain, the mesh id, and the canonical body.
    ///
    /// # Errors
    /// None in practice: statements always encode.
    fn message(&self, mesh: &MeshId) -> Result<Vec<u8>, CborError> {
        let body = cbor::encode(self)?;
        let name = Self::DOMAIN.as_str().as_bytes();
        let mut message = Vec::with_capacity(1 + name.len() + 32 + body.len());
        message.extend(u8::try_from(name.len()));
        message.extend_from_slice(name);
        message.extend_from_slice(mesh.as_bytes());
        message.extend_from_slice(&body);
        Ok(message)
    }
}

/// A statement with the signature of the node that answers for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed<T> {
    /// What is stated.
    pub statement: T,
    /// Who claims to state it.
    pub signer: NodeId,
    /// The proof, once verified.
    pub signature: Signature,
}

impl<T: Statement> Signed<T> {
    /// Signs `statement`. Validators sign through [`Signer`](super::Signer), which remembers.
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

/// The form of an envelope.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    #[serde(rename = "b", with = "serde_bytes")]
    body: Vec<u8>,
    #[serde(rename = "k")]
    signer: NodeId,
    #[serde(rename = "s")]
    signature: Signature,
}

impl<T: Statement> Serialize for Signed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let body = cbor::encode(&self.statement).map_err(S::Error::custom)?;
        Sealed { body, signer: self.signer, signature: self.signature }.serialize(serializer)
    }
}

impl<'de, T: Statement> Deserialize<'de> for Signed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Sealed { body, signer, signature } = Sealed::deserialize(deserializer)?;
        let statement: T = cbor::decode(&body, Limits::new(MAX_STATEMENT_LEN)).map_err(D::Error::custom)?;
        // The signature is checked over what the statement encodes to, so that has to be what came.
        if cbor::encode(&statement).map_err(D::Error::custom)? != body {
            return Err(D::Error::custom("the body is not the statement's only encoding"));
        }
        Ok(Self { statement, signer, signature })
    }
}
