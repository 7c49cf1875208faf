//! Plots over time: mean speed, delay and queue of two or more outcomes, one under the other with
//! one time axis. Figures are of intervals, so the lines are steps; every axis of figures begins
//! at 0.

use chrono::DateTime;
use citytwin_proto::v1;

use super::canvas::{Anchor, Canvas, Frame, INK, Type, number};
use super::scale::{round_up, tick_step};
use super::{Drawing, Language, font};

const WIDTH: f64 = 1_200.0;
const EDGE: f64 = 24.0;
const PLOT_LEFT: f64 = 92.0;
const PLOT_WIDTH: f64 = WIDTH - PLOT_LEFT - 2.0 * EDGE;
const PLOT_HEIGHT: f64 = 172.0;
/// From the top of one plot to the next.
const PLOT_STEP: f64 = 236.0;

/// Lines of the outcomes in turn, after Okabe and Ito: apart for all kinds of colour vision, and
/// by their dashes in print.
const LINES: [(&str, &str); 6] = [
    ("#0072b2", ""),
    ("#d55e00", ""),
    ("#009e73", "9 4"),
    ("#cc79a7", "3 3"),
    ("#56b4e9", "12 3 3 3"),
    ("#e69f00", "6 3"),
];

/// Steps between ticks of time, minutes.
const TIME_STEPS: [f64; 12] =
    [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 180.0, 240.0, 360.0, 720.0];

/// When an outcome starts, for an axis of clock times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalStart {
    /// Slices of 100 ms since 1970, UTC.
    pub epoch: u64,
    /// Local time less UTC, seconds.
    pub utc_offset_s: i32,
}

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub struct PlotInput<'a> {
    /// What was asked.
    pub title: &'a str,
    /// The outcomes; beyond the sixth, lines look alike.
    pub outcomes: &'a [Series],
    /// Absent: minutes from the start.
    pub start: Option<LocalStart>,
    /// Of the labels.
    pub language: Language,
}

/// The figures of one outcome by interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    name: String,
    intervals: Vec<Sums>,
}

/// All vehicles in one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    from_s: f64,
    until_s: f64,
    vehicle_km: f64,
    vehicle_h: f64,
    delay_veh_h: f64,
    queue_veh: f64,
}

impl Series {
    /// Of an outcome with this name.
    pub fn new(name: &str) -> Series {
        Series { name: name.to_owned(), intervals: Vec::new() }
    }

    /// Adds the cells of a part of an interval; parts of an interval follow each other. Cells hold
    /// every link once, by the parts of its line, so their sum is the city's.
    pub fn add(&mut self, figures: &v1::IntervalFigures) {
        let Some(span) = figures.interval else { return };
        let same = |sums: &Sums| sums.from_s.to_bits() == span.from_s.to_bits();
        if !self.intervals.last().is_some_and(same) {
            let (from_s, until_s) = (span.from_s, span.until_s);
            self.intervals.push(Sums { from_s, until_s, ..Sums::default() });
        }
        let Some(sums) = self.intervals.last_mut() else { return };
        for cell in &figures.cells {
            sums.vehicle_km += cell.vehicle_km;
            sums.vehicle_h += cell.vehicle_h;
            sums.delay_veh_h += cell.delay_veh_h;
            sums.queue_veh += cell.queue_veh;
        }
    }
}

/// Nobody on the roads has no speed.
fn speed(sums: &Sums) -> Option<f64> {
    (sums.vehicle_h > 1e-9).then(|| sums.vehicle_km / sums.vehicle_h)
}

type Figure = fn(&Sums) -> Option<f64>;

/// Draws the plots: 1,200 units wide. O(intervals).
pub fn time_plots(input: &PlotInput<'_>) -> Drawing {
    let words = input.language.words();
    let (legend, top) = legend_rows(input);
    let delay = input.language.delay_per_interval(interval_minutes(input.outcomes));
    let figures: [(String, Figure); 3] = [
        (format!("{} (km/h)", words.mean_speed), speed),
        (format!("{delay} ({})", words.vehicle_hours), |sums| Some(sums.delay_veh_h)),
        (format!("{} ({})", words.queue, words.vehicles), |sums| Some(sums.queue_veh)),
    ];
    let height = top + PLOT_STEP * figures.len() as f64 + 34.0;
    let mut canvas = Canvas::new(WIDTH, height, input.title);
    let title = font::fitted(input.title, 26.0, true, WIDTH - 2.0 * EDGE);
    canvas.text([EDGE, 44.0], &title, Type::new(26.0).bold());
    draw_legend(&mut canvas, &legend);
    let time = TimeAxis::of(input);
    for (place, (title, figure)) in figures.iter().enumerate() {
        let top = top + place as f64 * PLOT_STEP + 34.0;
        let frame = Frame { left: PLOT_LEFT, top, width: PLOT_WIDTH, height: PLOT_HEIGHT };
        canvas.text([EDGE, top - 18.0], title, Type::new(14.0).bold());
        plot(&mut canvas, input, &time, frame, *figure);
    }
    time.title(&mut canvas, height - 14.0);
    canvas.finish()
}

/// The length of all intervals, where they have one.
fn interval_minutes(outcomes: &[Series]) -> Option<f64> {
    let all = outcomes.iter().flat_map(|outcome| &outcome.intervals);
    let mut lengths = all.map(|sums| sums.until_s - sums.from_s);
    let first = lengths.next()?;
    lengths.all(|length| (length - first).abs() < 1e-6).then_some(first / 60.0)
}

/// An entry of the legend: where, which line, which name.
type Entry = (f64, f64, usize, String);

/// The entries in rows, and the y below them.
fn legend_rows(input: &PlotInput<'_>) -> (Vec<Entry>, f64) {
    let (mut left, mut base) = (EDGE, 74.0);
    let mut entries = Vec::new();
    for (place, outcome) in input.outcomes.iter().enumerate() {
        let name = font::fitted(&outcome.name, 14.0, false, WIDTH - 2.0 * EDGE - 60.0);
        let wide = font::width(&name, 14.0, false) + 74.0;
        if left > EDGE && left + wide > WIDTH {
            (left, base) = (EDGE, base + 22.0);
        }
        entries.push((left, base, place, name));
        left += wide;
    }
    (entries, base + 14.0)
}

fn draw_legend(canvas: &mut Canvas, entries: &[Entry]) {
    for (left, base, place, name) in entries {
        let y = base - 5.0;
        canvas.line([*left, y], [left + 38.0, y], &look(*place));
        canvas.text([left + 46.0, *base], name, Type::new(14.0));
    }
}

fn look(place: usize) -> String {
    let (colour, dashes) = LINES[place % LINES.len()];
    let dashes =
        if dashes.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dashes}\"") };
    format!(
        "fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.4\" stroke-linejoin=\"round\"{dashes}"
    )
}

fn plot(canvas: &mut Canvas, input: &PlotInput<'_>, time: &TimeAxis, frame: Frame, figure: Figure) {
    let all = input.outcomes.iter().flat_map(|outcome| &outcome.intervals);
    let largest = all.filter_map(figure).filter(|value| value.is_finite()).fold(0.0, f64::max);
    let step = if largest > 0.0 { tick_step(largest, 5.0) } else { 1.0 };
    let ticks = (largest / step - 1e-9).ceil().max(1.0);
    let max = ticks * step;
    let y = |value: f64| frame.bottom() - value / max * frame.height;
    let mut value = 0.0;
    while value <= max + step / 2.0 {
        let grid = if value == 0.0 { INK } else { "#e3e3de" };
        let at = y(value);
        canvas.line([frame.left, at], [frame.right(), at], &format!("stroke=\"{grid}\""));
        let text = input.language.round((value / step).round() * step);
        let label = Type::new(12.0).anchored(Anchor::End);
        canvas.text([frame.left - 10.0, at + 4.0], &text, label);
        value += step;
    }
    time.draw(canvas, frame);
    if largest <= 0.0 && input.outcomes.iter().all(|outcome| outcome.intervals.is_empty()) {
        let look = Type::soft(14.0).anchored(Anchor::Middle);
        canvas.text(frame.centre(), input.language.words().nothing, look);
    }
    for (place, outcome) in input.outcomes.iter().enumerate() {
        let data = steps(outcome, figure, |seconds| time.x(frame, seconds), y);
        canvas.path(&data, &look(place));
    }
}

/// A level line for each interval, upright ones between neighbours; a gap where there is nothing.
fn steps(
    outcome: &Series,
    figure: Figure,
    x: impl Fn(f64) -> f64,
    y: impl Fn(f64) -> f64,
) -> String {
    let mut data = String::new();
    let mut end: Option<f64> = None;
    for sums in &outcome.intervals {
        let Some(value) = figure(sums).filter(|value| value.is_finite()) else {
            end = None;
            continue;
        };
        let joined = end.is_some_and(|end| (end - sums.from_s).abs() < 1e-6);
        data.push(if joined { 'L' } else { 'M' });
        let level = number(y(value));
        data.push_str(&[&number(x(sums.from_s)), " ", &level, "H"].concat());
        data.push_str(&number(x(sums.until_s)));
        end = Some(sums.until_s);
    }
    data
}

/// The axis that all plots share.
#[derive(Debug)]
struct TimeAxis {
    from_s: f64,
    until_s: f64,
    ticks: Vec<(f64, String)>,
    title: String,
}

impl TimeAxis {
    fn of(input: &PlotInput<'_>) -> TimeAxis {
        let all = || input.outcomes.iter().flat_map(|outcome| &outcome.intervals);
        let from_s = all().map(|sums| sums.from_s).fold(f64::INFINITY, f64::min);
        let from_s = if from_s.is_finite() { from_s } else { 0.0 };
        let until_s = all().map(|sums| sums.until_s).fold(from_s + 60.0, f64::max);
        let shift_s = input.start.map_or(0.0, LocalStart::second_of_day);
        let longest = (until_s - from_s) / 60.0 / 12.0;
        let step = TIME_STEPS.into_iter().find(|step| *step >= longest);
        let step_s = 60.0 * step.unwrap_or_else(|| round_up(longest / 1_440.0) * 1_440.0);
        let mut ticks = Vec::new();
        let mut at = ((from_s + shift_s) / step_s - 1e-9).ceil() * step_s;
        while at <= until_s + shift_s + 1e-6 {
            let label = match input.start {
                Some(_) => clock(at),
                None => input.language.round((at / 60.0).round()),
            };
            ticks.push((at - shift_s, label));
            at += step_s;
        }
        let words = input.language.words();
        let title = match input.start {
            Some(start) => format!("{}, {}", words.local_time, start.day(input.language)),
            None => words.minutes.to_owned(),
        };
        TimeAxis { from_s, until_s, ticks, title }
    }

    fn x(&self, frame: Frame, seconds: f64) -> f64 {
        frame.left + (seconds - self.from_s) / (self.until_s - self.from_s) * frame.width
    }

    fn draw(&self, canvas: &mut Canvas, frame: Frame) {
        for (seconds, label) in &self.ticks {
            let x = self.x(frame, *seconds);
            canvas.line([x, frame.top], [x, frame.bottom()], "stroke=\"#efefea\"");
            canvas.line(
                [x, frame.bottom()],
                [x, frame.bottom() + 5.0],
                &format!("stroke=\"{INK}\""),
            );
            let look = Type::new(12.0).anchored(Anchor::Middle);
            canvas.text([x, frame.bottom() + 19.0], label, look);
        }
    }

    fn title(&self, canvas: &mut Canvas, y: f64) {
        let middle = PLOT_LEFT + PLOT_WIDTH / 2.0;
        canvas.text([middle, y], &self.title, Type::soft(13.0).anchored(Anchor::Middle));
    }
}

/// Hours and minutes of a second of a day or of the days after it.
fn clock(second: f64) -> String {
    let minutes = (second / 60.0).round().rem_euclid(1_440.0);
    format!("{:02}:{:02}", (minutes / 60.0).floor(), minutes % 60.0)
}

impl LocalStart {
    fn local_ms(self) -> i64 {
        let utc_ms = i64::try_from(self.epoch).unwrap_or(i64::MAX / 100).saturating_mul(100);
        utc_ms.saturating_add(i64::from(self.utc_offset_s) * 1_000)
    }

    fn second_of_day(self) -> f64 {
        self.local_ms().rem_euclid(86_400_000) as f64 / 1_000.0
    }

    /// The day of the start, and how far its clock is from UTC.
    fn day(self, language: Language) -> String {
        let date = DateTime::from_timestamp_millis(self.local_ms());
        let format = match language {
            Language::Vi => "%d/%m/%Y",
            Language::En => "%-d %B %Y",
        };
        let date = date.map_or_else(String::new, |date| date.format(format).to_string());
        let sign = if self.utc_offset_s < 0 { '\u{2212}' } else { '+' };
        let minutes = self.utc_offset_s.unsigned_abs() / 60;
        let rest = if minutes.is_multiple_of(60) {
            String::new()
        } else {
            format!(":{:02}", minutes % 60)
        };
        format!("{date} (UTC{sign}{}{rest})", minutes / 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_in_local_time() {
        // 2026-11-22 10:30 UTC
        let start = LocalStart { epoch: 17_953_434_000, utc_offset_s: 25_200 };
        assert_eq!(clock(start.second_of_day()), "17:30");
        assert_eq!(start.day(Language::Vi), "22/11/2026 (UTC+7)");
        assert_eq!(start.day(Language::En), "22 November 2026 (UTC+7)");
        assert_eq!(clock(86_400.0 + 60.0), "00:01");
    }

    #[test]
    fn parts_of_an_interval_are_added_up() {
        let part = |from_s, queue_veh| v1::IntervalFigures {
            interval: Some(v1::TimeSpan { from_s, until_s: from_s + 300.0 }),
            cells: vec![v1::PlaceFigures { queue_veh, ..v1::PlaceFigures::default() }],
            ..v1::IntervalFigures::default()
        };
        let mut series = Series::new("x");
        for (from_s, queue) in [(0.0, 1.0), (0.0, 2.0), (300.0, 5.0)] {
            series.add(&part(from_s, queue));
        }
        let queues: Vec<f64> = series.intervals.iter().map(|sums| sums.queue_veh).collect();
        assert_eq!(queues, [3.0, 5.0]);
        assert_eq!(speed(&series.intervals[0]), None);
    }

    #[test]
    fn an_interval_without_speed_is_a_gap() {
        let of = |from_s: f64, vehicle_h| Sums {
            from_s,
            until_s: from_s + 1.0,
            vehicle_km: 2.0 * vehicle_h,
            vehicle_h,
            ..Sums::default()
        };
        let intervals = vec![of(0.0, 1.0), of(1.0, 1.0), of(2.0, 0.0), of(3.0, 1.0)];
        let series = Series { name: String::new(), intervals };
        assert_eq!(steps(&series, speed, |x| x, |y| y), "M0 2H1L1 2H2M3 2H4");
    }
}
