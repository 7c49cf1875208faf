//! Figures by cell and by zone: which part of each link lies where, told once, summed per interval.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use h3o::{CellIndex, Resolution};

use super::outcome::{LinkFigures, OutcomeLink, PlaceFigures};
use super::place::{line_points, outline};
use crate::area::{Area, Extent, Side, Spot};
use crate::pace::{Pace, walked};
use crate::road::{LinkIndex, Network, ZoneIndex};

/// Resolution of the cells of an outcome.
const RESOLUTION: Resolution = Resolution::Nine;

/// Links walked over that a look at one point is taken for, its cell and the zones around it.
const LOOK: usize = 20;

/// Which part of which link lies in which place.
pub(super) struct Places {
    pub(super) cells: Vec<CellIndex>,
    in_cells: Vec<(u32, LinkIndex, f64)>,
    zones: usize,
    in_zones: Vec<(u32, LinkIndex, f64)>,
}

impl Places {
    /// Of a network; breaks off where whoever watches says stop. Cost: a look at every 10 m of road.
    pub(super) fn new(network: &Network, pace: &mut Pace<'_>) -> ControlFlow<(), Places> {
        let outlines: Vec<Option<Area>> = network.zones().iter().map(outline).collect();
        let mut parts: BTreeMap<CellIndex, Vec<(LinkIndex, f64)>> = BTreeMap::new();
        let mut in_zones = Vec::new();
        for link in network.link_indexes() {
            let points = line_points(network, link);
            walked(LOOK * points.len() + outlines.len());
            pace.worked(LOOK * points.len() + outlines.len())?;
            let share = 1.0 / points.len() as f64;
            let spots: Vec<Spot> = points.iter().map(|point| Spot::at(*point)).collect();
            let extent = Extent::of(spots.iter().copied());
            let mut own: BTreeMap<CellIndex, f64> = BTreeMap::new();
            for point in &points {
                *own.entry(point.cell(RESOLUTION)).or_default() += share;
            }
            for (cell, part) in own {
                parts.entry(cell).or_default().push((link, part));
            }
            for (row, outline) in outlines.iter().enumerate() {
                let zone = ZoneIndex::at(row);
                let part = match outline {
                    Some(area) => match area.judge(&extent) {
                        Side::Outside => 0.0,
                        Side::Inside => 1.0,
                        Side::Border => {
                            spots.iter().filter(|spot| area.holds(spot)).count() as f64 * share
                        }
                    },
                    None => f64::from(u8::from(touches(network, zone, link))),
                };
                if part > 0.0 {
                    in_zones.push((zone.number(), link, part));
                }
            }
        }
        let cells = parts.keys().copied().collect();
        let in_cells = (0..).zip(parts.into_values()).flat_map(|(cell, parts)| {
            parts.into_iter().map(move |(link, part)| (cell, link, part))
        });
        let (in_cells, zones) = (in_cells.collect(), outlines.len());
        ControlFlow::Continue(Places { cells, in_cells, zones, in_zones })
    }

    /// How many parts of links lie in cells and zones.
    pub(super) fn len(&self) -> usize {
        self.in_cells.len() + self.in_zones.len()
    }

    /// Figures by cell and by zone of an interval of so many hours.
    pub(super) fn sum(
        &self,
        links: &[OutcomeLink],
        figures: &[LinkFigures],
        hours: f64,
    ) -> (Vec<PlaceFigures>, Vec<PlaceFigures>) {
        walked(self.len());
        let sum = |count: usize, parts: &[(u32, LinkIndex, f64)]| {
            let mut places = vec![PlaceFigures::default(); count];
            for (place, link, part) in parts {
                let one = &figures[link.slot()];
                let place = &mut places[*place as usize];
                let time = one.density_veh_km * links[link.slot()].length_km * hours * part;
                place.vehicle_h += time;
                place.vehicle_km += time * one.speed_kmh;
                place.delay_veh_h += one.delay_veh_h * part;
                place.queue_veh += one.queue_veh * part;
            }
            for place in &mut places {
                place.speed_kmh = mean_speed(place.vehicle_km, place.vehicle_h);
            }
            places
        };
        (sum(self.cells.len(), &self.in_cells), sum(self.zones, &self.in_zones))
    }
}

/// Distance over time, where there was any.
pub(super) fn mean_speed(vehicle_km: f64, vehicle_h: f64) -> Option<f64> {
    (vehicle_h > 1e-12).then(|| vehicle_km / vehicle_h)
}

fn touches(network: &Network, zone: ZoneIndex, link: LinkIndex) -> bool {
    let connectors = network.zone(zone).connectors();
    let link = network.link(link);
    connectors.contains(&link.from()) || connectors.contains(&link.to())
}
