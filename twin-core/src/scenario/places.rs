//! Figures by cell and by zone: which part of each link lies where, told once, summed per interval.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use h3o::{CellIndex, Resolution};

use super::outcome::{LinkFigures, OutcomeLink, PlaceFigures};
use super::place::{line_points, outline};
use crate::area::{Area, Extent, Side, Spot};
use crate::road::{LinkIndex, Network, ZoneIndex};

/// Resolution of the cells of an outcome.
const RESOLUTION: Resolution = Resolution::Nine;

/// Whoever watches is asked after so many links.
const LINKS_UNASKED: usize = 500;

/// Which part of which link lies in which place.
pub(super) struct Places {
    pub(super) cells: Vec<CellIndex>,
    in_cells: Vec<(u32, LinkIndex, f64)>,
    zones: usize,
    in_zones: Vec<(u32, LinkIndex, f64)>,
}

impl Places {
    /// Of a network; `None` where `watch` says stop. Cost: a look at every 10 m of road.
    pub(super) fn new(
        network: &Network,
        mut watch: impl FnMut() -> ControlFlow<()>,
    ) -> Option<Places> {
        let outlines: Vec<Option<Area>> = network.zones().iter().map(outline).collect();
        let mut parts: BTreeMap<CellIndex, Vec<(LinkIndex, f64)>> = BTreeMap::new();
        let mut in_zones = Vec::new();
        for link in network.link_indexes() {
            if link.slot() % LINKS_UNASKED == 0 && watch().is_break() {
                return None;
            }
            let points = line_points(network, link);
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
        Some(Places { cells, in_cells: in_cells.collect(), zones: outlines.len(), in_zones })
    }

    /// Figures by cell and by zone of an interval of so many hours.
    pub(super) fn sum(
        &self,
        links: &[OutcomeLink],
        figures: &[LinkFigures],
        hours: f64,
    ) -> (Vec<PlaceFigures>, Vec<PlaceFigures>) {
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
