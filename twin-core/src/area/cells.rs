//! Sets of H3 cells as ranges of resolution-15 cells. In an H3 index the children of a cell differ
//! from it in the resolution (bits 52 to 55) and in the digits below it (3 bits a resolution, the
//! unused ones all ones), so all descendants of a cell are one range of numbers.

use std::str::FromStr;

use h3o::{CellIndex, Resolution};

use super::{AreaError, AreaProblem, Extent, MAX_CELLS, Side};

const RESOLUTION_BITS: u64 = 0xF << 52;

/// Makes resolution-15 cells into their parents: two instructions each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parents {
    keep: u64,
    set: u64,
}

impl Parents {
    /// Parents at this resolution.
    pub(crate) fn at(resolution: Resolution) -> Parents {
        let unused = (1 << (3 * (15 - u32::from(u8::from(resolution))))) - 1;
        Parents {
            keep: !(RESOLUTION_BITS | unused),
            set: (u64::from(u8::from(resolution)) << 52) | unused,
        }
    }

    /// The parent of a resolution-15 cell.
    pub(crate) fn of(self, cell: u64) -> u64 {
        (cell & self.keep) | self.set
    }
}

/// A set of cells of any resolution.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CellSet {
    /// First and last resolution-15 cell of each run; sorted, apart.
    ranges: Vec<(u64, u64)>,
}

impl CellSet {
    pub(super) fn new<T: AsRef<str>>(cells: &[T]) -> Result<CellSet, AreaError> {
        let problem = match cells.len() {
            0 => Some(AreaProblem::Empty),
            many if many > MAX_CELLS => Some(AreaProblem::TooManyCells(many)),
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(AreaError { field: "cells.cells".to_owned(), problem });
        }
        let mut ranges = Vec::with_capacity(cells.len());
        for (number, text) in cells.iter().enumerate() {
            let text = text.as_ref();
            let cell = CellIndex::from_str(text).map_err(|_not_a_cell| AreaError {
                field: format!("cells.cells[{number}]"),
                problem: AreaProblem::NotACell(text.chars().take(40).collect()),
            })?;
            ranges.push(descendants(cell));
        }
        ranges.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(run) if first <= run.1.saturating_add(1) => run.1 = run.1.max(last),
                Some(_) | None => merged.push((first, last)),
            }
        }
        Ok(CellSet { ranges: merged })
    }

    pub(super) fn holds(&self, cell: u64) -> bool {
        let next = self.ranges.partition_point(|(first, _)| *first <= cell);
        next.checked_sub(1).is_some_and(|run| cell <= self.ranges[run].1)
    }

    pub(super) fn judge(&self, extent: &Extent) -> Side {
        let (first, last) = extent.cells;
        let run = self.ranges.partition_point(|(_, end)| *end < first);
        match self.ranges.get(run) {
            Some((start, end)) if *start <= first && last <= *end => Side::Inside,
            Some((start, _)) if *start <= last => Side::Border,
            Some(_) | None => Side::Outside,
        }
    }
}

/// The range that holds the resolution-15 descendants of a cell and nothing else.
fn descendants(cell: CellIndex) -> (u64, u64) {
    let below = (1 << (3 * (15 - u32::from(u8::from(cell.resolution()))))) - 1;
    let first = ((u64::from(cell) & !RESOLUTION_BITS) | (15 << 52)) & !below;
    (first, first | below)
}
