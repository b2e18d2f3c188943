//! Traffic statistics: what the users' queries of a gateway look like, as counts without content.
//!
//! Validators draw the fields of their tasks from them, so that a miner cannot tell a task from a user's query by its
//! fields. There is a table of settings, one of lengths, and one of which settings come with which lengths. A value is
//! exact where many queries have it and rounded elsewhere, counts are noisy, and small ones are left out: see
//! `nervure_subnet::task::TrafficCounter`, which makes them.
//!
//! What a hostile node can do: send [`MAX_TRAFFIC_LEN`] bytes and make us verify one signature. A gateway can lie about
//! its traffic; what it says is used for the tasks that are asked through it, which it can tell anyway.

use std::time::Duration;

use nervure_primitives::{Envelope, EnvelopeError, MeshId, NodeId, NodeKey, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::{
    ExpertRequest, Unset,
    bounds::{
        MAX_CLOCK_SKEW, MAX_TEMPERATURE_MILLI, MAX_TEXT, MAX_TOKENS, MAX_TRAFFIC_AGE, MAX_TRAFFIC_LEN,
        MAX_TRAFFIC_PAIRS, MAX_TRAFFIC_ROWS,
    },
    domains,
};

/// The kinds of [`ExpertRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryKind {
    /// Continues a text.
    Complete,
    /// Answers a conversation.
    Chat,
    /// Computes vectors.
    Embed,
    /// Computes the distribution of the next byte.
    Distribution,
}

impl QueryKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Complete, Self::Chat, Self::Embed, Self::Distribution];
}

impl From<&ExpertRequest> for QueryKind {
    fn from(request: &ExpertRequest) -> Self {
        match request {
            ExpertRequest::Complete { .. } => Self::Complete,
            ExpertRequest::Chat { .. } => Self::Chat,
            ExpertRequest::Embed { .. } => Self::Embed,
            ExpertRequest::Distribution { .. } => Self::Distribution,
        }
    }
}

/// The stop strings that statistics name, by their number from 1 on. Other strings are users' own words and do not enter.
pub const COMMON_STOPS: [&str; 6] = ["\n", "\n\n", "\n\n\n", "```", "###", "User:"];

/// The settings of a query, and how many queries have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormCount {
    /// The kind.
    #[serde(rename = "k")]
    pub kind: QueryKind,
    /// Most tokens to write; 0 for kinds that do not sample.
    #[serde(rename = "m")]
    pub max_tokens: u32,
    /// Temperature in thousandths; 0 for kinds that do not sample.
    #[serde(rename = "t")]
    pub temperature_milli: u32,
    /// Top-p in thousandths; 0 for kinds that do not sample.
    #[serde(rename = "p")]
    pub top_p_milli: u32,
    /// A seed that people write, such as 42. Long random ones are as if there were none: the router draws one then.
    #[serde(rename = "s")]
    pub seed: Option<u16>,
    /// The number of its stop string in [`COMMON_STOPS`], from 1 on; 0 for none.
    #[serde(rename = "e")]
    pub stop: u8,
    /// Which of the settings above clients leave out; none for kinds that do not sample.
    #[serde(rename = "u", default, skip_serializing_if = "Unset::is_none")]
    pub unset: Unset,
    /// Seconds that the whole answer may take.
    #[serde(rename = "d")]
    pub seconds: u16,
    /// Queries.
    #[serde(rename = "c")]
    pub count: u32,
}

/// How long requests are, and how many queries are that long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizeCount {
    /// The kind.
    #[serde(rename = "k")]
    pub kind: QueryKind,
    /// Fewest bytes of text, all messages or inputs together; at least 1.
    #[serde(rename = "l")]
    pub min_bytes: u32,
    /// Most bytes of text.
    #[serde(rename = "h")]
    pub max_bytes: u32,
    /// Fewest messages of a chat or inputs of an embedding; 1 for others.
    #[serde(rename = "n")]
    pub min_parts: u16,
    /// Most messages or inputs.
    #[serde(rename = "x")]
    pub max_parts: u16,
    /// Whether a chat begins with instructions.
    #[serde(rename = "s")]
    pub system: bool,
    /// Queries.
    #[serde(rename = "c")]
    pub count: u32,
}

/// How many queries have both these settings and this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairCount {
    /// The place of the settings in the table of forms.
    #[serde(rename = "f")]
    pub form: u16,
    /// The place of the length in the table of sizes.
    #[serde(rename = "z")]
    pub size: u16,
    /// Queries.
    #[serde(rename = "c")]
    pub count: u32,
}

/// A gateway's counts of its users' queries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrafficStatistics {
    /// The gateway.
    pub gateway: NodeId,
    /// When it signed them.
    pub issued_at: UnixMillis,
    /// At most [`MAX_TRAFFIC_ROWS`], in ascending order.
    pub forms: Vec<FormCount>,
    /// At most [`MAX_TRAFFIC_ROWS`], in ascending order.
    pub sizes: Vec<SizeCount>,
    /// At most [`MAX_TRAFFIC_PAIRS`], in ascending order.
    pub pairs: Vec<PairCount>,
}

/// Why statistics are not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrafficError {
    /// Not signed statistics of this mesh.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Signed by another node than the gateway that they name.
    #[error("signed by another node than the gateway that they name")]
    NotItsOwn,
    /// Too many rows, out of order, or a value that no query has.
    #[error("{0} are too many, out of order or out of bounds")]
    BadRows(&'static str),
    /// [`MAX_TRAFFIC_AGE`] old, or older.
    #[error("too old")]
    TooOld,
    /// Its clock is ahead of ours.
    #[error("signed in the future")]
    FromTheFuture,
}

/// Whether there are at most so many rows, all of them good and in ascending order.
fn are_rows<R: Ord>(rows: &[R], most: usize, good: impl Fn(&R) -> bool) -> bool {
    let ordered = rows.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
    ordered && rows.len() <= most && rows.iter().all(good)
}

impl FormCount {
    /// Whether a query can have these settings.
    fn is_valid(&self) -> bool {
        let sampled = match self.kind {
            QueryKind::Complete | QueryKind::Chat => {
                (1..=MAX_TOKENS).contains(&self.max_tokens)
                    && self.temperature_milli <= MAX_TEMPERATURE_MILLI
                    && (1..=1000).contains(&self.top_p_milli)
            }
            QueryKind::Embed | QueryKind::Distribution => {
                (self.max_tokens, self.temperature_milli, self.top_p_milli) == (0, 0, 0)
                    && self.seed.is_none()
                    && self.stop == 0
                    && self.unset.is_none()
            }
        };
        sampled && usize::from(self.stop) <= COMMON_STOPS.len() && self.seconds >= 1
    }
}

impl SizeCount {
    /// Whether a query can be so long.
    fn is_valid(&self) -> bool {
        (1..=self.max_bytes).contains(&self.min_bytes)
            && self.max_bytes as usize <= MAX_TEXT
            && (1..=self.max_parts).contains(&self.min_parts)
    }
}

impl TrafficStatistics {
    fn check(&self) -> Result<(), TrafficError> {
        let kind_of = |pair: &PairCount| {
            let form = self.forms.get(usize::from(pair.form)).map(|form| form.kind);
            (form, self.sizes.get(usize::from(pair.size)).map(|size| size.kind))
        };
        let is_pair = |pair: &PairCount| matches!(kind_of(pair), (Some(form), Some(size)) if form == size);
        let checks = [
            ("forms", are_rows(&self.forms, MAX_TRAFFIC_ROWS, FormCount::is_valid)),
            ("sizes", are_rows(&self.sizes, MAX_TRAFFIC_ROWS, SizeCount::is_valid)),
            ("pairs", are_rows(&self.pairs, MAX_TRAFFIC_PAIRS, is_pair)),
        ];
        match checks.into_iter().find(|(_, good)| !good) {
            Some((rows, _)) => Err(TrafficError::BadRows(rows)),
            None => Ok(()),
        }
    }
}

/// Statistics that were verified, and the bytes that prove them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTrafficStatistics {
    statistics: TrafficStatistics,
    bytes: Vec<u8>,
}

impl SignedTrafficStatistics {
    /// Signs `statistics`.
    ///
    /// # Errors
    /// When they have too many rows, or rows out of order or out of bounds.
    pub fn sign(key: &NodeKey, mesh: &MeshId, statistics: TrafficStatistics) -> Result<Self, TrafficError> {
        statistics.check()?;
        let bytes = Envelope::seal(key, domains::TRAFFIC, mesh, &statistics)?.encode()?;
        Ok(Self { statistics, bytes })
    }

    /// Verifies statistics that came from outside. Whether the node is a gateway, the caller knows.
    ///
    /// # Errors
    /// The first rule that they break.
    pub fn verify(bytes: &[u8], mesh: &MeshId, now: UnixMillis) -> Result<Self, TrafficError> {
        let envelope = Envelope::decode(bytes, MAX_TRAFFIC_LEN)?;
        let statistics: TrafficStatistics = envelope.open(domains::TRAFFIC, mesh, MAX_TRAFFIC_LEN)?;
        if envelope.signer() != statistics.gateway {
            return Err(TrafficError::NotItsOwn);
        }
        statistics.check()?;
        if statistics.issued_at > now.plus(MAX_CLOCK_SKEW) {
            return Err(TrafficError::FromTheFuture);
        }
        if now.since(statistics.issued_at) >= MAX_TRAFFIC_AGE {
            return Err(TrafficError::TooOld);
        }
        Ok(Self { statistics, bytes: bytes.to_vec() })
    }

    /// The statistics.
    pub fn statistics(&self) -> &TrafficStatistics {
        &self.statistics
    }

    /// The signed bytes, as others verify them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How long they still count.
    pub fn remaining(&self, now: UnixMillis) -> Duration {
        MAX_TRAFFIC_AGE.saturating_sub(now.since(self.statistics.issued_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{MESH, NOW, key};

    fn form(max_tokens: u32) -> FormCount {
        let (kind, seed, stop) = (QueryKind::Chat, None, 0);
        let (temperature_milli, top_p_milli, seconds, count) = (800, 950, 60, 16);
        let unset = Unset::default();
        FormCount { kind, max_tokens, temperature_milli, top_p_milli, seed, stop, unset, seconds, count }
    }

    fn size(min_bytes: u32, max_bytes: u32) -> SizeCount {
        let (kind, min_parts, max_parts) = (QueryKind::Chat, 1, 2);
        SizeCount { kind, min_bytes, max_bytes, min_parts, max_parts, system: false, count: 8 }
    }

    fn statistics() -> TrafficStatistics {
        TrafficStatistics {
            gateway: key(1).node_id(),
            issued_at: NOW,
            forms: vec![form(128), form(256)],
            sizes: vec![size(1, 90), size(91, MAX_TEXT as u32)],
            pairs: vec![PairCount { form: 0, size: 1, count: 8 }, PairCount { form: 1, size: 0, count: 8 }],
        }
    }

    fn verified(signer: u8, change: impl FnOnce(&mut TrafficStatistics)) -> Result<(), TrafficError> {
        let mut statistics = statistics();
        change(&mut statistics);
        let envelope = Envelope::seal(&key(signer), domains::TRAFFIC, &MESH, &statistics).unwrap();
        SignedTrafficStatistics::verify(&envelope.encode().unwrap(), &MESH, NOW).map(|_| ())
    }

    #[test]
    fn rows_are_bounded_and_in_order() {
        assert_eq!(verified(1, |_| {}), Ok(()));
        assert_eq!(verified(2, |_| {}), Err(TrafficError::NotItsOwn));
        let bad = |change: fn(&mut TrafficStatistics)| verified(1, change).unwrap_err();
        let forms = TrafficError::BadRows("forms");
        assert_eq!(bad(|s| s.forms.reverse()), forms);
        assert_eq!(bad(|s| s.forms[0].max_tokens = 0), forms);
        assert_eq!(bad(|s| s.forms[0].seconds = 0), forms);
        assert_eq!(bad(|s| s.forms[0].stop = COMMON_STOPS.len() as u8 + 1), forms);
        assert_eq!(bad(|s| s.forms[1].kind = QueryKind::Embed), forms, "vectors are not sampled");
        let sizes = TrafficError::BadRows("sizes");
        assert_eq!(bad(|s| s.sizes[0].min_bytes = 0), sizes);
        assert_eq!(bad(|s| s.sizes[0].min_bytes = 91), sizes);
        assert_eq!(bad(|s| s.sizes[1].max_bytes += 1), sizes);
        assert_eq!(bad(|s| s.sizes[1].min_parts = 3), sizes);
        let pairs = TrafficError::BadRows("pairs");
        assert_eq!(bad(|s| s.pairs.reverse()), pairs);
        assert_eq!(bad(|s| s.pairs[1].form = 2), pairs, "no such settings");
        assert_eq!(bad(|s| s.sizes[1].kind = QueryKind::Distribution), pairs, "another kind");
        let many = |s: &mut TrafficStatistics| {
            s.forms = (1..=MAX_TRAFFIC_ROWS as u32 + 1).map(form).collect();
        };
        assert_eq!(verified(1, many), Err(forms));
        assert_eq!(bad(|s| s.issued_at = NOW.plus(Duration::from_secs(31))), TrafficError::FromTheFuture);
    }

    #[test]
    fn the_largest_statistics_fit_and_old_ones_do_not_count() {
        let mut largest = statistics();
        let rows = MAX_TRAFFIC_ROWS as u32;
        let kind = QueryKind::Complete;
        largest.forms = (0..rows)
            .map(|n| FormCount {
                kind,
                seed: Some(u16::MAX),
                seconds: u16::MAX,
                count: u32::MAX,
                ..form(MAX_TOKENS - rows + n)
            })
            .collect();
        largest.sizes = (0..rows)
            .map(|n| SizeCount {
                kind,
                min_parts: 60_000,
                max_parts: 60_000 + n as u16,
                count: u32::MAX,
                ..size(MAX_TEXT as u32, MAX_TEXT as u32)
            })
            .collect();
        largest.pairs = (0..MAX_TRAFFIC_PAIRS as u16)
            .map(|n| PairCount { form: 64 + n / 16, size: 32 + n % 16, count: u32::MAX })
            .collect();
        let signed = SignedTrafficStatistics::sign(&key(1), &MESH, largest).unwrap();
        let at = |now| SignedTrafficStatistics::verify(signed.bytes(), &MESH, now);
        assert!(at(NOW).is_ok());
        assert_eq!(at(NOW.plus(MAX_TRAFFIC_AGE)), Err(TrafficError::TooOld));
        assert_eq!(signed.remaining(NOW), MAX_TRAFFIC_AGE);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes: Vec<u8>) {
            proptest::prop_assert!(SignedTrafficStatistics::verify(&bytes, &MESH, NOW).is_err());
        }
    }
}
