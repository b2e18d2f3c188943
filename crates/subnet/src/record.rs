//! Expert records: a miner's signed, expiring word about one of its experts.
//!
//! A record is believed when the node it names signed it for this mesh, that node may advertise in its
//! subnet, and it has neither expired nor come from the future. A later record of the same expert replaces an
//! earlier one by its sequence number; a withdrawn one is kept until it expires, so that the record it replaces
//! cannot come back.
//!
//! What a hostile node can do: send [`MAX_RECORD_LEN`] bytes and make us verify one signature.

use std::{net::SocketAddr, time::Duration};

use nervure_primitives::{
    Capability, Domain, Envelope, EnvelopeError, MeshId, Netuid, NodeId, NodeKey, UnixMillis,
};
use serde::{Deserialize, Serialize};

/// Largest record, in bytes, without its signature.
pub const MAX_RECORD_LEN: usize = 1536;

/// Longest life of a record.
pub const MAX_LIFETIME: Duration = Duration::from_secs(3600);

/// How far ahead a record's clock may be.
const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// Most addresses in a record.
const MAX_ADDRESSES: usize = 4;

/// Longest name of an expert, in bytes.
const MAX_EXPERT_LEN: usize = 32;

/// Longest name of a model, in bytes.
const MAX_MODEL_LEN: usize = 128;

/// What a record's signature is for.
const DOMAIN: Domain = Domain::new("nervure/expert/1");

/// Who may advertise in a subnet.
pub trait Registry {
    /// Whether `node` may advertise experts in `netuid`.
    fn may_advertise(&self, node: &NodeId, netuid: Netuid) -> bool;
}

/// What a miner says about one of its experts.
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
    /// The model behind it, at most 128 bytes.
    pub model: String,
    /// Tokens of context that it takes.
    pub context: u32,
    /// Most tokens that it writes in one answer.
    pub max_output: u32,
    /// Base units per 1,000 tokens of output.
    pub price: u64,
    /// Whether its tokens are bytes.
    pub byte_level: bool,
    /// How busy it is, in percent.
    pub load: u8,
    /// Where its node answers queries; at most 4.
    pub addresses: Vec<SocketAddr>,
    /// Later records of the same expert have larger numbers.
    pub seq: u64,
    /// When it was signed.
    pub issued_at: UnixMillis,
    /// When it ceases to hold.
    pub expires_at: UnixMillis,
    /// Whether the expert is gone.
    pub withdrawn: bool,
}

/// Why a record is not believed.
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
    /// No longer holds.
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
        let bytes = Envelope::seal(key, DOMAIN, mesh, &record)?.encode()?;
        Ok(Self { record, bytes })
    }

    /// Verifies a record that came from outside.
    ///
    /// # Errors
    /// The first reason not to believe it.
    pub fn verify(
        bytes: &[u8],
        mesh: &MeshId,
        now: UnixMillis,
        registry: &impl Registry,
    ) -> Result<Self, RecordError> {
        let envelope = Envelope::decode(bytes, MAX_RECORD_LEN)?;
        let record: ExpertRecord = envelope.open(DOMAIN, mesh, MAX_RECORD_LEN)?;
        if envelope.signer() != record.node {
            return Err(RecordError::NotItsOwn);
        }
        record.check()?;
        if record.issued_at > now.plus(CLOCK_SKEW) {
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

    /// What it says.
    pub fn record(&self) -> &ExpertRecord {
        &self.record
    }

    /// The signed bytes, as others verify them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl ExpertRecord {
    fn check(&self) -> Result<(), RecordError> {
        let name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let named = (1..=MAX_EXPERT_LEN).contains(&self.expert.len()) && self.expert.bytes().all(name);
        let model = !self.model.is_empty()
            && self.model.len() <= MAX_MODEL_LEN
            && !self.model.chars().any(char::is_control);
        let lifetime = self.expires_at.since(self.issued_at);
        let checks = [
            ("expert", named),
            ("model", model),
            ("load", self.load <= 100),
            ("addresses", self.addresses.len() <= MAX_ADDRESSES),
            ("expires_at", lifetime > Duration::ZERO && lifetime <= MAX_LIFETIME),
        ];
        match checks.into_iter().find(|(_, good)| !good) {
            Some((field, _)) => Err(RecordError::OutOfBounds(field)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const MESH: MeshId = MeshId::from_bytes([7; 32]);
    pub(crate) const NOW: UnixMillis = UnixMillis(1_000_000);

    pub(crate) struct Everybody;

    impl Registry for Everybody {
        fn may_advertise(&self, _: &NodeId, netuid: Netuid) -> bool {
            netuid == Netuid(1)
        }
    }

    pub(crate) fn key(seed: u8) -> NodeKey {
        NodeKey::from_seed(&[seed; 32])
    }

    pub(crate) fn record(seed: u8, expert: &str, capability: &str) -> ExpertRecord {
        ExpertRecord {
            node: key(seed).node_id(),
            netuid: Netuid(1),
            expert: expert.into(),
            capability: capability.parse().unwrap(),
            model: "byte-rust".into(),
            context: 256,
            max_output: 4096,
            price: 0,
            byte_level: true,
            load: 0,
            addresses: vec![([127, 0, 0, 1], 4000).into()],
            seq: 1,
            issued_at: NOW,
            expires_at: NOW.plus(Duration::from_secs(30)),
            withdrawn: false,
        }
    }

    fn verified(bytes: &[u8], now: UnixMillis) -> Result<SignedRecord, RecordError> {
        SignedRecord::verify(bytes, &MESH, now, &Everybody)
    }

    #[test]
    fn a_record_is_believed_in_its_time_and_mesh() {
        let signed = SignedRecord::sign(&key(1), &MESH, record(1, "r", "text.generate")).unwrap();
        assert_eq!(verified(signed.bytes(), NOW), Ok(signed.clone()));
        assert_eq!(verified(signed.bytes(), NOW.plus(Duration::from_secs(30))), Err(RecordError::Expired));
        assert_eq!(verified(signed.bytes(), UnixMillis(0)), Err(RecordError::FromTheFuture));
        let elsewhere = MeshId::from_bytes([8; 32]);
        assert!(SignedRecord::verify(signed.bytes(), &elsewhere, NOW, &Everybody).is_err());
    }

    #[test]
    fn nobody_speaks_for_another_or_where_it_may_not() {
        let forged = SignedRecord::sign(&key(2), &MESH, record(1, "r", "text")).unwrap();
        assert_eq!(verified(forged.bytes(), NOW), Err(RecordError::NotItsOwn));
        let astray = ExpertRecord { netuid: Netuid(2), ..record(1, "r", "text") };
        let astray = SignedRecord::sign(&key(1), &MESH, astray).unwrap();
        assert!(matches!(verified(astray.bytes(), NOW), Err(RecordError::NotRegistered { .. })));
    }

    #[test]
    fn fields_are_bounded() {
        let refused = |change: fn(&mut ExpertRecord)| {
            let mut record = record(1, "r", "text");
            change(&mut record);
            match SignedRecord::sign(&key(1), &MESH, record) {
                Err(RecordError::OutOfBounds(field)) => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refused(|r| r.expert = "A".into()), "expert");
        assert_eq!(refused(|r| r.expert = "a".repeat(33)), "expert");
        assert_eq!(refused(|r| r.model = "\u{1b}[31m".into()), "model");
        assert_eq!(refused(|r| r.load = 101), "load");
        assert_eq!(refused(|r| r.addresses = vec![([1, 1, 1, 1], 1).into(); 5]), "addresses");
        assert_eq!(refused(|r| r.expires_at = r.issued_at), "expires_at");
        assert_eq!(refused(|r| r.expires_at = r.issued_at.plus(Duration::from_secs(3601))), "expires_at");
    }

    #[test]
    fn the_largest_record_fits() {
        let mut largest = record(1, &"e".repeat(32), &format!("a{}", ".aaaaaaaaaaaa".repeat(4)));
        largest.model = "m".repeat(128);
        largest.addresses = vec!["[2001:db8:1111:2222:3333:4444:5555:6666]:65535".parse().unwrap(); 4];
        (largest.price, largest.seq) = (u64::MAX, u64::MAX);
        let signed = SignedRecord::sign(&key(1), &MESH, largest).unwrap();
        assert!(verified(signed.bytes(), NOW).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            proptest::prop_assert!(verified(&bytes, NOW).is_err());
        }
    }
}
