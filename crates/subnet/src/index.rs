//! The local index: every expert that this node knows of, found by capability.
//!
//! Bounded per node and in all. A full index refuses new entries: an entry lives only as long as its record,
//! and no node can evict others by advertising more.

use std::{collections::BTreeMap, num::NonZeroUsize};

use nervure_primitives::{Capability, Netuid, NodeId, UnixMillis};

use crate::Filter;
use nervure_protocol::{ExpertRecord, SignedRecord};

/// Bounds of an index.
#[derive(Clone, Copy, Debug)]
pub struct IndexLimits {
    /// Experts of one node; 32 by default.
    pub per_node: NonZeroUsize,
    /// Experts in all; 65,536 by default, about 1 KiB each.
    pub total: NonZeroUsize,
}

impl Default for IndexLimits {
    fn default() -> Self {
        const fn count(n: usize) -> NonZeroUsize {
            NonZeroUsize::MIN.saturating_add(n - 1)
        }
        Self { per_node: count(32), total: count(65_536) }
    }
}

/// The outcome of inserting a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertOutcome {
    /// An expert that was not known.
    New,
    /// A later record of a known expert.
    Newer,
    /// Not newer than the known record.
    Stale,
    /// Another record under the same number: the node signed two. The first one stays.
    Contradiction,
    /// The bound of the node or of the index is reached.
    Full,
}

/// An expert: its node and its name there.
type Id = (NodeId, String);

/// A search in the index.
#[derive(Clone, Debug)]
pub struct IndexSearch {
    /// Only experts that this covers.
    pub capability: Option<Capability>,
    /// Only experts with this model.
    pub model: Option<String>,
    /// Only experts of this subnet.
    pub netuid: Option<Netuid>,
    /// Only experts that pass this filter.
    pub filter: Option<Filter>,
    /// Maximum number of records in the page.
    pub limit: usize,
    /// Where the last page ended.
    pub after: Option<(NodeId, String)>,
}

impl Default for IndexSearch {
    /// Everything.
    fn default() -> Self {
        Self { capability: None, model: None, netuid: None, filter: None, limit: usize::MAX, after: None }
    }
}

/// A page of records, in order of node and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The records.
    pub records: Vec<ExpertRecord>,
    /// Where the next page begins; none after the last.
    pub next: Option<(NodeId, String)>,
}

/// The experts that this node knows.
#[derive(Debug, Default)]
pub struct Index {
    limits: IndexLimits,
    records: BTreeMap<Id, SignedRecord>,
}

impl Index {
    /// An empty index.
    pub fn new(limits: IndexLimits) -> Self {
        Self { limits, records: BTreeMap::new() }
    }

    /// Inserts a verified record.
    pub fn insert(&mut self, record: SignedRecord, now: UnixMillis) -> InsertOutcome {
        let id = (record.record().node, record.record().expert.clone());
        let Some(known) = self.records.get(&id) else {
            return self.insert_new(id, record, now);
        };
        let (old, new) = (known.record().seq, record.record().seq);
        if new < old || known == &record {
            return InsertOutcome::Stale;
        }
        // Two records under one number: the first stays, so that a node cannot show peers different records
        // in turns.
        if new == old {
            return InsertOutcome::Contradiction;
        }
        self.records.insert(id, record);
        InsertOutcome::Newer
    }

    fn insert_new(&mut self, id: Id, record: SignedRecord, now: UnixMillis) -> InsertOutcome {
        if self.of(&id.0).count() >= self.limits.per_node.get()
            || self.records.len() >= self.limits.total.get()
        {
            self.expire(now);
        }
        if self.of(&id.0).count() >= self.limits.per_node.get()
            || self.records.len() >= self.limits.total.get()
        {
            return InsertOutcome::Full;
        }
        self.records.insert(id, record);
        InsertOutcome::New
    }

    /// Drops expired records.
    pub fn expire(&mut self, now: UnixMillis) {
        self.records.retain(|_, record| record.record().expires_at > now);
    }

    /// The record of one expert, if it has not expired at `now`.
    pub fn get(&self, node: NodeId, expert: &str, now: UnixMillis) -> Option<&ExpertRecord> {
        let record = self.records.get(&(node, expert.to_owned()))?.record();
        lives(record, now).then_some(record)
    }

    /// A page of the experts whose records have not expired at `now`, in order of node and name.
    pub fn find(&self, find: &IndexSearch, now: UnixMillis) -> Page {
        let mut matching = self.signed(find, now).map(SignedRecord::record);
        let records: Vec<_> = matching.by_ref().take(find.limit).cloned().collect();
        // One record beyond the page: without it, a full last page would make the caller ask for an empty
        // one.
        let more = matching.next().is_some();
        let next = records.last().filter(|_| more).map(|last| (last.node, last.expert.clone()));
        Page { records, next }
    }

    /// The records that match at `now`, in order of node and name, beginning after `find.after`. The limit does not
    /// apply.
    pub fn signed<'a>(
        &'a self,
        find: &'a IndexSearch,
        now: UnixMillis,
    ) -> impl Iterator<Item = &'a SignedRecord> {
        let start = find.after.clone().map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.records
            .range((start, std::ops::Bound::Unbounded))
            .map(|(_, record)| record)
            .filter(move |record| find.matches(record.record(), now))
    }

    /// How many experts can be found at `now`.
    pub fn len(&self, now: UnixMillis) -> usize {
        self.records.values().filter(|record| lives(record.record(), now)).count()
    }

    /// Whether no expert can be found at `now`.
    pub fn is_empty(&self, now: UnixMillis) -> bool {
        self.len(now) == 0
    }

    fn of(&self, node: &NodeId) -> impl Iterator<Item = &SignedRecord> {
        let node = *node;
        self.records
            // The empty name sorts first, so that this begins with the first expert of the node.
            .range((node, String::new())..)
            .take_while(move |((of, _), _)| *of == node)
            .map(|(_, r)| r)
    }
}

impl IndexSearch {
    fn matches(&self, record: &ExpertRecord, now: UnixMillis) -> bool {
        lives(record, now)
            && self.capability.as_ref().is_none_or(|wanted| wanted.covers(&record.capability))
            && self.model.as_ref().is_none_or(|model| record.model == model.as_str())
            && self.netuid.is_none_or(|netuid| netuid == record.netuid)
            && self.filter.as_ref().is_none_or(|filter| filter.matches(record))
    }
}

fn lives(record: &ExpertRecord, now: UnixMillis) -> bool {
    !record.withdrawn && record.expires_at > now
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use nervure_protocol::testing::{MESH, NOW, key, record};

    fn signed(seed: u8, expert: &str, change: impl FnOnce(&mut ExpertRecord)) -> SignedRecord {
        let mut record = record(seed, expert, "text.generate.rust");
        change(&mut record);
        SignedRecord::sign(&key(seed), &MESH, record).unwrap()
    }

    fn names(page: &Page) -> Vec<&str> {
        page.records.iter().map(|record| record.expert.as_str()).collect()
    }

    fn find(capability: &str) -> IndexSearch {
        IndexSearch { capability: Some(capability.parse().unwrap()), ..IndexSearch::default() }
    }

    #[test]
    fn the_general_finds_the_special_until_it_expires() {
        let mut index = Index::default();
        assert_eq!(index.insert(signed(1, "a", |_| {}), NOW), InsertOutcome::New);
        assert_eq!(names(&index.find(&find("text.generate"), NOW)), ["a"]);
        assert!(names(&index.find(&find("text.generate.rust.async"), NOW)).is_empty());
        let node = key(1).node_id();
        assert_eq!(index.get(node, "a", NOW).map(|record| record.expert.as_str()), Some("a"));
        assert_eq!(index.get(node, "b", NOW), None);
        let later = NOW.plus(Duration::from_secs(30));
        assert!(names(&index.find(&find("text"), later)).is_empty());
        assert_eq!(index.get(node, "a", later), None);
        index.expire(later);
        assert!(index.records.is_empty());
    }

    #[test]
    fn only_later_records_replace() {
        let mut index = Index::default();
        assert_eq!(index.insert(signed(1, "a", |r| r.seq = 5), NOW), InsertOutcome::New);
        assert_eq!(index.insert(signed(1, "a", |r| r.seq = 5), NOW), InsertOutcome::Stale);
        assert_eq!(index.insert(signed(1, "a", |r| r.seq = 4), NOW), InsertOutcome::Stale);
        let contradiction = signed(1, "a", |r| (r.seq, r.price) = (5, 9));
        assert_eq!(index.insert(contradiction, NOW), InsertOutcome::Contradiction);
        let withdrawal = signed(1, "a", |r| (r.seq, r.withdrawn) = (6, true));
        assert_eq!(index.insert(withdrawal, NOW), InsertOutcome::Newer);
        assert_eq!(
            index.insert(signed(1, "a", |r| r.seq = 5), NOW),
            InsertOutcome::Stale,
            "it cannot come back"
        );
        assert_eq!(index.len(NOW), 0);
    }

    #[test]
    fn no_node_evicts_others() {
        let two = NonZeroUsize::new(2).unwrap();
        let mut index = Index::new(IndexLimits { per_node: two, total: NonZeroUsize::new(3).unwrap() });
        assert_eq!(index.insert(signed(1, "a", |_| {}), NOW), InsertOutcome::New);
        assert_eq!(index.insert(signed(1, "b", |_| {}), NOW), InsertOutcome::New);
        assert_eq!(index.insert(signed(1, "c", |_| {}), NOW), InsertOutcome::Full, "per node");
        assert_eq!(index.insert(signed(2, "a", |_| {}), NOW), InsertOutcome::New);
        assert_eq!(index.insert(signed(3, "a", |_| {}), NOW), InsertOutcome::Full, "in all");
        let later = NOW.plus(Duration::from_secs(31));
        let fresh =
            signed(3, "a", |r| (r.issued_at, r.expires_at) = (later, later.plus(Duration::from_secs(9))));
        assert_eq!(index.insert(fresh, later), InsertOutcome::New, "what has expired makes room");
    }

    proptest! {
        #[test]
        fn pages_are_the_whole_in_pieces(seeds in proptest::collection::btree_set(1u8..40, 0..20), limit in 1usize..7) {
            let mut index = Index::default();
            for seed in &seeds {
                index.insert(signed(*seed, "a", |_| {}), NOW);
            }
            let (mut after, mut paged) = (None, Vec::new());
            loop {
                let page = index.find(&IndexSearch { limit, after, ..IndexSearch::default() }, NOW);
                prop_assert!(page.records.len() <= limit);
                paged.extend(page.records);
                after = page.next;
                if after.is_none() { break }
            }
            prop_assert_eq!(paged, index.find(&IndexSearch::default(), NOW).records);
        }
    }
}
