//! A state that arrives in pages from a peer that need not be trusted.
//!
//! Records come in the order of the tree, so that none comes twice and it is known how far the state is. When all are
//! there, the root shows whether they are the right ones.

use nervure_primitives::Hash;

use super::{SnapshotError, state_of};
use crate::{block::Header, chain::Tip, spec::MeshSpec, tree::Record};

/// Largest state that is put together in memory, in bytes.
pub const MAX_STATE_LEN: usize = 1 << 30;

/// Some of a state's records, in the order of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatePage {
    /// The encoded records.
    pub records: Vec<Vec<u8>>,
    /// Whether these are the last ones.
    pub last: bool,
}

/// The state of one block, as far as it has come.
#[derive(Debug)]
pub struct Assembly {
    header: Header,
    records: Vec<Record>,
    /// The place of the last record.
    after: Option<Hash>,
    bytes: usize,
    complete: bool,
}

impl Assembly {
    /// For the state that `header` names; the header has to be trusted.
    pub fn new(header: Header) -> Self {
        Self { header, records: Vec::new(), after: None, bytes: 0, complete: false }
    }

    /// The place behind which the next page begins.
    pub fn after(&self) -> Option<Hash> {
        self.after
    }

    /// Whether all pages are there.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// How many records are there.
    pub fn records(&self) -> usize {
        self.records.len()
    }

    /// How many bytes they have.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How far it is, in thousandths: places are hashes, and so spread evenly.
    pub fn thousandths(&self) -> u32 {
        let done = self
            .after
            .map_or(0, |place| u32::from(place.as_bytes()[0]) << 8 | u32::from(place.as_bytes()[1]));
        if self.complete { 1_000 } else { done * 1_000 / 65_536 }
    }

    /// Takes the next page.
    ///
    /// # Errors
    /// When it is not a valid page: records out of order or unreadable, an empty page that is not the last, or too many.
    pub fn take(&mut self, page: &StatePage) -> Result<(), SnapshotError> {
        // An empty page makes no progress: a peer could send them without end.
        if page.records.is_empty() && !page.last {
            return Err(SnapshotError::Order { record: self.records.len() as u64 });
        }
        for bytes in &page.records {
            let record = self.records.len() as u64;
            // Counted before decoding, so that the limit also bounds the work.
            self.bytes = self.bytes.saturating_add(bytes.len());
            if self.bytes > MAX_STATE_LEN {
                return Err(SnapshotError::TooLarge);
            }
            let decoded = Record::decode(bytes);
            let decoded = decoded.map_err(|error| SnapshotError::Frame { frame: record, error })?;
            let place = decoded.key().place();
            // Ascending places: no record comes twice, and another peer can continue behind the last one.
            if self.after.is_some_and(|after| place <= after) {
                return Err(SnapshotError::Order { record });
            }
            self.after = Some(place);
            self.records.push(decoded);
        }
        self.complete = page.last;
        Ok(())
    }

    /// The block and the state after it.
    ///
    /// # Errors
    /// When the records do not make the root that the header names.
    pub fn finish(self, spec: &MeshSpec) -> Result<Tip, SnapshotError> {
        let state = state_of(spec, &self.header, self.records)?;
        Ok(Tip { header: self.header, state })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        testing::Chain,
        tree::{Key, changes},
    };

    /// The records of a state in the order of the tree, in pages of `most`.
    fn pages(chain: &Chain, most: usize) -> Vec<StatePage> {
        let mut records: Vec<Record> = changes(None, &chain.tip.state).into_values().flatten().collect();
        records.sort_by_key(|record| record.key().place());
        let encoded: Vec<Vec<u8>> =
            records.iter().map(|record| nervure_primitives::cbor::encode(record).unwrap()).collect();
        let chunks: Vec<_> = encoded.chunks(most).collect();
        let page = |(number, records): (usize, &&[Vec<u8>])| StatePage {
            records: records.to_vec(),
            last: number + 1 == chunks.len(),
        };
        chunks.iter().enumerate().map(page).collect()
    }

    fn assemble(chain: &Chain, pages: &[StatePage]) -> Result<Tip, SnapshotError> {
        let mut assembly = Assembly::new(chain.tip.header.clone());
        pages.iter().try_for_each(|page| assembly.take(page))?;
        assert_eq!(assembly.thousandths(), 1_000);
        assembly.finish(&chain.spec)
    }

    fn chain() -> Chain {
        let mut chain = Chain::new(4);
        chain.grow(8);
        chain
    }

    #[test]
    fn a_state_comes_together_from_pages_of_any_size() {
        let chain = chain();
        for most in [1, 3, 1_000] {
            assert_eq!(assemble(&chain, &pages(&chain, most)).unwrap(), chain.tip);
        }
    }

    #[test]
    fn another_state_is_refused() {
        let chain = chain();
        let lie = |change: fn(&mut Vec<StatePage>)| {
            let mut pages = pages(&chain, 7);
            change(&mut pages);
            assemble(&chain, &pages).unwrap_err()
        };
        let gone = lie(|pages| drop(pages[0].records.pop()));
        assert!(matches!(gone, SnapshotError::Root { .. } | SnapshotError::Rebuild(_)), "{gone}");
        let twice = lie(|pages| pages.insert(1, StatePage { last: false, ..pages[0].clone() }));
        assert!(matches!(twice, SnapshotError::Order { .. }), "{twice}");
        let rubbish = lie(|pages| pages[0].records[0] = vec![0xFF]);
        assert!(matches!(rubbish, SnapshotError::Frame { .. }), "{rubbish}");
        let endless = lie(|pages| pages.insert(0, StatePage::default()));
        assert!(matches!(endless, SnapshotError::Order { .. }), "{endless}");
        let richer = lie(|pages| {
            for bytes in pages.iter_mut().flat_map(|page| &mut page.records) {
                if let Ok(Record::Account { owner, mut account }) = Record::decode(bytes) {
                    account.nonce += 1;
                    *bytes = nervure_primitives::cbor::encode(&Record::Account { owner, account }).unwrap();
                }
            }
        });
        assert!(matches!(richer, SnapshotError::Root { .. }), "{richer}");
        assert_ne!(Key::Chain.place(), Key::Subnet(crate::testing::SUBNET).place());
    }
}
