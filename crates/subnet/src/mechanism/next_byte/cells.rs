//! Which cells a task is cut from: ones that were not asked before.

use super::NextByte;
use crate::{
    Dice,
    mechanism::{CellId, DrawError, Material},
};

/// Of three cells in a row, one is for completions.
const CELLS_PER_COMPLETION: usize = 3;

/// How often a cell is drawn at random before all are looked through, for each one that is needed: enough where a tenth
/// of the cells is left.
const MAX_TRIES: usize = 64;

/// What a cell is asked for. A cell is only ever used in one way: a distribution's context shows what a completion of
/// the same cell would have to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CellUse {
    Distribution,
    Completion,
}

impl CellUse {
    /// How many of the first `cells` cells are used so.
    fn count(self, cells: usize) -> usize {
        let completions = cells / CELLS_PER_COMPLETION;
        match self {
            Self::Completion => completions,
            Self::Distribution => cells - completions,
        }
    }

    /// The number among all cells of the `at`-th one that is used so.
    fn number(self, at: usize) -> usize {
        match self {
            Self::Completion => at * CELLS_PER_COMPLETION + CELLS_PER_COMPLETION - 1,
            Self::Distribution => at + at / (CELLS_PER_COMPLETION - 1),
        }
    }
}

/// A cell, and its number among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DrawnCell<'a> {
    pub(super) text: &'a [u8],
    pub(super) number: usize,
}

/// `need` different cells for that use.
pub(super) fn draw_cells<'a>(
    rules: &NextByte,
    (of, need): (CellUse, usize),
    material: &'a Material,
    dice: &mut Dice,
) -> Result<Vec<DrawnCell<'a>>, DrawError> {
    let length = usize::from(rules.cell);
    let have = of.count(material.corpus.cells(length));
    if have < need {
        return Err(DrawError::TooLittleText { what: "pieces of the cell's length", have, need });
    }
    let cell = |at: u64| {
        let number = of.number(at as usize);
        Some(DrawnCell { text: material.corpus.cell(number, length)?, number })
    };
    let is_new = |cell: &DrawnCell<'_>| !material.retired.contains(CellId::of(cell.text));
    let mut drawn: Vec<DrawnCell<'_>> = Vec::new();
    for _ in 0..need * MAX_TRIES {
        if drawn.len() == need {
            return Ok(drawn);
        }
        let found = cell(dice.below(have as u64)).filter(is_new);
        // A text that occurs twice is asked once.
        drawn.extend(found.filter(|found| drawn.iter().all(|other| other.text != found.text)));
    }
    // Few are left: every one is looked at, which takes long in large texts.
    let mut left: Vec<DrawnCell<'_>> = (0..have as u64).filter_map(cell).filter(is_new).collect();
    left.sort_unstable();
    left.dedup_by_key(|cell| cell.text);
    match (left.len() >= need, rules.reuse) {
        (true, _) => {
            dice.shuffle(&mut left);
            left.truncate(need);
            Ok(left)
        }
        (false, 0) => Err(DrawError::AllAsked { left: left.len(), need }),
        (false, _) => Ok(dice.distinct(need, have as u64).into_iter().filter_map(cell).collect()),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use super::*;
    use crate::mechanism::{Corpus, corpus::tests::document};

    fn material(cells: u32) -> Material {
        let text: Vec<u8> = (0..cells * 4).flat_map(u32::to_be_bytes).collect();
        Corpus::new([document("text", &text)]).into()
    }

    fn rules(reuse: u8) -> NextByte {
        NextByte { contexts: 8, completions: 4, cell: 16, reuse, ..NextByte::default() }
    }

    #[test]
    fn each_cell_has_one_use_and_none_is_left_out() {
        for cells in 0..50 {
            let numbers: BTreeSet<usize> = [CellUse::Distribution, CellUse::Completion]
                .into_iter()
                .flat_map(|of| (0..of.count(cells)).map(move |at| of.number(at)))
                .collect();
            assert_eq!(numbers, (0..cells).collect());
        }
    }

    #[test]
    fn every_cell_is_asked_once_and_then_none() {
        let mut material = material(96);
        let mut asked = BTreeSet::new();
        for round in 0..8u64 {
            let cells =
                draw_cells(&rules(0), (CellUse::Distribution, 8), &material, &mut Dice::new(round.into()))
                    .unwrap();
            let ids: Vec<CellId> = cells.iter().map(|cell| CellId::of(cell.text)).collect();
            assert!(ids.iter().all(|id| asked.insert(*id)), "a cell came again");
            Arc::make_mut(&mut material.retired).retire(ids);
        }
        let drawn = |reuse| {
            draw_cells(&rules(reuse), (CellUse::Distribution, 8), &material, &mut Dice::new(9.into()))
        };
        assert_eq!(drawn(0), Err(DrawError::AllAsked { left: 0, need: 8 }));
        assert_eq!(drawn(1).unwrap().len(), 8);
        assert!(draw_cells(&rules(0), (CellUse::Completion, 4), &material, &mut Dice::new(9.into())).is_ok());
    }
}
