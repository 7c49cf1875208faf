//! Demand: who wants to enter, where and when; and its integral over a step, exact whatever the
//! step, so that no vehicle hangs on how times fall on steps.

use super::error::PlanError;
use super::network::Network;
use super::order::Names;

/// A constant flow for a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Demand {
    /// Where it enters.
    pub origin: u32,
    /// Where it goes; needed for routing by destination, unused otherwise.
    pub destination: Option<u32>,
    /// Begin, in seconds from the start.
    pub from_s: f64,
    /// End, in seconds from the start; may be infinite.
    pub until_s: f64,
    /// Flow in pcu/s; see [`Equivalents::pcu`](super::Equivalents::pcu).
    pub flow_pcu_s: f64,
}

/// The demand of all origins as piecewise constant rates.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Profiles {
    /// Per origin, its first piece; one more at the end.
    first: Vec<u32>,
    pieces: Vec<Piece>,
    /// Rates by destination, by the model's numbers as all origins here, for all pieces.
    rates: Vec<(u32, f64)>,
    /// Per destination as it was given, the flow of all demand that names it.
    weights: Vec<f64>,
}

/// A time with constant rates. The last piece of an origin never ends.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    from_s: f64,
    until_s: f64,
    total: f64,
    rates: (u32, u32),
}

impl Profiles {
    /// Sorts demand by origin and time. `by_destination` asks that each has one.
    pub(super) fn new(
        network: &Network,
        demand: &[Demand],
        by_destination: bool,
    ) -> Result<Profiles, PlanError> {
        let (origins, order) = (network.origins().len(), network.order());
        let mut rows = vec![Vec::new(); origins];
        let mut weights = vec![0.0; network.destinations().len()];
        for (number, row) in demand.iter().enumerate() {
            let known = row.destination.map(|to| (to as usize) < network.destinations().len());
            let allowed = (row.origin as usize) < origins
                && known.unwrap_or(!by_destination)
                && row.from_s.is_finite()
                && row.from_s < row.until_s
                && row.flow_pcu_s.is_finite()
                && row.flow_pcu_s >= 0.0;
            if !allowed {
                return Err(PlanError::Demand(number));
            }
            let origin = order.origins.inner(row.origin).expect("checked above");
            rows[origin].push(*row);
            if let Some(to) = row.destination {
                weights[to as usize] += row.flow_pcu_s;
            }
        }
        let mut profiles = Profiles { first: vec![0], weights, ..Profiles::default() };
        for row in &rows {
            profiles.add_origin(row, &order.destinations, by_destination);
            profiles.first.push(index(profiles.pieces.len()));
        }
        Ok(profiles)
    }

    /// How much each destination is wanted, in the order they were given.
    pub(super) fn weights(&self) -> &[f64] {
        &self.weights
    }

    fn add_origin(&mut self, rows: &[Demand], ends: &Names, by_destination: bool) {
        let mut cuts: Vec<f64> = rows.iter().flat_map(|row| [row.from_s, row.until_s]).collect();
        cuts.push(f64::NEG_INFINITY);
        cuts.push(f64::INFINITY);
        cuts.sort_by(f64::total_cmp);
        cuts.dedup_by(|a, b| a.total_cmp(b).is_eq());
        for cut in cuts.windows(2) {
            let (from_s, until_s) = (cut[0], cut[1]);
            let rows = rows.iter().filter(|row| row.from_s <= from_s && until_s <= row.until_s);
            let begin = self.rates.len();
            let mut total = 0.0;
            for row in rows {
                total += row.flow_pcu_s;
                if by_destination && row.flow_pcu_s > 0.0 {
                    let to = row.destination.map(|to| ends.inners()[to as usize]);
                    self.rates.push((to.expect("checked above"), row.flow_pcu_s));
                }
            }
            let rates = (index(begin), index(self.rates.len()));
            self.pieces.push(Piece { from_s, until_s, total, rates });
        }
    }

    /// Vehicles an origin wants to let in from `from_s` to `until_s`; `each` is told of the
    /// rates by destination and how long they last.
    pub(super) fn arrivals(
        &self,
        origin: usize,
        (from_s, until_s): (f64, f64),
        mut each: impl FnMut(&[(u32, f64)], f64),
    ) -> f64 {
        let pieces = &self.pieces[self.first[origin] as usize..self.first[origin + 1] as usize];
        let begun = pieces.iter().skip_while(|piece| piece.until_s <= from_s);
        let mut sum = 0.0;
        for piece in begun.take_while(|piece| piece.from_s < until_s) {
            let time = piece.until_s.min(until_s) - piece.from_s.max(from_s);
            sum += piece.total * time;
            each(&self.rates[piece.rates.0 as usize..piece.rates.1 as usize], time);
        }
        sum
    }
}

fn index(number: usize) -> u32 {
    u32::try_from(number).expect("demand has fewer than 2^32 pieces")
}
