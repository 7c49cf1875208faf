//! Pieces of line found by latitude: the Earth between the southernmost and the northernmost is
//! cut into strips, and each lists the pieces that reach into it.

/// An index of pieces by their range of latitude.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Strips {
    range: (f64, f64),
    per_degree: f64,
    /// Strip `i` lists `pieces[starts[i] .. starts[i + 1]]`.
    starts: Vec<u32>,
    pieces: Vec<u32>,
}

/// Most strips, and most entries of one piece on average: bounds the memory.
const MOST_STRIPS: usize = 1_024;
const MOST_ENTRIES: usize = 8;

impl Strips {
    /// Of pieces with these ranges of latitude.
    pub(super) fn new(ranges: &[(f64, f64)]) -> Strips {
        let south = ranges.iter().map(|range| range.0).fold(f64::INFINITY, f64::min);
        let north = ranges.iter().map(|range| range.1).fold(f64::NEG_INFINITY, f64::max);
        let mut strips = ranges.len().clamp(1, MOST_STRIPS);
        loop {
            let per_degree = if north > south { strips as f64 / (north - south) } else { 0.0 };
            let mut index = Strips {
                range: (south, north),
                per_degree,
                starts: vec![0; strips + 1],
                pieces: Vec::new(),
            };
            let entries: usize =
                ranges.iter().map(|(low, high)| index.strip(*high) - index.strip(*low) + 1).sum();
            if strips == 1 || entries <= MOST_ENTRIES * ranges.len() {
                index.fill(ranges, entries);
                return index;
            }
            strips /= 2;
        }
    }

    /// The pieces that may reach this latitude.
    pub(super) fn at(&self, latitude: f64) -> &[u32] {
        if latitude < self.range.0 || latitude > self.range.1 {
            return &[];
        }
        let strip = self.strip(latitude);
        &self.pieces[self.starts[strip] as usize..self.starts[strip + 1] as usize]
    }

    /// The pieces that may reach into this range of latitude; some more than once.
    pub(super) fn across(&self, (low, high): (f64, f64)) -> &[u32] {
        if high < self.range.0 || low > self.range.1 {
            return &[];
        }
        let (first, last) = (self.strip(low), self.strip(high));
        &self.pieces[self.starts[first] as usize..self.starts[last + 1] as usize]
    }

    /// The strip of a latitude; grows with it, so a range of latitudes is a range of strips.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float cast to an integer saturates, which is what is wanted at the ends"
    )]
    fn strip(&self, latitude: f64) -> usize {
        let strip = ((latitude - self.range.0) * self.per_degree) as usize;
        strip.min(self.starts.len() - 2)
    }

    fn fill(&mut self, ranges: &[(f64, f64)], entries: usize) {
        let mut counts = vec![0_u32; self.starts.len() - 1];
        for (low, high) in ranges {
            for count in &mut counts[self.strip(*low)..=self.strip(*high)] {
                *count += 1;
            }
        }
        for (strip, count) in counts.iter().enumerate() {
            self.starts[strip + 1] = self.starts[strip] + count;
        }
        let mut next = self.starts.clone();
        self.pieces = vec![0; entries];
        for (piece, (low, high)) in (0_u32..).zip(ranges) {
            for slot in &mut next[self.strip(*low)..=self.strip(*high)] {
                self.pieces[*slot as usize] = piece;
                *slot += 1;
            }
        }
    }
}
