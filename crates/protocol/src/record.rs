//! Expert records: a miner's signed, expiring advertisement of one of its experts.
//!
//! A record is valid when the node it names signed it for this mesh, that node may advertise in the record's
//! subnet, and the record has neither expired nor been issued in the future. A record with a higher sequence number
//! replaces an earlier one of the same expert. A withdrawn record is kept until it expires, so that the record it
//! replaced cannot come back.
//!
//! What a hostile node can do: send [`MAX_RECORD_LEN`] bytes and make us verify one signature.

use std::{net::SocketAddr, time::Duration};

use nervure_primitives::{
    Capability, Envelope, EnvelopeError, MeshId, Netuid, NodeId, NodeKey, UnixMillis, UntrustedText,
};
use serde::{Deserialize, Serialize};

use crate::{
    ModelIdentity, Registry,
    bounds::{
        MAX_ADDRESSES, MAX_CLOCK_SKEW, MAX_EXPERT_LEN, MAX_MODEL_LEN, MAX_RECORD_LEN, MAX_RECORD_LIFETIME,
        MAX_RELAYS,
    },
    domains,
};

/// The name of a model, which its miner or an upstream chose.
pub type ModelName = UntrustedText<MAX_MODEL_LEN>;

/// An advertisement of one expert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpertRecord {
    /// The node that serves it.
    pub node: NodeId,
    /// The subnet that it serves in.
    pub netuid: Netuid,
    /// Its name on its node: 1 to 32 lower-case letters, digits and hyphens.
    pub expert: String,
    /// What it can do.
    pub capability: Capability,
    /// The model behind it.
    pub model: ModelName,
    /// What its node says about that model.
    #[serde(default, skip_serializing_if = "ModelIdentity::is_unstated")]
    pub identity: ModelIdentity,
    /// Tokens of context that it takes.
    pub context: u32,
    /// Most tokens that it writes in one answer.
    pub max_output: u32,
    /// Base units per 1,000 tokens of output.
    pub price: u64,
    /// Whether its tokens are bytes.
    pub byte_level: bool,
    /// How busy it is, in percent, 0 to 100.
    pub load: u8,
    /// Where its node answers queries; at most 4.
    pub addresses: Vec<SocketAddr>,
    /// The nodes that relay for its node, where others cannot dial it; at most 3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relays: Vec<NodeId>,
    /// Later records of the same expert have larger numbers.
    pub seq: u64,
    /// When it was signed.
    pub issued_at: UnixMillis,
    /// When it expires.
    pub expires_at: UnixMillis,
    /// Whether the expert is gone.
    pub withdrawn: bool,
}

/// Why a record is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Not a signed record of this mesh.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Signed by another node than the one it names.
    #[error("signed by another node than the one it names")]
    NotItsOwn,
    /// The node may not advertise there.
    #[error("{node} may not advertise in subnet {netuid}")]
    NotRegistered {
        /// The node.
        node: NodeId,
        /// The subnet.
        netuid: Netuid,
    },
    /// A field out of its bounds.
    #[error("{0} is out of bounds")]
    OutOfBounds(&'static str),
    /// Its expiry has passed.
    #[error("expired")]
    Expired,
    /// Its clock is ahead of ours.
    #[error("signed in the future")]
    FromTheFuture,
}

/// A record that was verified, and the bytes that prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRecord {
    record: ExpertRecord,
    bytes: Vec<u8>,
}

impl SignedRecord {
    /// Signs `record`.
    ///
    /// # Errors
    /// When a field is out of its bounds.
    pub fn sign(key: &NodeKey, mesh: &MeshId, record: ExpertRecord) -> Result<Self, RecordError> {
        record.check()?;
        let bytes = Envelope::seal(key, domains::EXPERT_RECORD, mesh, &record)?.encode()?;
        Ok(Self { record, bytes })
    }

    /// Verifies a record that came from outside.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn verify(
        bytes: &[u8],
        mesh: &MeshId,
        now: UnixMillis,
        registry: &impl Registry,
    ) -> Result<Self, RecordError> {
        let envelope = Envelope::decode(bytes, MAX_RECORD_LEN)?;
        let record: ExpertRecord = envelope.open(domains::EXPERT_RECORD, mesh, MAX_RECORD_LEN)?;
        if envelope.signer() != record.node {
            return Err(RecordError::NotItsOwn);
        }
        record.check()?;
        if record.issued_at > now.plus(MAX_CLOCK_SKEW) {
            return Err(RecordError::FromTheFuture);
        }
        if record.expires_at <= now {
            return Err(RecordError::Expired);
        }
        if !registry.may_advertise(&record.node, record.netuid) {
            return Err(RecordError::NotRegistered { node: record.node, netuid: record.netuid });
        }
        Ok(Self { record, bytes: bytes.to_vec() })
    }

    /// The record.
    pub fn record(&self) -> &ExpertRecord {
        &self.record
    }

    /// The signed bytes, as others verify them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Whether an expert may be called that: 1 to 32 lower-case letters, digits and hyphens.
pub(crate) fn is_expert_name(name: &str) -> bool {
    let may_be_in = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=MAX_EXPERT_LEN).contains(&name.len()) && name.bytes().all(may_be_in)
}

impl ExpertRecord {
    fn check(&self) -> Result<(), RecordError> {
        let model = !self.model.is_empty() && !self.model.raw().chars().any(char::is_control);
        let lifetime = self.expires_at.since(self.issued_at);
        let checks = [
            ("expert", is_expert_name(&self.expert)),
            ("model", model),
            (self.identity.out_of_bounds().unwrap_or("identity"), self.identity.out_of_bounds().is_none()),
            ("load", self.load <= 100),
            ("addresses", self.addresses.len() <= MAX_ADDRESSES),
            ("relays", self.relays.len() <= MAX_RELAYS),
            ("expires_at", lifetime > Duration::ZERO && lifetime <= MAX_RECORD_LIFETIME),
        ];
        match checks.into_iter().find(|(_, good)| !good) {
            Some((field, _)) => Err(RecordError::OutOfBounds(field)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{AllowAll, MESH, NOW, key, record};

    fn verified(bytes: &[u8], now: UnixMillis) -> Result<SignedRecord, RecordError> {
        SignedRecord::verify(bytes, &MESH, now, &AllowAll)
    }

    #[test]
    fn a_record_is_valid_in_its_time_and_mesh() {
        let signed = SignedRecord::sign(&key(1), &MESH, record(1, "r", "text.generate")).unwrap();
        assert_eq!(verified(signed.bytes(), NOW), Ok(signed.clone()));
        assert_eq!(verified(signed.bytes(), NOW.plus(Duration::from_secs(30))), Err(RecordError::Expired));
        assert_eq!(verified(signed.bytes(), UnixMillis(0)), Err(RecordError::FromTheFuture));
        let elsewhere = MeshId::from_bytes([8; 32]);
        assert!(SignedRecord::verify(signed.bytes(), &elsewhere, NOW, &AllowAll).is_err());
    }

    #[test]
    fn refuses_another_nodes_record_and_one_of_an_unregistered_node() {
        let forged = SignedRecord::sign(&key(2), &MESH, record(1, "r", "text")).unwrap();
        assert_eq!(verified(forged.bytes(), NOW), Err(RecordError::NotItsOwn));
        let astray = ExpertRecord { netuid: Netuid(2), ..record(1, "r", "text") };
        let astray = SignedRecord::sign(&key(1), &MESH, astray).unwrap();
        assert!(matches!(verified(astray.bytes(), NOW), Err(RecordError::NotRegistered { .. })));
    }

    #[test]
    fn fields_are_bounded() {
        let out_of_bounds = |change: fn(&mut ExpertRecord)| {
            let mut record = record(1, "r", "text");
            change(&mut record);
            match SignedRecord::sign(&key(1), &MESH, record) {
                Err(RecordError::OutOfBounds(field)) => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(out_of_bounds(|r| r.expert = "A".into()), "expert");
        assert_eq!(out_of_bounds(|r| r.expert = "a".repeat(33)), "expert");
        assert_eq!(out_of_bounds(|r| r.model = "\u{1b}[31m".into()), "model");
        assert_eq!(out_of_bounds(|r| r.identity.runtime = Some("a\nb".into())), "runtime");
        assert_eq!(out_of_bounds(|r| r.load = 101), "load");
        assert_eq!(out_of_bounds(|r| r.addresses = vec![([1, 1, 1, 1], 1).into(); 5]), "addresses");
        assert_eq!(out_of_bounds(|r| r.relays = vec![r.node; 4]), "relays");
        assert_eq!(out_of_bounds(|r| r.expires_at = r.issued_at), "expires_at");
        assert_eq!(
            out_of_bounds(|r| r.expires_at = r.issued_at.plus(Duration::from_secs(3601))),
            "expires_at"
        );
    }

    #[test]
    fn the_largest_record_fits() {
        let mut largest = record(1, &"e".repeat(32), &format!("a{}", ".aaaaaaaaaaaa".repeat(4)));
        largest.model = "m".repeat(128).into();
        largest.identity = crate::testing::largest_identity();
        largest.addresses = vec!["[2001:db8:1111:2222:3333:4444:5555:6666]:65535".parse().unwrap(); 4];
        largest.relays = vec![largest.node; MAX_RELAYS];
        (largest.price, largest.seq) = (u64::MAX, u64::MAX);
        let signed = SignedRecord::sign(&key(1), &MESH, largest).unwrap();
        assert!(verified(signed.bytes(), NOW).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
            proptest::prop_assert!(verified(&bytes, NOW).is_err());
        }
    }
}
