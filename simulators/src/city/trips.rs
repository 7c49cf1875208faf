//! Who wants to go where in the evening's peak hour: a gravity model between wards, balanced so
//! that every ward sends and receives its share (Wilson 1967; Furness 1965). More trips go home
//! than to work.
//!
//! What must not live here: streets that are full; see [`loads`](super::loads).

use super::plane::{Spot, area_km2};
use super::{City, Link, Place, PlaceKind, StreetClass, place};
use crate::chance::{draw, unit};

/// Trips between wards that are wanted, passenger-car units an hour. More than the streets can
/// carry everywhere at once, so that the fullest are full.
const WANTED_PCU_H: f64 = 400_000.0;
/// Trips fall by e with so many kilometres as the crow flies.
const DETERRENCE_KM: f64 = 4.5;
/// Homes grow slower than streets: the rim has streets through fields.
const HOMES_POWER: f64 = 0.7;
/// Jobs for a home at the rim; and how many more in the middle.
const JOBS: (f64, f64) = (0.6, 0.9);
/// Within so many kilometres of the centre jobs are half as many more.
const DOWNTOWN_KM: f64 = 5.0;
/// Jobs of a hectare of industry, as a share of all others.
const JOBS_PER_HECTARE: f64 = 0.08 / 6_000.0;
/// Share of the trips that begin at jobs and end at homes; the rest go the other way.
const HOMEWARD: f64 = 0.6;
/// How far a pair of wards is from what the model says, either way.
const UNEVEN: f64 = 0.3;
/// Rounds of balancing: ten leave less than 0.1 %.
const ROUNDS: usize = 10;

/// Trips from ward to ward.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    /// How many wards.
    pub(super) wards: usize,
    /// Row by row, by origin: passenger-car units an hour; none within a ward.
    pub(super) flow_pcu_h: Vec<f64>,
}

/// What a ward draws.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    homes: f64,
    jobs: f64,
}

/// The trips of a city. Wards without streets have none.
pub(super) fn wanted(city: &City) -> Wanted {
    let wards: Vec<&Place> = city.places_of(PlaceKind::Ward).collect();
    let sizes = sizes(city, &wards);
    let (homes, jobs) =
        sizes.iter().fold((0.0, 0.0), |sum, size| (sum.0 + size.homes, sum.1 + size.jobs));
    let share = |size: &Size, jobward: f64| {
        (1.0 - jobward) * size.homes / homes + jobward * size.jobs / jobs
    };
    let begin: Vec<f64> = sizes.iter().map(|size| share(size, HOMEWARD)).collect();
    let end: Vec<f64> = sizes.iter().map(|size| share(size, 1.0 - HOMEWARD)).collect();
    let seed = draw(city.seed(), 0x5eed_0005);
    let pairs = (0..wards.len()).flat_map(|from| (0..wards.len()).map(move |to| (from, to)));
    let flow = |(from, to): (usize, usize)| {
        if from == to {
            return 0.0;
        }
        let which = from as u64 * wards.len() as u64 + to as u64;
        let uneven = 1.0 + UNEVEN * (2.0 * unit(draw(seed, which)) - 1.0);
        let apart_km = wards[from].middle.distance_km(wards[to].middle);
        begin[from] * end[to] * (-apart_km / DETERRENCE_KM).exp() * uneven
    };
    let flows = pairs.map(flow).collect();
    let mut wanted = Wanted { wards: wards.len(), flow_pcu_h: flows };
    for _ in 0..ROUNDS {
        wanted.fit(&end, |_, to| to);
        wanted.fit(&begin, |from, _| from);
    }
    for flow in &mut wanted.flow_pcu_h {
        *flow *= WANTED_PCU_H;
    }
    wanted
}

impl Wanted {
    /// From one ward to each, as places in their list.
    pub(super) fn row(&self, origin: usize) -> &[f64] {
        &self.flow_pcu_h[origin * self.wards..(origin + 1) * self.wards]
    }

    /// Scales the trips of each ward, which is either end of a pair, to its share of all.
    fn fit(&mut self, shares: &[f64], ward: impl Fn(usize, usize) -> usize) {
        let wards = self.wards;
        let of = |at: usize| ward(at / wards, at % wards);
        let mut sums = vec![0.0; wards];
        for (at, flow) in self.flow_pcu_h.iter().enumerate() {
            sums[of(at)] += flow;
        }
        for (at, flow) in self.flow_pcu_h.iter_mut().enumerate() {
            if sums[of(at)] > 0.0 {
                *flow *= shares[of(at)] / sums[of(at)];
            }
        }
    }
}

/// Homes and jobs of every ward: by its streets, more jobs in the middle of the city and where
/// industry is.
fn sizes(city: &City, wards: &[&Place]) -> Vec<Size> {
    let links = city.links();
    let mut leaving = vec![0.0; city.junctions().len()];
    for link in links {
        leaving[place(link.from)] += frontage_km(link);
    }
    let size = |(ward, own): (&&Place, Vec<usize>)| {
        let frontage_km: f64 = own.iter().map(|junction| leaving[*junction]).sum();
        let homes = frontage_km.powf(HOMES_POWER);
        let from_centre = ward.middle.distance_km(Spot::new(0.0, 0.0)) / DOWNTOWN_KM;
        let jobs = homes * (JOBS.0 + JOBS.1 / (1.0 + from_centre * from_centre));
        Size { homes, jobs }
    };
    let mut sizes: Vec<Size> = wards.iter().zip(city.junctions_by_ward()).map(size).collect();
    let jobs: f64 = sizes.iter().map(|size| size.jobs).sum();
    for zone in city.places_of(PlaceKind::IndustrialZone) {
        let near = |ward: &Place| ward.middle.distance_km(zone.middle);
        let own = sizes.iter_mut().zip(wards).filter(|(size, _)| size.homes > 0.0);
        if let Some((size, _)) = own.min_by(|a, b| near(a.1).total_cmp(&near(b.1))) {
            size.jobs += jobs * JOBS_PER_HECTARE * area_km2(&zone.ring) * 100.0;
        }
    }
    sizes
}

/// Length along which houses stand: great streets have fewer.
fn frontage_km(link: &Link) -> f64 {
    let part = match link.class {
        StreetClass::Residential | StreetClass::Tertiary => 1.0,
        StreetClass::Secondary => 0.6,
        StreetClass::Primary | StreetClass::Trunk => 0.3,
    };
    part * link.length_m() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trips_are_as_wanted_short_and_drawn_to_industry() {
        let city = City::shared();
        let wanted = wanted(city);
        let wards: Vec<&Place> = city.places_of(PlaceKind::Ward).collect();
        let (mut sum, mut km, mut into, mut out) = (0.0, 0.0, 0.0, 0.0);
        let industry = wards.iter().position(|ward| ward.name == "Hiệp Phước").unwrap();
        for (at, flow) in wanted.flow_pcu_h.iter().enumerate() {
            let (from, to) = (at / wards.len(), at % wards.len());
            assert!(flow.is_finite() && (from != to || *flow == 0.0));
            sum += flow;
            km += flow * wards[from].middle.distance_km(wards[to].middle);
            into += if to == industry { *flow } else { 0.0 };
            out += if from == industry { *flow } else { 0.0 };
        }
        assert!((sum / WANTED_PCU_H - 1.0).abs() < 1e-9, "{sum}");
        assert!((5.0..12.0).contains(&(km / sum)), "{} km from middle to middle", km / sum);
        assert!(out > 1.02 * into && into > 0.0, "home in the evening: {out} out, {into} in");
    }
}
