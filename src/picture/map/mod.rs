//! The map of differences: what a scenario does to the streets.
//!
//! ```text
//! +---------------------------------------------+
//! | title, names, delay / time / speed           |
//! +------------------------------+--------------+
//! | map: roads in grey,          | overview     |
//! | changed links in colour,     | legend       |
//! | edited links, street names,  | notes        |
//! | scale bar, north             |              |
//! +------------------------------+--------------+
//! ```
//!
//! North is up and both axes have one scale. Both directions of a street lie beside each other, to
//! the right of travel.

mod crop;
mod labels;
mod legend;
mod roads;

use citytwin_proto::v1;

use super::canvas::{Canvas, Frame, Type};
use super::geometry::View;
use super::{Drawing, Language, font};
use roads::Roads;

const WIDTH: f64 = 1_200.0;
const HEIGHT: f64 = 860.0;
const EDGE: f64 = 24.0;
const MAP: Frame = Frame { left: EDGE, top: 138.0, width: 880.0, height: 690.0 };
const PANEL: Frame = Frame { left: 924.0, top: 138.0, width: 252.0, height: 690.0 };

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub struct MapInput<'a> {
    /// What was asked, such as "Đóng cầu Sài Gòn".
    pub title: &'a str,
    /// Name of the first outcome.
    pub before: &'a str,
    /// Name of the second.
    pub after: &'a str,
    /// The network, all of it.
    pub links: &'a [v1::RoadLink],
    /// The second outcome less the first.
    pub comparison: &'a v1::CompareOutcomesResponse,
    /// Keys of the links that the scenario edits.
    pub edited: &'a [String],
    /// Whose data it is, such as "© OpenStreetMap contributors"; may be empty.
    pub credit: &'a str,
    /// Of the labels.
    pub language: Language,
}

/// Draws the map: 1,200 units wide. O(links).
pub fn difference_map(input: &MapInput<'_>) -> Drawing {
    let mut canvas = Canvas::new(WIDTH, HEIGHT, input.title);
    header(&mut canvas, input);
    let mut roads = Roads::new(input);
    let view = View::of(&crop::bounds(&roads), MAP, 0.08, crop::LEAST_M);
    let view = view.kept_in(&roads.bounds(), 0.04);
    roads.zoom = roads::zoom(&view);
    canvas.rect(MAP, "fill=\"#fbfbf9\"");
    canvas.begin_clip(MAP);
    roads.draw(&mut canvas, &view);
    labels::draw(&mut canvas, &roads, &view);
    canvas.end_group();
    legend::on_map(&mut canvas, &view, input.language);
    canvas.rect(MAP, "fill=\"none\" stroke=\"#8c959f\"");
    legend::panel(&mut canvas, &roads, &view, input);
    let credit = Type::soft(11.0);
    canvas.text([EDGE, HEIGHT - 12.0], input.credit, credit);
    canvas.finish()
}

fn header(canvas: &mut Canvas, input: &MapInput<'_>) {
    let room = WIDTH - 2.0 * EDGE;
    let title = font::fitted(input.title, 26.0, true, room);
    canvas.text([EDGE, 44.0], &title, Type::new(26.0).bold());
    let name = |name: &str| font::fitted(name, 15.0, false, room / 2.0 - 20.0);
    let names = [name(input.before), name(input.after)];
    canvas.with_arrow([EDGE, 68.0], [&names[0], &names[1]], Type::soft(15.0));
    let none = v1::Totals::default();
    let before = input.comparison.first.as_ref().unwrap_or(&none);
    let after = input.comparison.second.as_ref().unwrap_or(&none);
    let words = input.language.words();
    let speed = |totals: &v1::Totals| totals.speed_kmh.unwrap_or(f64::NAN);
    let figures = [
        (words.delay, words.vehicle_hours, before.delay_veh_h, after.delay_veh_h),
        (words.time_on_roads, words.vehicle_hours, before.vehicle_h, after.vehicle_h),
        (words.mean_speed, "km/h", speed(before), speed(after)),
    ];
    for (place, (what, unit, before, after)) in figures.into_iter().enumerate() {
        let left = EDGE + place as f64 * room / 3.0;
        canvas.text([left, 96.0], &format!("{what} ({unit})"), Type::soft(12.0));
        let figures = [before, after].map(|value| input.language.figure(value));
        let bold = Type::new(19.0).bold();
        let end = canvas.with_arrow([left, 120.0], [&figures[0], &figures[1]], bold);
        let share = input.language.change(before, after);
        canvas.text([end + 8.0, 120.0], &share, Type::soft(16.0));
    }
}
