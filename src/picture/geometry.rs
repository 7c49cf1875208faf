//! Lines on a plane: metres around a place (local equirectangular projection, true to scale over a
//! city), what part of the plane a frame shows, and lines beside lines.

use citytwin_proto::v1;

use super::canvas::{Frame, Px};

/// Metres along a degree of latitude, for the mean radius of the Earth (6,371,008.8 m).
const METRES_PER_DEGREE: f64 = 111_195.08;

/// Corners of an offset line reach at most this many times as far as its straight parts.
const MAX_MITRE: f64 = 2.0;

/// East and north, metres.
pub(super) type Metres = [f64; 2];

/// Flat around one latitude.
#[derive(Clone, Copy, Debug)]
pub(super) struct Projection {
    latitude_deg: f64,
    longitude_deg: f64,
    squeeze: f64,
}

impl Projection {
    /// Around the middle of all lines.
    pub(super) fn around<'a>(links: impl Iterator<Item = &'a v1::RoadLink>) -> Projection {
        let mut bounds = Bounds::NONE;
        for point in links.flat_map(|link| &link.line) {
            bounds.include([point.longitude_deg, point.latitude_deg]);
        }
        let [longitude_deg, latitude_deg] = bounds.middle();
        Projection { latitude_deg, longitude_deg, squeeze: latitude_deg.to_radians().cos() }
    }

    pub(super) fn metres(&self, point: &v1::Point) -> Metres {
        [
            (point.longitude_deg - self.longitude_deg) * METRES_PER_DEGREE * self.squeeze,
            (point.latitude_deg - self.latitude_deg) * METRES_PER_DEGREE,
        ]
    }
}

/// An upright box, open where nothing was included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    pub(super) low: [f64; 2],
    pub(super) high: [f64; 2],
}

impl Bounds {
    pub(super) const NONE: Bounds =
        Bounds { low: [f64::INFINITY; 2], high: [f64::NEG_INFINITY; 2] };

    pub(super) fn include(&mut self, point: [f64; 2]) {
        for (axis, value) in point.into_iter().enumerate() {
            self.low[axis] = self.low[axis].min(value);
            self.high[axis] = self.high[axis].max(value);
        }
    }

    pub(super) fn is_none(&self) -> bool {
        self.low[0] > self.high[0]
    }

    /// The origin for none.
    pub(super) fn middle(&self) -> [f64; 2] {
        if self.is_none() {
            return [0.0; 2];
        }
        [0, 1].map(|axis| f64::midpoint(self.low[axis], self.high[axis]))
    }

    pub(super) fn size(&self) -> [f64; 2] {
        if self.is_none() { [0.0; 2] } else { [0, 1].map(|axis| self.high[axis] - self.low[axis]) }
    }
}

/// Which part of the plane a frame shows, north up.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) frame: Frame,
    middle: Metres,
    pub(super) px_per_m: f64,
}

impl View {
    /// All of the bounds in the frame with a share of it free on each side; never closer than
    /// so many metres across.
    pub(super) fn of(bounds: &Bounds, frame: Frame, margin: f64, least_m: f64) -> View {
        let [width, height] = bounds.size();
        let free = 1.0 - 2.0 * margin;
        let across = (frame.width * free / width).min(frame.height * free / height);
        let px_per_m = across.min(frame.width / least_m);
        View { frame, middle: bounds.middle(), px_per_m }
    }

    /// Moved so that as little as can be of the frame lies beyond these bounds, with a share of it
    /// free on each side.
    pub(super) fn kept_in(self, bounds: &Bounds, margin: f64) -> View {
        if bounds.is_none() {
            return self;
        }
        let frame = [self.frame.width, self.frame.height];
        let middle = [0, 1].map(|axis| {
            let half = frame[axis] * (0.5 - margin) / self.px_per_m;
            let (low, high) = (bounds.low[axis] + half, bounds.high[axis] - half);
            if low >= high { bounds.middle()[axis] } else { self.middle[axis].clamp(low, high) }
        });
        View { middle, ..self }
    }

    /// What lies in the middle of the frame.
    pub(super) const fn middle(&self) -> Metres {
        self.middle
    }

    pub(super) fn px(&self, [east, north]: Metres) -> Px {
        let [x, y] = self.frame.centre();
        [x + (east - self.middle[0]) * self.px_per_m, y - (north - self.middle[1]) * self.px_per_m]
    }

    /// The line, without points that lie on top of each other.
    pub(super) fn line(&self, line: &[Metres], nearest_px: f64) -> Vec<Px> {
        let mut points: Vec<Px> = Vec::with_capacity(line.len());
        for (place, point) in line.iter().enumerate() {
            let point = self.px(*point);
            match points.last() {
                Some(last) if distance(*last, point) < nearest_px => {
                    // the end of a line stays where it is
                    if place + 1 == line.len() && points.len() > 1 {
                        points.pop();
                        points.push(point);
                    } else if place + 1 == line.len() && distance(points[0], point) > 0.0 {
                        points.push(point);
                    }
                }
                Some(_) | None => points.push(point),
            }
        }
        points
    }

    /// Whether all of the bounds is in the frame.
    pub(super) fn shows_all(&self, bounds: &Bounds) -> bool {
        bounds.is_none()
            || [bounds.low, bounds.high].iter().all(|at| self.frame.holds(self.px(*at)))
    }

    /// Whether a line may show in the frame.
    pub(super) fn shows(&self, points: &[Px]) -> bool {
        let mut bounds = Bounds::NONE;
        for point in points {
            bounds.include(*point);
        }
        let frame = self.frame.grown(12.0);
        !bounds.is_none()
            && bounds.low[0] <= frame.right()
            && bounds.high[0] >= frame.left
            && bounds.low[1] <= frame.bottom()
            && bounds.high[1] >= frame.top
    }
}

pub(super) fn distance(from: Px, to: Px) -> f64 {
    (to[0] - from[0]).hypot(to[1] - from[1])
}

pub(super) fn length(line: &[Px]) -> f64 {
    line.windows(2).map(|pair| distance(pair[0], pair[1])).sum()
}

/// The point at a share of the length, and the direction there (unit, px). `None` for a point.
pub(super) fn along(line: &[Px], share: f64) -> Option<(Px, Px)> {
    let mut left = length(line) * share;
    let mut found = None;
    for pair in line.windows(2) {
        let step = distance(pair[0], pair[1]);
        if step <= 0.0 {
            continue;
        }
        let direction = [(pair[1][0] - pair[0][0]) / step, (pair[1][1] - pair[0][1]) / step];
        let go = left.min(step);
        let point = [pair[0][0] + direction[0] * go, pair[0][1] + direction[1] * go];
        found = Some((point, direction));
        if left <= step {
            break;
        }
        left -= step;
    }
    found
}

/// The line so many px to the right of its direction, as traffic keeps right.
pub(super) fn beside(line: &[Px], right_px: f64) -> Vec<Px> {
    let normals: Vec<Px> = line
        .windows(2)
        .map(|pair| {
            let step = distance(pair[0], pair[1]).max(1e-9);
            [-(pair[1][1] - pair[0][1]) / step, (pair[1][0] - pair[0][0]) / step]
        })
        .collect();
    let Some(last) = normals.len().checked_sub(1) else { return line.to_vec() };
    let corner = |place: usize| {
        let (before, after) = (normals[place.saturating_sub(1)], normals[place.min(last)]);
        let sum = [before[0] + after[0], before[1] + after[1]];
        // |sum|² = 2 (1 + cos turn); the mitre is sum / (1 + cos turn)
        let square = sum[0].mul_add(sum[0], sum[1] * sum[1]);
        let mitre = (2.0 / square.sqrt().max(1e-9)).min(MAX_MITRE);
        let unit = square.sqrt().max(1e-9);
        [sum[0] / unit * mitre, sum[1] / unit * mitre]
    };
    let moved = |(place, point): (usize, &Px)| {
        let [x, y] = corner(place);
        [point[0] + x * right_px, point[1] + y * right_px]
    };
    line.iter().enumerate().map(moved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_street_to_the_east_moves_south_and_its_corner_keeps_the_distance() {
        let line = [[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]];
        let moved = beside(&line, 2.0);
        for (point, expected) in moved.iter().zip([[0.0, 2.0], [8.0, 2.0], [8.0, 10.0]]) {
            assert!(distance(*point, expected) < 1e-9, "{point:?}");
        }
    }

    #[test]
    fn a_kilometre_is_as_long_in_each_direction() {
        let at = |latitude_deg, longitude_deg| v1::Point { latitude_deg, longitude_deg };
        let link = v1::RoadLink { line: vec![at(60.0, 10.0)], ..v1::RoadLink::default() };
        let projection = Projection::around([&link].into_iter());
        let degree = 1_000.0 / METRES_PER_DEGREE;
        let [_, north] = projection.metres(&at(60.0 + degree, 10.0));
        let [east, _] = projection.metres(&at(60.0, 10.0 + 2.0 * degree));
        assert!((north - 1_000.0).abs() < 1e-6 && (east - 1_000.0).abs() < 1e-6);
    }

    #[test]
    fn the_middle_of_a_bent_line() {
        let (point, direction) = along(&[[0.0, 0.0], [4.0, 0.0], [4.0, 8.0]], 0.5).unwrap();
        assert!(distance(point, [4.0, 2.0]) < 1e-9 && distance(direction, [0.0, 1.0]) < 1e-9);
        assert!(along(&[[1.0, 1.0]], 0.5).is_none());
    }
}
