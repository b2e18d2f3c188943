//! The state of a block in pages: how it goes to nodes that begin without replaying history.

use std::ops::Bound;

use nervure_ledger::{
    chain::Tip,
    snapshot::{Assembly, SnapshotError, StatePage},
    spec::MeshSpec,
};
use nervure_primitives::{BlockHeight, Hash};

use super::{
    Reader, StoreError,
    tables::{self, VALUES},
    tree::{value, value_key},
};

/// A page that is being filled.
struct Filling {
    page: StatePage,
    room: usize,
}

/// Bytes of a page that is read for this process itself.
const OWN_PAGE_BYTES: usize = 1 << 20;

impl Reader {
    /// An earlier block, its state rebuilt from its records and compared with its root.
    ///
    /// # Errors
    /// [`StoreError::NotKept`] when that state was pruned, or is not there yet.
    pub fn tip_at(&self, spec: &MeshSpec, height: BlockHeight) -> Result<Tip, StoreError> {
        self.kept(height)?;
        let damaged =
            |error: SnapshotError| StoreError::damaged(format!("the state of block {height}"), error);
        let header = self.header(height)?;
        let header = header.ok_or_else(|| StoreError::damaged(format!("block {height}"), "no header"))?;
        let mut assembly = Assembly::new(header);
        while !assembly.is_complete() {
            assembly.take(&self.page(height, assembly.after(), OWN_PAGE_BYTES)?).map_err(damaged)?;
        }
        assembly.finish(spec).map_err(damaged)
    }

    /// The records of the state after the block at `height` whose place is behind `after`, as many as fit into `room` bytes,
    /// but at least one.
    ///
    /// # Errors
    /// [`StoreError::NotKept`] when that state was pruned.
    pub fn page(
        &self,
        height: BlockHeight,
        after: Option<Hash>,
        room: usize,
    ) -> Result<StatePage, StoreError> {
        let version = self.kept(height)?;
        let from = after.map(|place| value_key(place.as_bytes(), u64::MAX));
        let from = from.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(key.as_slice()));
        let mut filling = Filling { page: StatePage::default(), room };
        let mut newest: Option<([u8; 32], Vec<u8>)> = None;
        for entry in self.table(VALUES)?.range::<&[u8]>((from, Bound::Unbounded))? {
            let (key, sealed) = entry?;
            let short = || StoreError::damaged(tables::name(VALUES, key.value()), "a short key");
            let (place, written) = key.value().split_first_chunk::<32>().ok_or_else(short)?;
            let written = <[u8; 8]>::try_from(written).map(u64::from_be_bytes).map_err(|_| short())?;
            if newest.as_ref().is_some_and(|(former, _)| former != place) && !filling.take(newest.take()) {
                return Ok(filling.page);
            }
            if written <= version {
                newest = Some((*place, tables::unseal(VALUES, key.value(), sealed.value())?.to_vec()));
            }
        }
        filling.page.last = filling.take(newest);
        Ok(filling.page)
    }
}

impl Filling {
    /// Adds what a place holds; false when it does not fit.
    fn take(&mut self, newest: Option<([u8; 32], Vec<u8>)>) -> bool {
        let Some((_, stored)) = newest else { return true };
        let Some(record) = value(&stored) else { return true };
        match self.room.checked_sub(record.len()) {
            None if !self.page.records.is_empty() => false,
            left => {
                self.room = left.unwrap_or(0);
                self.page.records.push(record.to_vec());
                true
            }
        }
    }
}
