//! The ground a fleet stands on: a city generated over the real place of Ho Chi Minh City.
//! Rivers, wards and industrial zones bear their true names near their true positions; streets
//! are invented, dense in the middle and thin at the rim, and connected. Same seed, same city.
//! Its traffic follows from trips between wards, see [`loads`]. Written as open files by [`files`].

mod bridges;
mod connectors;
pub mod files;
mod gmns;
mod lattice;
pub mod loads;
mod names;
pub mod plane;
pub mod signals;
mod streets;
mod trips;
mod wards;
pub mod water;
mod ways;
mod zones;

use std::sync::OnceLock;

use loads::Loads;
use plane::{Spot, holds};
use signals::{Light, Plan};
use water::Waterway;

/// A generated city.
#[derive(Clone, Debug)]
pub struct City {
    seed: u64,
    junctions: Vec<Junction>,
    links: Vec<Link>,
    places: Vec<Place>,
    waters: Vec<Waterway>,
    /// Worked out when first asked for.
    loads: OnceLock<Loads>,
}

/// Where streets meet or end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Junction {
    /// From 1, without gaps.
    pub id: u32,
    /// Column and row of the street grid; the same for every seed.
    pub grid: (u32, u32),
    /// Where.
    pub spot: Spot,
    /// Links that lead to it.
    pub arms: u32,
    /// Its traffic lights, where it has some.
    pub signal: Option<Plan>,
}

impl Junction {
    /// Its name in files, `x256y128`.
    pub fn key(&self) -> String {
        streets::grid_key(self.grid)
    }
}

/// A directed piece of road between two junctions.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// From 1, without gaps; the way back is a link of its own, next to it.
    pub id: u32,
    /// Its name in files: street, first and last junction, `vo-van-kiet:x256y128-x256y136`.
    pub key: String,
    /// Whether it runs along the columns of the street grid, not along its rows.
    pub upright: bool,
    /// Junction it leaves.
    pub from: u32,
    /// Junction it leads to.
    pub to: u32,
    /// How great a street.
    pub class: StreetClass,
    /// Street name, or that of the bridge.
    pub name: String,
    /// Whether it crosses a river.
    pub bridge: bool,
    /// Where it starts.
    pub start: Spot,
    /// Where it ends.
    pub end: Spot,
}

/// How great a street is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those of OpenStreetMap's highway tag")]
pub enum StreetClass {
    Residential,
    Tertiary,
    Secondary,
    Primary,
    Trunk,
}

impl StreetClass {
    /// As in the files.
    pub const fn name(self) -> &'static str {
        match self {
            StreetClass::Residential => "residential",
            StreetClass::Tertiary => "tertiary",
            StreetClass::Secondary => "secondary",
            StreetClass::Primary => "primary",
            StreetClass::Trunk => "trunk",
        }
    }

    /// Whether it may cross rivers and has lights at its junctions.
    pub const fn is_arterial(self) -> bool {
        matches!(self, StreetClass::Secondary | StreetClass::Primary | StreetClass::Trunk)
    }

    /// Lanes in one direction.
    pub const fn lanes(self) -> u32 {
        match self {
            StreetClass::Residential => 1,
            StreetClass::Tertiary | StreetClass::Secondary => 2,
            StreetClass::Primary => 3,
            StreetClass::Trunk => 4,
        }
    }

    /// Speed on the empty street.
    pub const fn free_flow_speed_kmh(self) -> f64 {
        match self {
            StreetClass::Residential => 30.0,
            StreetClass::Tertiary => 40.0,
            StreetClass::Secondary => 50.0,
            StreetClass::Primary => 60.0,
            StreetClass::Trunk => 70.0,
        }
    }

    /// Passenger car units an hour and lane at saturation.
    pub const fn capacity_veh_h(self) -> f64 {
        match self {
            StreetClass::Residential => 800.0,
            StreetClass::Tertiary => 1_100.0,
            StreetClass::Secondary => 1_400.0,
            StreetClass::Primary => 1_600.0,
            StreetClass::Trunk => 1_800.0,
        }
    }
}

impl Link {
    /// Its length in metres.
    pub fn length_m(&self) -> f64 {
        self.start.distance_km(self.end) * 1_000.0
    }

    /// The spot a part of the way along it, `aside_m` to the right.
    pub fn spot_at(&self, part: f64, aside_m: f64) -> Spot {
        let length = self.start.distance_km(self.end).max(1e-9);
        let (x, y) = (
            (self.end.east_km - self.start.east_km) / length,
            (self.end.north_km - self.start.north_km) / length,
        );
        let right_km = aside_m / 1_000.0;
        self.start.toward(self.end, part).moved(y * right_km, -(x * right_km))
    }
}

/// A named area.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Stable, ASCII.
    pub id: String,
    /// Its name, with diacritics.
    pub name: String,
    /// What it is.
    pub kind: PlaceKind,
    /// A point inside.
    pub middle: Spot,
    /// Its border, an open ring.
    pub ring: Vec<Spot>,
}

/// What a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each name is its documentation")]
pub enum PlaceKind {
    Ward,
    IndustrialZone,
    River,
    Canal,
}

impl PlaceKind {
    /// As in the files.
    pub const fn name(self) -> &'static str {
        match self {
            PlaceKind::Ward => "ward",
            PlaceKind::IndustrialZone => "industrial_zone",
            PlaceKind::River => "river",
            PlaceKind::Canal => "canal",
        }
    }
}

impl City {
    /// The city of a seed.
    pub fn generate(seed: u64) -> City {
        let waters = water::waterways();
        let zones = zones::zones(seed);
        let (junctions, links) = streets::streets(seed, &waters, &zones);
        let mut places = wards::wards();
        places.extend(zones);
        places.extend(waters.iter().map(|water| Place {
            id: water.id.to_owned(),
            name: water.name.to_owned(),
            kind: if water.is_river() { PlaceKind::River } else { PlaceKind::Canal },
            middle: water.spot_at(water.length_km() / 2.0, 0.0),
            ring: water.banks(),
        }));
        City { seed, junctions, links, places, waters, loads: OnceLock::new() }
    }

    /// That of seed 1, worked out once for all tests.
    #[cfg(test)]
    pub(crate) fn shared() -> &'static City {
        static CITY: OnceLock<City> = OnceLock::new();
        CITY.get_or_init(|| City::generate(1))
    }

    /// Its seed.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// In order of id.
    pub fn junctions(&self) -> &[Junction] {
        &self.junctions
    }

    /// In order of id.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The traffic light at the end of a link.
    pub fn light(&self, link: &Link) -> Option<Light> {
        let end = self.junctions.get(usize::try_from(link.to).ok()?.checked_sub(1)?)?;
        end.signal.map(|plan| plan.light(link.upright))
    }

    /// What the green at the end of a link lets through, all lanes together, in passenger-car units
    /// an hour.
    pub fn capacity_pcu_h(&self, link: &Link) -> f64 {
        let green = self.light(link).map_or(1.0, |light| light.share());
        f64::from(link.class.lanes()) * link.class.capacity_veh_h() * green
    }

    /// The trips of the peak hour and what they put on every link. The first call works them out,
    /// which takes about a second.
    pub fn loads(&self) -> &Loads {
        self.loads.get_or_init(|| loads::loads(self))
    }

    /// Junctions by the ward whose middle is nearest; both as places in their lists, wards without
    /// a junction empty.
    pub(crate) fn junctions_by_ward(&self) -> Vec<Vec<usize>> {
        let wards: Vec<&Place> = self.places_of(PlaceKind::Ward).collect();
        let mut groups = vec![Vec::new(); wards.len()];
        for (n, junction) in self.junctions.iter().enumerate() {
            let distance = |ward: &&Place| ward.middle.distance_km(junction.spot);
            let nearest =
                wards.iter().enumerate().min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)));
            if let Some((ward, _)) = nearest {
                groups[ward].push(n);
            }
        }
        groups
    }

    /// Wards, then industrial zones, then waters.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Rivers and canals.
    pub fn waters(&self) -> &[Waterway] {
        &self.waters
    }

    /// The places of one kind.
    pub fn places_of(&self, kind: PlaceKind) -> impl Iterator<Item = &Place> {
        self.places.iter().filter(move |place| place.kind == kind)
    }

    /// The industrial zone that holds a spot, else its ward.
    pub fn zone_of(&self, spot: Spot) -> Option<&Place> {
        let zone = self
            .places_of(PlaceKind::IndustrialZone)
            .find(|zone| zone.middle.distance_km(spot) < 4.0 && holds(&zone.ring, spot));
        zone.or_else(|| {
            self.places_of(PlaceKind::Ward)
                .min_by(|a, b| a.middle.distance_km(spot).total_cmp(&b.middle.distance_km(spot)))
        })
    }
}

/// Where a junction or link stands in its list.
fn place(id: u32) -> usize {
    usize::try_from(id - 1).expect("u32 fits usize")
}

/// A name in lower-case ASCII with dashes, without its diacritics.
fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for letter in name.chars().flat_map(char::to_lowercase) {
        match plain(letter) {
            Some(plain) => slug.push(plain),
            None if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            None => {}
        }
    }
    slug
}

/// The ASCII letter or digit under a Vietnamese letter's diacritics.
const fn plain(letter: char) -> Option<char> {
    match letter {
        'a'..='z' | '0'..='9' => Some(letter),
        'à' | 'á' | 'ả' | 'ã' | 'ạ' | 'ă' | 'ằ' | 'ắ' | 'ẳ' | 'ẵ' | 'ặ' | 'â' | 'ầ' | 'ấ' | 'ẩ'
        | 'ẫ' | 'ậ' => Some('a'),
        'è' | 'é' | 'ẻ' | 'ẽ' | 'ẹ' | 'ê' | 'ề' | 'ế' | 'ể' | 'ễ' | 'ệ' => {
            Some('e')
        }
        'ì' | 'í' | 'ỉ' | 'ĩ' | 'ị' => Some('i'),
        'ò' | 'ó' | 'ỏ' | 'õ' | 'ọ' | 'ô' | 'ồ' | 'ố' | 'ổ' | 'ỗ' | 'ộ' | 'ơ' | 'ờ' | 'ớ' | 'ở'
        | 'ỡ' | 'ợ' => Some('o'),
        'ù' | 'ú' | 'ủ' | 'ũ' | 'ụ' | 'ư' | 'ừ' | 'ứ' | 'ử' | 'ữ' | 'ự' => {
            Some('u')
        }
        'ỳ' | 'ý' | 'ỷ' | 'ỹ' | 'ỵ' => Some('y'),
        'đ' => Some('d'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use geo::{Coord, LineString, Polygon, Validation};

    use super::*;

    fn polygon(place: &Place) -> Polygon {
        let coord = |spot: &Spot| Coord { x: spot.east_km, y: spot.north_km };
        Polygon::new(LineString::new(place.ring.iter().map(coord).collect()), Vec::new())
    }

    #[test]
    fn the_same_seed_gives_the_same_city_and_another_another() {
        let (a, b, c) = (City::generate(1), City::generate(1), City::generate(2));
        assert_eq!(a.junctions, b.junctions);
        assert_eq!(a.links, b.links);
        assert_eq!(a.places, b.places);
        assert_ne!(a.junctions, c.junctions);
    }

    #[test]
    fn every_junction_is_reached_from_every_other() {
        let city = City::shared();
        let mut next: Vec<Vec<u32>> = vec![Vec::new(); city.junctions.len() + 1];
        for link in &city.links {
            next[link.from as usize].push(link.to);
            assert_eq!(city.links[(link.id - 1) as usize].id, link.id);
        }
        let mut seen = BTreeSet::from([1_u32]);
        let mut todo = vec![1_u32];
        while let Some(junction) = todo.pop() {
            todo.extend(next[junction as usize].iter().filter(|to| seen.insert(**to)));
        }
        assert_eq!(seen.len(), city.junctions.len());
        assert!(city.junctions.len() > 4_000 && city.links.len() > 12_000);
    }

    #[test]
    fn streets_are_thick_in_the_middle_and_stay_within_bounds() {
        let city = City::shared();
        let share = |reach: f64, within: f64| {
            let near = |j: &&Junction| {
                let distance = j.spot.distance_km(Spot::new(0.0, 0.0));
                distance >= within && distance < reach
            };
            let area = (reach * reach - within * within) * std::f64::consts::PI;
            city.junctions.iter().filter(near).count() as f64 / area
        };
        let (inner, middle, outer) = (share(4.0, 0.0), share(12.0, 6.0), share(30.0, 20.0));
        assert!(inner > 2.0 * middle && middle > 2.0 * outer, "{inner} {middle} {outer}");
        for link in &city.links {
            assert!(link.start.within_bounds(0.0) && link.end.within_bounds(0.0));
            assert!(link.length_m() > 20.0, "{link:?}");
        }
    }

    #[test]
    fn a_river_is_crossed_on_bridges_only() {
        let city = City::shared();
        let mut bridges = 0;
        for link in &city.links {
            let crossed = |w: &&Waterway| w.is_river() && w.is_crossed(link.start, link.end);
            if city.waters.iter().any(|w| crossed(&w)) {
                assert!(link.class.is_arterial(), "{link:?}");
                assert!(link.bridge, "{link:?}");
                assert!(link.name.starts_with("Cầu ") || link.name.starts_with("Hầm "), "{link:?}");
                bridges += 1;
            }
        }
        assert_eq!(bridges, 34, "17 bridges, both ways");
    }

    #[test]
    fn places_are_simple_polygons_with_their_true_names() {
        let city = City::shared();
        let mut ids = BTreeSet::new();
        for place in &city.places {
            assert!(polygon(place).is_valid(), "{} is no simple polygon", place.name);
            assert!(ids.insert(place.id.clone()), "{} is there twice", place.id);
            assert!(place.id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        }
        for name in [
            "Khu chế xuất Tân Thuận",
            "Khu chế xuất Linh Trung 1",
            "Khu công nghiệp Hiệp Phước",
            "Khu công nghiệp Tân Bình",
            "Khu công nghiệp Cát Lái",
            "Khu công nghiệp Bình Chiểu",
            "Khu công nghiệp Tân Tạo",
            "Khu công nghiệp Vĩnh Lộc",
            "Khu công nghiệp Đông Nam",
            "Khu công nghệ cao",
            "Sông Sài Gòn",
            "Thủ Đức",
        ] {
            assert!(city.places.iter().any(|place| place.name == name), "{name} is missing");
        }
        let park = city.zone_of(Spot::at(10.853, 106.797)).unwrap();
        assert_eq!(
            (park.name.as_str(), park.id.as_str()),
            ("Khu công nghệ cao", "zone-khu-cong-nghe-cao")
        );
    }
}
