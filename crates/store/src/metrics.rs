//! What the database and the write-ahead log measure.

use std::time::Instant;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Bounds of the buckets of a write, in seconds: a sync takes a fraction of a millisecond on a fast disk, and most of a
/// second on a slow one.
const WRITE_SECONDS: [f64; 12] = [0.0003, 0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 3.0, 10.0];

/// Metrics of the database. Clones share the same values.
#[derive(Clone, Debug)]
pub struct StoreMetrics(Family<WriteLabels, Histogram>);

/// Metrics of the write-ahead log. Clones share the same values.
#[derive(Clone, Debug)]
pub struct WalMetrics(Histogram);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    kind: &'static str,
}

/// What is written to the database.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Write {
    /// One block.
    Block,
    /// The transaction of a batch, without its blocks' execution.
    Batch,
}

impl Write {
    const ALL: [Self; 2] = [Self::Block, Self::Batch];

    fn labels(self) -> WriteLabels {
        WriteLabels { kind: if matches!(self, Self::Block) { "block" } else { "batch" } }
    }
}

impl Default for StoreMetrics {
    fn default() -> Self {
        let writes = Family::<WriteLabels, Histogram>::new_with_constructor(|| Histogram::new(WRITE_SECONDS));
        // Every series exists from the start, so that a rate over a first write is not lost.
        Write::ALL.into_iter().for_each(|write| drop(writes.get_or_create(&write.labels())));
        Self(writes)
    }
}

impl Default for WalMetrics {
    fn default() -> Self {
        Self(Histogram::new(WRITE_SECONDS))
    }
}

impl StoreMetrics {
    /// Registers all of them.
    pub fn register(&self, registry: &mut Registry) {
        let help =
            "Duration of durable writes to the chain's database: of one block, or of the transaction of many";
        registry.register_with_unit("store_write", help, Unit::Seconds, self.0.clone());
    }

    /// Counts a write that succeeded.
    pub(crate) fn wrote(&self, write: Write, began: Instant) {
        self.0.get_or_create(&write.labels()).observe(began.elapsed().as_secs_f64());
    }
}

impl WalMetrics {
    /// Registers all of them.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Duration of syncs of the write-ahead log; each stands between a vote and the network";
        registry.register_with_unit("wal_sync", help, Unit::Seconds, self.0.clone());
    }

    /// Counts a sync that succeeded.
    pub(crate) fn synced(&self, began: Instant) {
        self.0.observe(began.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn a_write_is_counted_by_its_kind_and_a_sync_by_itself() {
        let (store, wal, began) = (StoreMetrics::default(), WalMetrics::default(), Instant::now());
        store.wrote(Write::Block, began);
        (0..2).for_each(|_| store.wrote(Write::Batch, began));
        wal.synced(began);
        let (mut registry, mut text) = (Registry::default(), String::new());
        store.register(&mut registry);
        wal.register(&mut registry);
        encode(&mut text, &registry).unwrap();
        for line in [
            "store_write_seconds_count{kind=\"block\"} 1",
            "store_write_seconds_count{kind=\"batch\"} 2",
            "wal_sync_seconds_count 1",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is missing in\n{text}");
        }
    }
}
