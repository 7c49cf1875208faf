//! What explains a map: on the map its scale bar and north, beside it the overview, the colours,
//! the widths, the marks, and what is not shown.

use super::super::canvas::{Anchor, Canvas, Frame, INK, Px, Type, polyline};
use super::super::geometry::{Bounds, View};
use super::super::scale::{COLOURS, round_down};
use super::super::{Language, font};
use super::roads::{self, RANKS, Roads};
use super::{MAP, MapInput, PANEL};

/// Where scale bar and north stand on the map.
pub(super) const CORNER: Frame =
    Frame { left: MAP.left + 12.0, top: MAP.bottom() - 56.0, width: 226.0, height: 44.0 };

/// The longest scale bar, px.
const BAR_PX: f64 = 140.0;

pub(super) fn on_map(canvas: &mut Canvas, view: &View, language: Language) {
    canvas.rect(CORNER, "fill=\"#ffffff\" fill-opacity=\"0.94\" stroke=\"#d7d7d0\" rx=\"3\"");
    let metres = round_down(BAR_PX / view.px_per_m);
    let (left, base) = (CORNER.left + 14.0, CORNER.bottom() - 12.0);
    let right = left + metres * view.px_per_m;
    let bar = [[left, base - 6.0], [left, base], [right, base], [right, base - 6.0]];
    let look = format!("fill=\"none\" stroke=\"{INK}\" stroke-width=\"1.6\"");
    canvas.path(&polyline(&bar), &look);
    let text = if metres >= 1_000.0 {
        format!("{} km", language.round(metres / 1_000.0))
    } else {
        format!("{} m", language.round(metres))
    };
    let middle = f64::midpoint(left, right);
    canvas.text([middle, base - 8.0], &text, Type::new(12.0).anchored(Anchor::Middle));
    let tip = [CORNER.right() - 26.0, CORNER.top + 8.0];
    let north = [
        tip,
        [tip[0] + 6.5, tip[1] + 17.0],
        [tip[0], tip[1] + 13.0],
        [tip[0] - 6.5, tip[1] + 17.0],
    ];
    canvas.path(&(polyline(&north) + "Z"), &format!("fill=\"{INK}\""));
    let letter = Type::new(12.0).bold().anchored(Anchor::Middle);
    canvas.text([tip[0], tip[1] + 30.0], language.words().north, letter);
}

/// The column beside the map.
pub(super) fn panel(canvas: &mut Canvas, roads: &Roads<'_>, view: &View, input: &MapInput<'_>) {
    let words = input.language.words();
    let mut top = PANEL.top + 12.0;
    let network = roads.bounds();
    if !view.shows_all(&network) {
        top = overview(canvas, (roads, &network), view, words.overview) + 30.0;
    }
    top = colours(canvas, roads, input.language, top);
    top = widths(canvas, roads, input.language, top + 34.0);
    top = marks(canvas, input.language, !input.edited.is_empty(), top + 34.0);
    let mut notes = Vec::new();
    let shown = roads.changed().len();
    if shown < usize::try_from(input.comparison.links_changed).unwrap_or(usize::MAX) {
        notes.push(input.language.coloured(shown, input.comparison.links_changed));
    }
    if roads.without_line > 0 {
        notes.push(input.language.without_line(roads.without_line));
    }
    top += 20.0;
    for line in notes.iter().flat_map(|note| font::wrapped(note, 11.5, PANEL.width)) {
        canvas.text([PANEL.left, top], &line, Type::soft(11.5));
        top += 16.0;
    }
}

/// The whole network with what the map shows of it; the y below it.
fn overview(
    canvas: &mut Canvas,
    (roads, network): (&Roads<'_>, &Bounds),
    view: &View,
    title: &str,
) -> f64 {
    canvas.text([PANEL.left, PANEL.top + 12.0], title, Type::new(13.0).bold());
    let frame = Frame { top: PANEL.top + 22.0, height: 176.0, ..PANEL };
    let small = View::of(network, frame, 0.04, 1.0);
    canvas.rect(frame, "fill=\"#fbfbf9\"");
    canvas.begin_clip(frame);
    roads.draw_network(canvas, &small, 0.45);
    let mut by_class = [const { String::new() }; COLOURS.len()];
    for (road, difference) in roads.changed() {
        let class = roads.delay.class(difference.delay_veh_h);
        let line = small.line(&road.line, 0.5);
        by_class[class].push_str(&polyline(&line));
    }
    // from the middle outwards, so that the strong ones lie on top
    for class in [3, 2, 4, 1, 5, 0, 6] {
        let look = format!("fill=\"none\" stroke=\"{}\" stroke-width=\"1.3\"", COLOURS[class]);
        canvas.path(&by_class[class], &look);
    }
    let shown = shown_in(view, &small);
    canvas.rect(shown, &format!("fill=\"none\" stroke=\"{INK}\" stroke-width=\"1.4\""));
    canvas.end_group();
    canvas.rect(frame, "fill=\"none\" stroke=\"#8c959f\"");
    frame.bottom()
}

/// The frame of one view as it lies in another, as far as that shows it.
fn shown_in(view: &View, other: &View) -> Frame {
    let ratio = other.px_per_m / view.px_per_m;
    let centre = other.px(view.middle());
    let (width, height) = (view.frame.width * ratio, view.frame.height * ratio);
    let shown =
        Frame { left: centre[0] - width / 2.0, top: centre[1] - height / 2.0, width, height };
    shown.within(other.frame.grown(-1.5))
}

fn colours(canvas: &mut Canvas, roads: &Roads<'_>, language: Language, top: f64) -> f64 {
    let words = language.words();
    canvas.text([PANEL.left, top], words.change_of_delay, Type::new(13.0).bold());
    let wide = PANEL.width / COLOURS.len() as f64;
    for (place, colour) in COLOURS.iter().enumerate() {
        let left = PANEL.left + place as f64 * wide;
        let field = Frame { left, top: top + 10.0, width: wide, height: 16.0 };
        canvas.rect(field, &format!("fill=\"{colour}\""));
    }
    let small = Type::new(11.0);
    for (place, edge) in roads.delay.edges().into_iter().enumerate() {
        let x = PANEL.left + (place as f64 + 1.0) * wide;
        canvas.line([x, top + 26.0], [x, top + 30.0], &format!("stroke=\"{INK}\""));
        let sign = if edge > 0.0 { "+" } else { "" };
        let text = format!("{sign}{}", language.round(edge));
        canvas.text([x, top + 42.0], &text, small.anchored(Anchor::Middle));
    }
    let soft = Type::soft(11.5);
    canvas.text([PANEL.left, top + 59.0], words.less, soft);
    canvas.text([PANEL.right(), top + 59.0], words.more, soft.anchored(Anchor::End));
    top + 59.0
}

fn widths(canvas: &mut Canvas, roads: &Roads<'_>, language: Language, top: f64) -> f64 {
    canvas.text([PANEL.left, top], language.words().change_of_flow, Type::new(13.0).bold());
    let mut y = top + 20.0;
    for (share, sign) in [(0.0, "±"), (0.5, "±"), (1.0, "≥ ")] {
        let width = roads.width(share * roads.flow);
        let look = format!("stroke=\"#8f8f87\" stroke-width=\"{width:.2}\"");
        canvas.line([PANEL.left, y], [PANEL.left + SAMPLE_PX, y], &look);
        let sign = if share == 0.0 { "" } else { sign };
        let text = format!("{sign}{}", language.round(share * roads.flow));
        canvas.text([PANEL.left + SAMPLE_PX + 12.0, y + 4.0], &text, Type::new(12.0));
        y += 20.0;
    }
    y - 20.0
}

const SAMPLE_PX: f64 = 56.0;

fn marks(canvas: &mut Canvas, language: Language, any_edited: bool, top: f64) -> f64 {
    let words = language.words();
    let ends = |y: f64| -> (Px, Px) { ([PANEL.left, y], [PANEL.left + SAMPLE_PX, y]) };
    let mut y = top;
    let explain = |canvas: &mut Canvas, y: f64, text: &str| {
        canvas.text([PANEL.left + SAMPLE_PX + 12.0, y + 4.0], text, Type::new(12.0));
    };
    if any_edited {
        let (from, to) = ends(y);
        roads::edited_sample(canvas, from, to);
        explain(canvas, y, words.edited);
        y += 24.0;
    }
    let (from, to) = ends(y);
    roads::travel_sample(canvas, from, to);
    explain(canvas, y, words.travel);
    y += 24.0;
    let step = SAMPLE_PX / RANKS.len() as f64;
    for (place, (width, grey)) in RANKS.iter().rev().enumerate() {
        let left = PANEL.left + place as f64 * step;
        let look = format!("stroke=\"{grey}\" stroke-width=\"{:.2}\"", width * 1.5);
        canvas.line([left, y], [left + step - 2.0, y], &look);
    }
    explain(canvas, y, words.other_roads);
    y + 12.0
}
