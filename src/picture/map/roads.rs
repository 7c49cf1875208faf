//! The roads of a map: the network in grey, what changed in colour, what was edited in black.

use std::collections::{BTreeMap, BTreeSet};

use citytwin_proto::v1;

use super::super::canvas::{Canvas, Px, polyline};
use super::super::geometry::{Bounds, Metres, Projection, View, along, beside, length};
use super::super::scale::{COLOURS, Classes, round_near, typical_large};
use super::MapInput;

/// Width of a coloured link whose flow hardly changes, and what the largest change adds, px.
const LEAST_PX: f64 = 2.4;
const MORE_PX: f64 = 6.6;

/// Between the two directions of a street, px.
const MEDIAN_PX: f64 = 0.9;

/// A difference with less than this share of a large one in delay and in flow is dust: not drawn,
/// and no reason to show more of the city.
const DUST: f64 = 0.04;

/// Points nearer to each other than this are one, px.
const NEAREST_PX: f64 = 0.4;

/// From the middle to the tips of the mark of an edited link, px.
pub(super) const MARK_PX: f64 = 6.5;

/// Ranks of roads, the least first: width of the line and its grey.
pub(super) const RANKS: [(f64, &str); 5] =
    [(0.8, "#dddcd6"), (1.1, "#d3d2cb"), (1.7, "#cac9c1"), (2.3, "#c2c1b9"), (3.0, "#b9b8b0")];

/// A link with its line on the plane.
#[derive(Debug)]
pub(super) struct Road<'a> {
    pub(super) link: &'a v1::RoadLink,
    pub(super) line: Vec<Metres>,
    /// There is a link back.
    pub(super) two_way: bool,
    pub(super) edited: bool,
    /// The second outcome less the first, where that is more than dust.
    pub(super) difference: Option<&'a v1::LinkDifference>,
}

/// All links of a map, and the scales of their differences.
#[derive(Debug)]
pub(super) struct Roads<'a> {
    pub(super) all: Vec<Road<'a>>,
    pub(super) delay: Classes,
    /// Change of flow with the full width, pcu/h.
    pub(super) flow: f64,
    /// How wide lines are: 1 for a district, less for a whole city.
    pub(super) zoom: f64,
    /// Links that differ and are not in the network.
    pub(super) without_line: usize,
}

impl<'a> Roads<'a> {
    pub(super) fn new(input: &MapInput<'a>) -> Roads<'a> {
        let projection = Projection::around(input.links.iter());
        let ends = |link: &'a v1::RoadLink| (&*link.from_junction, &*link.to_junction);
        let pairs: BTreeSet<(&str, &str)> = input.links.iter().map(ends).collect();
        let edited: BTreeSet<&str> = input.edited.iter().map(String::as_str).collect();
        let keyed = input.comparison.links.iter().map(|link| (&*link.link, link));
        let mut differences: BTreeMap<&str, &v1::LinkDifference> = keyed.collect();
        let values = || differences.values().copied();
        let delay = Classes::of(values().map(|link| link.delay_veh_h));
        let flow = round_near(typical_large(values().map(|link| link.flow_veh_h)));
        let dust = |one: &v1::LinkDifference| {
            one.delay_veh_h.abs() < delay.max * DUST && one.flow_veh_h.abs() < flow * DUST
        };
        let road = |link: &'a v1::RoadLink| {
            let (from, to) = ends(link);
            Road {
                link,
                line: link.line.iter().map(|point| projection.metres(point)).collect(),
                two_way: from != to && pairs.contains(&(to, from)),
                edited: edited.contains(&*link.key),
                difference: differences.remove(&*link.key).filter(|one| !dust(one)),
            }
        };
        let all: Vec<Road<'_>> = input.links.iter().map(road).collect();
        Roads { all, delay, flow, zoom: 1.0, without_line: differences.len() }
    }

    /// Around the whole network.
    pub(super) fn bounds(&self) -> Bounds {
        let mut all = Bounds::NONE;
        for point in self.all.iter().flat_map(|road| &road.line) {
            all.include(*point);
        }
        all
    }

    /// Those that differ, the most important last.
    pub(super) fn changed(&self) -> Vec<(&Road<'a>, &'a v1::LinkDifference)> {
        let all = self.all.iter();
        let mut changed: Vec<_> =
            all.filter_map(|road| road.difference.map(|difference| (road, difference))).collect();
        changed.sort_by(|(_, a), (_, b)| {
            let delay = a.delay_veh_h.abs().total_cmp(&b.delay_veh_h.abs());
            delay.then_with(|| a.link.cmp(&b.link))
        });
        changed
    }

    /// Width of the line for a change of flow, px: grows evenly up to the full width.
    pub(super) fn width(&self, flow: f64) -> f64 {
        (LEAST_PX + MORE_PX * (flow.abs() / self.flow).min(1.0)) * self.zoom.min(1.0)
    }

    /// Everything, from the ground up.
    pub(super) fn draw(&self, canvas: &mut Canvas, view: &View) {
        self.draw_network(canvas, view, self.zoom);
        self.draw_changes(canvas, view);
        self.draw_edited(canvas, view);
    }

    /// The roads by rank, each rank one path: a city has a hundred thousand links.
    pub(super) fn draw_network(&self, canvas: &mut Canvas, view: &View, zoom: f64) {
        let mut ranks = [const { String::new() }; RANKS.len()];
        for road in &self.all {
            let rank = rank(&road.link.class);
            let (width, _) = RANKS[rank];
            let points = view.line(&road.line, NEAREST_PX);
            if view.shows(&points) {
                let aside = if road.two_way { width * zoom / 2.0 } else { 0.0 };
                ranks[rank].push_str(&polyline(&beside(&points, aside)));
            }
        }
        canvas.begin_group("fill=\"none\" stroke-linecap=\"round\" stroke-linejoin=\"round\"");
        for (data, (width, grey)) in ranks.iter().zip(RANKS) {
            canvas.path(data, &format!("stroke=\"{grey}\" stroke-width=\"{:.2}\"", width * zoom));
        }
        canvas.end_group();
    }

    fn draw_changes(&self, canvas: &mut Canvas, view: &View) {
        let mut casings = Vec::new();
        let mut lines = Vec::new();
        let mut arrows = String::new();
        for (road, difference) in self.changed() {
            let width = self.width(difference.flow_veh_h);
            let points = self.placed(road, view);
            if !view.shows(&points) {
                continue;
            }
            let data = polyline(&points);
            let class = self.delay.class(difference.delay_veh_h);
            casings.push((data.clone(), width + 1.6 * self.zoom.min(1.0)));
            lines.push((data, width, COLOURS[class]));
            if width > 4.0 && length(&points) > 34.0 && !road.edited {
                arrows.push_str(&arrow(&points, width));
            }
        }
        canvas.begin_group("fill=\"none\" stroke=\"#ffffff\" stroke-linejoin=\"round\"");
        for (data, width) in &casings {
            canvas.path(data, &format!("stroke-width=\"{width:.2}\""));
        }
        canvas.end_group();
        canvas.begin_group("fill=\"none\" stroke-linejoin=\"round\"");
        for (data, width, colour) in &lines {
            canvas.path(data, &format!("stroke=\"{colour}\" stroke-width=\"{width:.2}\""));
        }
        canvas.end_group();
        canvas.path(&arrows, ARROW);
    }

    /// The line of a link where it is drawn: in the middle, or right of it in a street with two
    /// directions.
    pub(super) fn placed(&self, road: &Road<'_>, view: &View) -> Vec<Px> {
        let points = view.line(&road.line, NEAREST_PX);
        if !road.two_way {
            return points;
        }
        let width = self.width(road.difference.map_or(0.0, |one| one.flow_veh_h));
        beside(&points, width / 2.0 + MEDIAN_PX * self.zoom.min(1.0))
    }

    fn draw_edited(&self, canvas: &mut Canvas, view: &View) {
        let edited = self.all.iter().filter(|road| road.edited);
        let lines: Vec<_> = edited.map(|road| self.placed(road, view)).collect();
        let data: String = lines.iter().map(|line| polyline(line)).collect();
        canvas.path(&data, EDITED);
        let mut marks: Vec<Px> = Vec::new();
        for (point, _) in lines.iter().filter_map(|line| along(line, 0.5)) {
            let near = |mark: &Px| (mark[0] - point[0]).hypot(mark[1] - point[1]) < 26.0;
            if !marks.iter().any(near) {
                marks.push(point);
                mark(canvas, point);
            }
        }
    }
}

const EDITED: &str = "fill=\"none\" stroke=\"#111111\" stroke-width=\"2.2\" \
                      stroke-dasharray=\"5 3.5\" stroke-linejoin=\"round\"";
const ARROW: &str = "fill=\"none\" stroke=\"#1f2328\" stroke-width=\"1.1\" \
                     stroke-linecap=\"round\" stroke-linejoin=\"round\" stroke-opacity=\"0.75\"";

/// A short line as an edited link is drawn, with its mark: for the legend.
pub(super) fn edited_sample(canvas: &mut Canvas, from: Px, to: Px) {
    canvas.line(from, to, EDITED);
    mark(canvas, [f64::midpoint(from[0], to[0]), f64::midpoint(from[1], to[1])]);
}

/// A coloured line with the arrow of its direction: for the legend.
pub(super) fn travel_sample(canvas: &mut Canvas, from: Px, to: Px) {
    canvas.line(from, to, &format!("stroke=\"{}\" stroke-width=\"7\"", COLOURS[2]));
    canvas.path(&arrow(&[from, to], 7.0), ARROW);
}

fn mark(canvas: &mut Canvas, [x, y]: Px) {
    let diamond = [[x, y - MARK_PX], [x + MARK_PX, y], [x, y + MARK_PX], [x - MARK_PX, y]];
    let look = "fill=\"#111111\" stroke=\"#ffffff\" stroke-width=\"1.4\"";
    canvas.path(&(polyline(&diamond) + "Z"), look);
}

/// A chevron in the middle of a line, along it.
fn arrow(points: &[Px], width: f64) -> String {
    let Some(([x, y], [along_x, along_y])) = along(points, 0.5) else { return String::new() };
    let half = (width / 2.0 - 0.8).clamp(1.4, 3.0);
    let at = |forth: f64, right: f64| {
        [x + along_x * forth - along_y * right, y + along_y * forth + along_x * right]
    };
    polyline(&[at(-half, -half), at(half * 0.6, 0.0), at(-half, half)])
}

/// How wide lines are the closer one looks.
pub(super) fn zoom(view: &View) -> f64 {
    (view.px_per_m / 0.12).sqrt().clamp(0.35, 2.0)
}

fn rank(class: &str) -> usize {
    match class {
        "motorway" | "trunk" => 4,
        "primary" | "motorway_link" | "trunk_link" => 3,
        "secondary" | "primary_link" => 2,
        "tertiary" | "secondary_link" | "tertiary_link" => 1,
        _ => 0,
    }
}
