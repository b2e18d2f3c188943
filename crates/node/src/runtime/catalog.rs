//! The node's index of verified expert records, from gossip and the directory.
//!
//! A lock around a pure structure: every method is short, and none awaits while it holds the lock.

use nervure_primitives::{MeshId, Netuid, NodeId, UnixMillis};
use nervure_protocol::{ExpertRecord, RecordError, SignedRecord, directory::PageCursor};
use nervure_subnet::{
    Index, IndexSearch, InsertOutcome, Observation, Observations, Page,
    directory::{self, Context},
};
use parking_lot::{Mutex, MutexGuard};
use serde_bytes::ByteBuf;

use super::{clock, metrics::StateGauge, registry::LedgerRegistry};

/// Gauges of the number of experts.
pub(crate) const STATE: &[StateGauge<usize>] =
    &[StateGauge { name: "experts_known", help: "Experts in the index", value: |experts| *experts as u64 }];

/// Shared by gossip, directory, router and the HTTP API.
pub(crate) struct ExpertCatalog {
    mesh: MeshId,
    registry: LedgerRegistry,
    index: Mutex<Index>,
    seen: Mutex<Observations>,
}

impl ExpertCatalog {
    /// An empty catalog.
    pub(crate) fn new(mesh: MeshId, registry: LedgerRegistry) -> Self {
        Self { mesh, registry, index: Mutex::default(), seen: Mutex::default() }
    }

    /// Verifies a record and files it.
    pub(crate) fn ingest(&self, bytes: &[u8]) -> Result<InsertOutcome, RecordError> {
        let now = clock::now();
        // Before the lock: a signature takes much longer than an insert, and queries wait for the same lock.
        let record = SignedRecord::verify(bytes, &self.mesh, now, &self.registry)?;
        Ok(self.file(record, now))
    }

    /// Files a verified record. An expert that has moved is asked again at once, whatever failed at its former place.
    fn file(&self, record: SignedRecord, now: UnixMillis) -> InsertOutcome {
        let place = |record: &ExpertRecord| (record.addresses.clone(), record.relays.clone());
        let (node, expert) = (record.record().node, record.record().expert.clone());
        let new = place(record.record());
        let (former, outcome) = {
            let mut index = self.index.lock();
            let former = index.get(node, &expert, now).map(place);
            (former, index.insert(record, now))
        };
        if matches!(outcome, InsertOutcome::New | InsertOutcome::Newer) && former != Some(new) {
            self.observations().moved(node, &expert);
        }
        outcome
    }

    /// Answers a request of the directory protocol.
    pub(crate) fn answer(&self, request: &[u8]) -> Vec<u8> {
        let context = Context { mesh: &self.mesh, registry: &self.registry, now: clock::now() };
        directory::answer(&mut self.index.lock(), request, &context)
    }

    /// Files a record that is verified: one of this node's own, or of a node whose slot is proven.
    pub(crate) fn insert_verified(&self, record: SignedRecord) -> InsertOutcome {
        self.file(record, clock::now())
    }

    /// The record of one expert.
    pub(crate) fn record(&self, node: NodeId, expert: &str) -> Option<ExpertRecord> {
        self.index.lock().get(node, expert, clock::now()).cloned()
    }

    /// The records of all experts of a subnet.
    pub(crate) fn in_subnet(&self, netuid: Netuid) -> Vec<ExpertRecord> {
        self.find(&IndexSearch { netuid: Some(netuid), ..IndexSearch::default() }).records
    }

    /// A page of records.
    pub(crate) fn find(&self, find: &IndexSearch) -> Page {
        self.index.lock().find(find, clock::now())
    }

    /// Signed records in order, up to `room` bytes and at least one, and where the next page begins.
    pub(crate) fn signed_page(
        &self,
        search: &IndexSearch,
        room: usize,
    ) -> (Vec<ByteBuf>, Option<PageCursor>) {
        let index = self.index.lock();
        let (mut records, mut size, mut last) = (Vec::new(), 0, None);
        for signed in index.signed(search, clock::now()) {
            size += signed.bytes().len();
            if size > room && !records.is_empty() {
                return (records, last);
            }
            let record = signed.record();
            records.push(ByteBuf::from(signed.bytes()));
            last = Some(PageCursor { node: record.node, expert: record.expert.clone() });
        }
        (records, None)
    }

    /// How many experts can be found.
    pub(crate) fn len(&self) -> usize {
        self.index.lock().len(clock::now())
    }

    /// Drops expired records.
    pub(crate) fn expire(&self) {
        self.index.lock().expire(clock::now());
    }

    /// This node's observations of an expert.
    pub(crate) fn seen(&self, node: &NodeId, expert: &str) -> Observation {
        self.observations().of(node, expert)
    }

    /// The observations of all experts, to read and add to.
    pub(crate) fn observations(&self) -> MutexGuard<'_, Observations> {
        self.seen.lock()
    }
}
