//! A first guess of who goes where: the gravity model, balanced so that every zone sends and
//! receives what it is given (Wilson 1967; Furness 1965). It is what calibration starts from.
//!
//! What must not live here: counts.

use std::ops::ControlFlow;

use thiserror::Error;

use crate::pace::{Pace, unwatched, walked};

/// Rounds of balancing at most.
const ROUNDS: usize = 200;

/// Balanced when every zone is off by less than this share.
const TOLERANCE: f64 = 1e-6;

/// What a gravity model is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Gravity<'a> {
    /// Trips that begin in each zone, veh/h.
    pub begin_veh_h: &'a [f64],
    /// Trips that end in each zone; scaled to the same sum.
    pub end_veh_h: &'a [f64],
    /// Cost from zone to zone, row by row; infinite where no path leads.
    pub costs: &'a [Vec<f64>],
    /// Trips fall by e for each `1/deterrence` of cost; `None` for one over the mean cost.
    pub deterrence: Option<f64>,
}

/// Why there is no gravity model.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum GravityError {
    /// Lists of unequal length.
    #[error("{begin} zones send, {end} receive, {costs} have costs: they must be as many")]
    Zones {
        /// Zones that send.
        begin: usize,
        /// Zones that receive.
        end: usize,
        /// Rows of costs, or the shortest row.
        costs: usize,
    },
    /// A number of trips, a cost or the deterrence below 0 or NaN.
    #[error("zone {0}: trips and costs must be numbers from 0")]
    Value(usize),
}

/// Trips from zone to zone, veh/h, in order; none within a zone. O(rounds · zones²).
///
/// # Errors
/// When lists do not fit or hold a number that is none.
///
/// # Panics
/// Never: networks count zones in `u32`.
pub fn gravity(model: &Gravity<'_>) -> Result<Vec<(u32, u32, f64)>, GravityError> {
    check(model)?;
    Ok(unwatched(|pace| model.balance(pace)))
}

/// Trips from zone to zone, in order.
type Rows = Vec<(u32, u32, f64)>;

/// Pairs of zones, and the trips of each.
type Attracted = (Vec<(usize, usize)>, Vec<f64>);

/// The same; breaks off where whoever watches says stop.
pub(super) fn gravity_at(
    model: &Gravity<'_>,
    pace: &mut Pace<'_>,
) -> ControlFlow<(), Result<Rows, GravityError>> {
    match check(model) {
        Ok(()) => model.balance(pace).map_continue(Ok),
        Err(error) => ControlFlow::Continue(Err(error)),
    }
}

impl Gravity<'_> {
    /// Trips of a checked model.
    fn balance(&self, pace: &mut Pace<'_>) -> ControlFlow<(), Rows> {
        let (apart, mut trips) = self.attracted(pace)?;
        let (begin, end): (f64, f64) = (self.begin_veh_h.iter().sum(), self.end_veh_h.iter().sum());
        let scale = if end > 0.0 { begin / end } else { 0.0 };
        for _ in 0..ROUNDS {
            let (send, receive) = (|pair: &(usize, usize)| pair.0, |pair: &(usize, usize)| pair.1);
            pace.worked(2 * apart.len())?;
            fit(&mut trips, &apart, receive, |zone| self.end_veh_h[zone] * scale);
            pace.worked(2 * apart.len())?;
            let off = fit(&mut trips, &apart, send, |zone| self.begin_veh_h[zone]);
            if off <= TOLERANCE {
                break;
            }
        }
        let number = |zone: usize| u32::try_from(zone).expect("a network counts zones in u32");
        let rows = apart.iter().zip(trips).filter(|(_, trips)| *trips > 0.0);
        let rows = rows.map(|((from, to), trips)| (number(*from), number(*to), trips));
        ControlFlow::Continue(rows.collect())
    }

    /// Pairs of zones with a way, and trips in proportion to their attraction.
    fn attracted(&self, pace: &mut Pace<'_>) -> ControlFlow<(), Attracted> {
        let zones = self.begin_veh_h.len();
        let pairs = (0..zones).flat_map(|from| (0..zones).map(move |to| (from, to)));
        let apart = pairs.filter(|(from, to)| from != to && self.costs[*from][*to].is_finite());
        let apart: Vec<(usize, usize)> = apart.collect();
        let mean = apart.iter().map(|(from, to)| self.costs[*from][*to]).sum::<f64>()
            / (apart.len() as f64).max(1.0);
        let usual = if mean > 0.0 { 1.0 / mean } else { 0.0 };
        let deterrence = self.deterrence.unwrap_or(usual);
        let mut trips = Vec::with_capacity(apart.len());
        for row in apart.chunk_by(|one, other| one.0 == other.0) {
            walked(row.len());
            pace.worked(row.len())?;
            trips.extend(row.iter().map(|(from, to)| {
                let attraction = self.begin_veh_h[*from] * self.end_veh_h[*to];
                attraction * (-deterrence * self.costs[*from][*to]).exp()
            }));
        }
        ControlFlow::Continue((apart, trips))
    }
}

/// Scales the trips of each zone to what is wanted; how far the worst was off.
fn fit(
    trips: &mut [f64],
    pairs: &[(usize, usize)],
    zone: impl Fn(&(usize, usize)) -> usize,
    wanted: impl Fn(usize) -> f64,
) -> f64 {
    walked(2 * pairs.len());
    let count = pairs.iter().map(|pair| zone(pair) + 1).max().unwrap_or(0);
    let mut sums = vec![0.0; count];
    for (pair, trips) in pairs.iter().zip(trips.iter()) {
        sums[zone(pair)] += trips;
    }
    let factor = |at: usize| if sums[at] > 0.0 { wanted(at) / sums[at] } else { 1.0 };
    for (pair, trips) in pairs.iter().zip(trips) {
        *trips *= factor(zone(pair));
    }
    (0..count).map(|at| (factor(at) - 1.0).abs()).fold(0.0, f64::max)
}

fn check(model: &Gravity<'_>) -> Result<(), GravityError> {
    let (begin, end) = (model.begin_veh_h.len(), model.end_veh_h.len());
    let shortest = model.costs.iter().map(Vec::len).min().unwrap_or(0);
    let costs = if shortest < begin { shortest } else { model.costs.len() };
    if end != begin || costs != begin {
        return Err(GravityError::Zones { begin, end, costs });
    }
    let trips = |value: f64| value >= 0.0 && value.is_finite();
    let sound = |zone: usize| {
        trips(model.begin_veh_h[zone])
            && trips(model.end_veh_h[zone])
            && model.costs[zone].iter().all(|cost| *cost >= 0.0)
            && model.deterrence.is_none_or(trips)
    };
    match (0..begin).find(|zone| !sound(*zone)) {
        Some(zone) => Err(GravityError::Value(zone)),
        None => Ok(()),
    }
}
