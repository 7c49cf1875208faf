//! Turning shares: who goes where at each junction, as long as nobody's destination is known.

use super::error::PlanError;
use super::network::{Entrance, Network};

/// Shares of one way in, from a time on.
#[derive(Clone, Debug, PartialEq)]
pub struct TurningPiece {
    /// The way in.
    pub from: Entrance,
    /// From when, in seconds from the start.
    pub from_s: f64,
    /// One for each exit, in the order of [`Network::exits`]; at least 0, taken in proportion.
    pub shares: Vec<f64>,
}

/// Turning shares of the whole network. Without pieces, vehicles turn in proportion to the
/// capacity of the links they turn into, and leave only where there is nothing but a destination.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turning {
    /// Shares by way in and time, in any order; the latest that has begun counts.
    pub pieces: Vec<TurningPiece>,
}

/// Checked shares: per way in the pieces in time order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shares {
    /// Per movement, when no piece has begun.
    base: Vec<f64>,
    /// Way in, begin, shares; sorted.
    pieces: Vec<(u32, f64, Vec<f64>)>,
}

impl Shares {
    pub(super) fn new(network: &Network, turning: &Turning) -> Result<Shares, PlanError> {
        let base = (0..network.ways_in()).flat_map(|way| by_capacity(network, way)).collect();
        let mut pieces = Vec::with_capacity(turning.pieces.len());
        for (row, piece) in turning.pieces.iter().enumerate() {
            let way = network.way_in(piece.from).ok_or(PlanError::Turning(row))?;
            let sum: f64 = piece.shares.iter().sum();
            let allowed = piece.shares.len() == network.moves(way).len()
                && piece.shares.iter().all(|share| *share >= 0.0)
                && sum.is_finite()
                && (sum > 0.0 || piece.shares.is_empty())
                && piece.from_s.is_finite();
            if !allowed {
                return Err(PlanError::Turning(row));
            }
            let shares = piece.shares.iter().map(|share| share / sum).collect();
            let way = u32::try_from(way).expect("networks have fewer than 2^32 ways");
            pieces.push((way, piece.from_s, shares));
        }
        pieces.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        Ok(Shares { base, pieces })
    }

    /// The shares of a way in that count at a time.
    pub(super) fn at(&self, network: &Network, way: usize, time_s: f64) -> &[f64] {
        let begun = |(of, from_s, _): &(u32, f64, Vec<f64>)| {
            (*of as usize, *from_s)
                .partial_cmp(&(way, time_s))
                .is_none_or(std::cmp::Ordering::is_le)
        };
        let next = self.pieces.partition_point(begun);
        match next.checked_sub(1).map(|last| &self.pieces[last]) {
            Some((of, _, shares)) if *of as usize == way => shares,
            Some(_) | None => &self.base[network.moves(way)],
        }
    }

    /// Ways in and times at which shares change.
    pub(super) fn changes(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.pieces.iter().map(|(way, from_s, _)| (*way as usize, *from_s))
    }
}

/// In proportion to the capacities of the links; to destinations only where there is no link.
pub(super) fn by_capacity(network: &Network, way: usize) -> Vec<f64> {
    let capacity = |movement| {
        let target = network.target(movement) as usize;
        network.inside().get(target).map_or(0.0, super::Link::capacity_pcu_s)
    };
    let mut shares: Vec<f64> = network.moves(way).map(capacity).collect();
    let sum: f64 = shares.iter().sum();
    let count = shares.len() as f64;
    for share in &mut shares {
        *share = if sum > 0.0 { *share / sum } else { 1.0 / count };
    }
    shares
}
