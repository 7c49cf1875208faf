//! Names of the streets that change most, along their lines, where there is room.

use std::collections::BTreeMap;

use super::super::canvas::{Anchor, Canvas, Px, Type};
use super::super::font;
use super::super::geometry::{View, along, distance, length};
use super::legend;
use super::roads::{self, Road, Roads};

const SIZE: f64 = 12.0;

/// At most this many names.
const MOST: usize = 14;

/// Links tried for each name, the longest and most changed first.
const TRIES: usize = 8;

/// Texts are kept apart as rows of discs of this radius, px.
const RADIUS: f64 = SIZE * 0.7;

/// A street with changed or edited links.
#[derive(Debug, Default)]
struct Street {
    weight: f64,
    links: Vec<Line>,
}

/// A link as it is drawn.
#[derive(Debug)]
struct Line {
    points: Vec<Px>,
    half_width: f64,
    /// How well a name stands here: long, and much changed.
    rank: f64,
    /// The other direction lies on its left.
    two_way: bool,
}

/// Something that is not written over.
#[derive(Clone, Copy, Debug)]
struct Disc {
    at: Px,
    radius: f64,
}

/// Where a name can stand: the middle of its base line, and its turn.
#[derive(Clone, Copy, Debug)]
struct Spot {
    base: Px,
    turned_deg: f64,
}

pub(super) fn draw(canvas: &mut Canvas, roads: &Roads<'_>, view: &View) {
    let mut streets: Vec<_> = streets(roads, view).into_iter().collect();
    streets.sort_by(|(a_name, a), (b_name, b)| {
        b.weight.total_cmp(&a.weight).then_with(|| a_name.cmp(b_name))
    });
    let mut taken = marks(roads, view);
    let mut placed = 0;
    for (name, street) in &mut streets {
        if placed == MOST {
            break;
        }
        street.links.sort_by(|a, b| b.rank.total_cmp(&a.rank));
        let width = font::width(name, SIZE, true);
        let spots = street.links.iter().take(TRIES).flat_map(Line::spots);
        let mut tried = spots.map(|spot| (spot, spot.discs(width)));
        let free = tried.find(|(_, discs)| discs.iter().all(|disc| is_free(disc, &taken, view)));
        if let Some((spot, discs)) = free {
            taken.extend(discs);
            let look = Type { turned_deg: spot.turned_deg, ..Type::new(SIZE).bold() };
            canvas.text(spot.base, name, look.anchored(Anchor::Middle).haloed(3.4));
            placed += 1;
        }
    }
}

fn streets<'a>(roads: &Roads<'a>, view: &View) -> BTreeMap<&'a str, Street> {
    let mut streets: BTreeMap<&str, Street> = BTreeMap::new();
    for road in roads.all.iter().filter(|road| !road.link.name.is_empty()) {
        let weight = weight(road, roads);
        let points = roads.placed(road, view);
        if weight <= 0.0 || !view.shows(&points) {
            continue;
        }
        let street = streets.entry(&road.link.name).or_default();
        street.weight += weight;
        let width = road.difference.map_or(0.0, |one| roads.width(one.flow_veh_h));
        let half_width = if road.edited { roads::MARK_PX.max(width / 2.0) } else { width / 2.0 };
        let rank = length(&points) * weight;
        street.links.push(Line { points, half_width, rank, two_way: road.two_way });
    }
    streets
}

fn weight(road: &Road<'_>, roads: &Roads<'_>) -> f64 {
    let delay = road.difference.map_or(0.0, |one| one.delay_veh_h.abs() / roads.delay.max);
    if road.edited { 1e6 + delay } else { delay }
}

/// The marks of edited links are not written over.
fn marks(roads: &Roads<'_>, view: &View) -> Vec<Disc> {
    let edited = roads.all.iter().filter(|road| road.edited);
    let middles = edited.filter_map(|road| along(&roads.placed(road, view), 0.5));
    middles.map(|(at, _)| Disc { at, radius: roads::MARK_PX - 1.0 }).collect()
}

fn is_free(disc: &Disc, taken: &[Disc], view: &View) -> bool {
    let apart = |other: &Disc| distance(disc.at, other.at) >= disc.radius + other.radius;
    view.frame.grown(-RADIUS - 2.0).holds(disc.at)
        && !legend::CORNER.grown(RADIUS).holds(disc.at)
        && taken.iter().all(apart)
}

impl Line {
    /// Beside the middle, then beside the quarters; never between the two directions of a street.
    fn spots(&self) -> impl Iterator<Item = Spot> {
        let places = [0.5, 0.25, 0.75].into_iter().filter_map(|share| along(&self.points, share));
        places.flat_map(|(at, [along_x, along_y])| {
            // text is read from left to right, or from below
            let back = along_x < -1e-9 || (along_x.abs() <= 1e-9 && along_y > 0.0);
            let [x, y] = if back { [-along_x, -along_y] } else { [along_x, along_y] };
            let spot = |above: f64| Spot {
                base: [at[0] + y * above, at[1] - x * above],
                turned_deg: y.atan2(x).to_degrees(),
            };
            let gap = self.half_width + 4.5;
            let (above, below) = (spot(gap), spot(-gap - SIZE * 0.74));
            let [right, left] = if back { [above, below] } else { [below, above] };
            [Some(right), (!self.two_way).then_some(left)].into_iter().flatten()
        })
    }
}

impl Spot {
    /// The discs that a text of this width covers here.
    fn discs(self, width: f64) -> Vec<Disc> {
        let (sin, cos) = self.turned_deg.to_radians().sin_cos();
        let middle = SIZE * 0.35;
        let centre = [self.base[0] + sin * middle, self.base[1] - cos * middle];
        let half = (width / 2.0 - RADIUS * 0.5).max(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few")]
        let count = (half * 2.0 / RADIUS).ceil() as usize;
        let step = |place: usize| -half + 2.0 * half * place as f64 / count.max(1) as f64;
        let at = |forth: f64| [centre[0] + cos * forth, centre[1] + sin * forth];
        (0..=count).map(|place| Disc { at: at(step(place)), radius: RADIUS }).collect()
    }
}
