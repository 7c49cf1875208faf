//! Where the sensors stand: detectors in lanes, cameras and controllers at junctions, stations
//! in wards, gauges along the water, lamps along streets, meters in industrial zones. The n-th
//! sensor of a kind does not depend on how many there are.

use std::f64::consts::TAU;

use citytwin_proto::ingest::v1::SensorKind;

use super::SimSensor;
use crate::chance::{draw, unit};
use crate::city::plane::{Spot, holds};
use crate::city::water::Waterway;
use crate::city::{City, Link, Place, PlaceKind, StreetClass};
use crate::shapes::Shape;
use crate::spec::KindDefaults;

/// Width of a lane in metres.
const LANE_M: f64 = 3.3;
/// The golden ratio's fraction: multiples of it fill a range evenly, however many there are.
const GOLDEN: f64 = 0.618_033_988_749_894_9;
/// A bridge has so many times the lots of its class: cities watch their bridges.
const BRIDGE_LOTS: f64 = 12.0;
/// How fast the tide runs up the rivers.
const TIDE_KM_H: f64 = 22.0;

/// Everything that places need to be found quickly.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    city: &'a City,
    seed: u64,
    /// Every lane of every link, great streets first (weighted lottery).
    lanes: Vec<(usize, u32)>,
    /// Links for lamps.
    lit: Vec<usize>,
    /// Links of arterials.
    arterials: Vec<usize>,
    /// Links that lead to traffic lights, one of each junction, then the second of each…
    approaches: Vec<usize>,
    /// Junctions by ward, both in the order of a lottery.
    wards: Vec<Vec<usize>>,
    zones: Vec<&'a Place>,
    zone_area_km2: f64,
    water_km: f64,
}

/// Where one sensor stands.
struct Site<'a> {
    spot: Spot,
    link: Option<&'a Link>,
    /// 0: all lanes.
    lane: u32,
    /// What its name says after its kind's words.
    at: String,
    /// How far up the river.
    upstream_km: f64,
}

impl<'a> Ground<'a> {
    /// Prepares a city.
    pub(super) fn new(city: &'a City, seed: u64) -> Ground<'a> {
        let links = city.links();
        let loops = [0.15, 1.2, 4.0, 6.0, 8.0];
        let lamps = [0.8, 1.5, 2.5, 3.0, 3.0];
        let by_loops = lottery(seed ^ 0x91, links, &loops);
        let lanes = |n: &usize| {
            let link = *n;
            (1..=links[link].class.lanes()).map(move |lane| (link, lane))
        };
        let arterial = |n: &usize| links[*n].class.is_arterial();
        let zones: Vec<&Place> = city.places_of(PlaceKind::IndustrialZone).collect();
        Ground {
            city,
            seed,
            lanes: by_loops.iter().flat_map(lanes).collect(),
            lit: lottery(seed ^ 0x92, links, &lamps),
            arterials: by_loops.iter().copied().filter(arterial).collect(),
            approaches: approaches(city, &by_loops),
            wards: by_ward(city, seed),
            zone_area_km2: zones.iter().map(|zone| area(zone)).sum(),
            zones,
            water_km: city.waters().iter().map(Waterway::length_km).sum(),
        }
    }

    /// The n-th sensor of a kind, from 0.
    pub(super) fn sensor(
        &self,
        kind: &KindDefaults,
        interval_ms: u32,
        n: u32,
    ) -> (SimSensor, Shape) {
        let lot = draw(self.seed ^ 0x90, u64::from(n) << 8 | u64::from(number(kind.kind)));
        let site = self.site(kind.kind, n, lot);
        let (latitude_deg, longitude_deg) = site.spot.degrees();
        let zone = self.city.zone_of(site.spot);
        let at = if site.at.is_empty() {
            zone.map_or(String::new(), |zone| zone.name.clone())
        } else {
            site.at.clone()
        };
        let sensor = SimSensor {
            agency: kind.agency.to_owned(),
            id: format!("{}-{:06}", kind.prefix, n + 1),
            kind: kind.kind,
            latitude_deg,
            longitude_deg,
            interval_ms,
            name: format!("{} {at}", words(kind.kind)),
            link: site.link.map_or(String::new(), |link| link.key.clone()),
            lane: site.lane,
            lanes: site.link.map_or(0, |link| link.class.lanes()),
            zone: zone.map_or(String::new(), |zone| zone.name.clone()),
            free_flow_speed_kmh: site.link.map_or(0.0, |link| link.class.free_flow_speed_kmh()),
        };
        let mut shape = shape(kind.kind, &site, lot);
        if let Some(link) = site.link.filter(|_| is_traffic(kind.kind)) {
            let load = self.city.loads().flow_pcu_h()[link.id as usize - 1];
            shape.city_seed = draw(self.seed, 0x95);
            shape.busy = load / self.city.capacity_pcu_h(link);
            shape.light = self.city.light(link);
        }
        (sensor, shape)
    }

    fn site(&self, kind: SensorKind, n: u32, lot: u64) -> Site<'a> {
        let n = n as usize;
        match kind {
            SensorKind::TrafficLoop => {
                let (link, lane) = self.lanes[n % self.lanes.len()];
                self.on_link(link, lane, part(n / self.lanes.len()))
            }
            SensorKind::Radar => {
                let link = self.arterials[n % self.arterials.len()];
                self.on_link(link, 0, part(n / self.arterials.len() + 1))
            }
            SensorKind::CameraCounter | SensorKind::SignalController => {
                let round = n / self.approaches.len();
                let link = self.approaches[n % self.approaches.len()];
                self.on_link(link, 0, 0.97 / (1.0 + round as f64 * 0.2))
            }
            SensorKind::StreetLight => {
                let link = self.lit[n % self.lit.len()];
                let mut site = self.on_link(link, 0, part(n / self.lit.len() + 2));
                site.spot =
                    site.link.map_or(site.spot, |l| l.spot_at(part(n / self.lit.len() + 2), 8.0));
                site
            }
            SensorKind::WaterLevel => self.at_water(n, lot),
            SensorKind::IndustrialStack
            | SensorKind::IndustrialEffluent
            | SensorKind::PowerMeter
            | SensorKind::Vibration => self.in_zone(n, lot),
            SensorKind::AirStation
            | SensorKind::Noise
            | SensorKind::Weather
            | SensorKind::Rain
            | SensorKind::Unspecified => self.in_ward(n, lot),
        }
    }

    fn on_link(&self, link: usize, lane: u32, part: f64) -> Site<'a> {
        let link = &self.city.links()[link];
        let lanes = f64::from(link.class.lanes());
        let from_kerb = if lane == 0 { lanes / 2.0 } else { f64::from(lane) - 0.5 };
        let at = if lane == 0 { link.name.clone() } else { format!("{}, làn {lane}", link.name) };
        let spot = link.spot_at(part, (lanes - from_kerb) * LANE_M);
        Site { spot, link: Some(link), lane, at, upstream_km: 0.0 }
    }

    /// Near a junction of a ward; ward by ward, so that every ward gets its share.
    fn in_ward(&self, n: usize, lot: u64) -> Site<'a> {
        let ward = &self.wards[n % self.wards.len()];
        let junction = &self.city.junctions()[ward[n / self.wards.len() % ward.len()]];
        let (angle, away) = (TAU * unit(draw(lot, 1)), 0.03 + 0.09 * unit(draw(lot, 2)));
        let spot = junction.spot.moved(angle.cos() * away, angle.sin() * away);
        Site { spot, link: None, lane: 0, at: String::new(), upstream_km: 0.0 }
    }

    /// On a bank, evenly over all waters.
    fn at_water(&self, n: usize, lot: u64) -> Site<'a> {
        let mut along = fraction((n as f64 + 0.5) * GOLDEN) * self.water_km;
        let waters = self.city.waters();
        let mut found = None;
        for water in waters {
            found = Some((water, along));
            if along <= water.length_km() {
                break;
            }
            along -= water.length_km();
        }
        let (water, along) = found.expect("the city has rivers");
        let side = if lot & 1 == 0 { 1.0 } else { -1.0 };
        let spot = water.spot_at(along, side * water.half_width_km * 0.95);
        let mouth = Spot::at(10.43, 106.79);
        Site {
            spot,
            link: None,
            lane: 0,
            at: water.name.to_owned(),
            upstream_km: spot.distance_km(mouth),
        }
    }

    /// Anywhere in a zone; zones by their size.
    fn in_zone(&self, n: usize, lot: u64) -> Site<'a> {
        let mut rest = fraction((n as f64 + 0.5) * GOLDEN) * self.zone_area_km2;
        let mut zone = self.zones[0];
        for next in &self.zones {
            zone = next;
            rest -= area(next);
            if rest <= 0.0 {
                break;
            }
        }
        let reach = zone.ring.iter().map(|c| c.distance_km(zone.middle)).fold(0.0, f64::max);
        let tried = (0..64).map(|k| {
            let east = (2.0 * unit(draw(lot, k * 2 + 10)) - 1.0) * reach;
            let north = (2.0 * unit(draw(lot, k * 2 + 11)) - 1.0) * reach;
            zone.middle.moved(east, north)
        });
        let spot = tried.into_iter().find(|spot| holds(&zone.ring, *spot)).unwrap_or(zone.middle);
        Site { spot, link: None, lane: 0, at: zone.name.clone(), upstream_km: 0.0 }
    }
}

fn shape(kind: SensorKind, site: &Site<'_>, lot: u64) -> Shape {
    let seed = draw(lot, 0x5a);
    let class = site.link.map_or(StreetClass::Residential, |link| link.class);
    let own = 0.85 + 0.3 * unit(draw(seed, 1));
    let watts = match class {
        StreetClass::Residential => 70.0,
        StreetClass::Tertiary => 100.0,
        StreetClass::Secondary => 150.0,
        StreetClass::Primary | StreetClass::Trunk => 250.0,
    };
    let kilowatts = 40.0 * 60.0_f64.powf(unit(draw(seed, 2)));
    Shape {
        kind,
        seed,
        city_seed: seed,
        spot: site.spot,
        busy: usual(site.spot, class) * own,
        free_flow_kmh: class.free_flow_speed_kmh(),
        capacity_veh_h: class.capacity_veh_h(),
        seen_lanes: if site.lane == 0 { f64::from(class.lanes()) } else { 1.0 },
        length_km: site.link.map_or(0.0, |link| link.length_m() / 1_000.0),
        light: None,
        lag_h: site.upstream_km / TIDE_KM_H,
        size: if kind == SensorKind::StreetLight { watts } else { kilowatts },
    }
}

/// Whether it measures the traffic of a link.
const fn is_traffic(kind: SensorKind) -> bool {
    matches!(
        kind,
        SensorKind::TrafficLoop
            | SensorKind::Radar
            | SensorKind::CameraCounter
            | SensorKind::SignalController
    )
}

/// How busy a place is: the middle of the city most, great streets more than alleys.
fn usual(spot: Spot, class: StreetClass) -> f64 {
    let centre_km = spot.distance_km(Spot::new(0.0, 0.0));
    let great = match class {
        StreetClass::Residential => 0.75,
        StreetClass::Tertiary => 0.9,
        StreetClass::Secondary | StreetClass::Primary | StreetClass::Trunk => 1.0,
    };
    great * (0.95 + 0.40 / (1.0 + centre_km / 8.0))
}

/// Links in the order of a lottery without return in which a class has so many lots
/// (Efraimidis and Spirakis 2006).
fn lottery(seed: u64, links: &[Link], lots: &[f64; 5]) -> Vec<usize> {
    let mut drawn: Vec<(f64, usize)> = links
        .iter()
        .enumerate()
        .map(|(n, link)| {
            let lots = lots[link.class as usize] * if link.bridge { BRIDGE_LOTS } else { 1.0 };
            (unit(draw(seed, u64::from(link.id))).max(1e-12).ln() / lots, n)
        })
        .collect();
    drawn.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    drawn.into_iter().map(|(_, n)| n).collect()
}

/// The links that lead to traffic lights: the first drawn one of each junction, then the second
/// of each, and so on.
fn approaches(city: &City, drawn: &[usize]) -> Vec<usize> {
    let mut taken = vec![0_u32; city.junctions().len() + 1];
    let mut ranked: Vec<(u32, usize)> = Vec::new();
    for n in drawn {
        let to = city.links()[*n].to as usize;
        if city.junctions()[to - 1].signal.is_some() {
            ranked.push((taken[to], *n));
            taken[to] += 1;
        }
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, n)| n).collect()
}

fn by_ward(city: &City, seed: u64) -> Vec<Vec<usize>> {
    let mut groups = city.junctions_by_ward();
    groups.retain(|group| !group.is_empty());
    for group in &mut groups {
        group.sort_by_key(|n| draw(seed ^ 0x93, *n as u64));
    }
    groups.sort_by_key(|group| draw(seed ^ 0x94, group[0] as u64));
    groups
}

fn area(place: &Place) -> f64 {
    crate::city::plane::area_km2(&place.ring)
}

/// Where along a link the n-th round of sensors stands.
fn part(round: usize) -> f64 {
    0.1 + 0.8 * fraction(0.5 + round as f64 * GOLDEN)
}

fn fraction(number: f64) -> f64 {
    number - number.floor()
}

fn number(kind: SensorKind) -> u32 {
    (kind as i32).unsigned_abs()
}

/// What such a sensor is called.
const fn words(kind: SensorKind) -> &'static str {
    match kind {
        SensorKind::TrafficLoop => "Vòng từ",
        SensorKind::Radar => "Radar",
        SensorKind::CameraCounter => "Camera",
        SensorKind::SignalController => "Đèn tín hiệu",
        SensorKind::AirStation => "Trạm không khí",
        SensorKind::Noise => "Trạm tiếng ồn",
        SensorKind::Weather => "Trạm thời tiết",
        SensorKind::Rain => "Trạm đo mưa",
        SensorKind::WaterLevel => "Trạm mực nước",
        SensorKind::StreetLight => "Đèn đường",
        SensorKind::IndustrialStack => "Ống khói",
        SensorKind::IndustrialEffluent => "Nước thải",
        SensorKind::PowerMeter => "Công tơ",
        SensorKind::Vibration => "Cảm biến rung",
        SensorKind::Unspecified => "",
    }
}
