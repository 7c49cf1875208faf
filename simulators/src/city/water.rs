//! Rivers and canals: middle lines through hand-set points near their true course, smoothed, with
//! one width each.

use super::plane::{Spot, crosses, nearest_part};

/// A river or canal.
#[derive(Clone, Debug)]
pub struct Waterway {
    /// Stable, ASCII.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// `river` or `canal`.
    pub kind: &'static str,
    /// Half of its width.
    pub half_width_km: f64,
    /// Its middle, downstream.
    pub line: Vec<Spot>,
}

type Course = (&'static str, &'static str, &'static str, f64, &'static [(f64, f64)]);

const COURSES: [Course; 8] = [
    (
        "song-sai-gon",
        "Sông Sài Gòn",
        "river",
        0.13,
        &[
            (11.140, 106.465),
            (11.105, 106.520),
            (11.045, 106.575),
            (11.000, 106.620),
            (10.965, 106.648),
            (10.925, 106.672),
            (10.890, 106.697),
            (10.862, 106.713),
            (10.838, 106.702),
            (10.828, 106.722),
            (10.836, 106.744),
            (10.815, 106.752),
            (10.803, 106.738),
            (10.797, 106.722),
            (10.785, 106.709),
            (10.773, 106.707),
            (10.763, 106.716),
            (10.768, 106.738),
            (10.762, 106.752),
            (10.750, 106.762),
        ],
    ),
    (
        "song-nha-be",
        "Sông Nhà Bè",
        "river",
        0.35,
        &[(10.750, 106.762), (10.720, 106.765), (10.690, 106.768), (10.660, 106.775)],
    ),
    (
        "song-soai-rap",
        "Sông Soài Rạp",
        "river",
        0.45,
        &[
            (10.660, 106.775),
            (10.620, 106.767),
            (10.575, 106.765),
            (10.525, 106.735),
            (10.480, 106.755),
            (10.430, 106.790),
        ],
    ),
    (
        "song-dong-nai",
        "Sông Đồng Nai",
        "river",
        0.30,
        &[
            (11.080, 106.945),
            (11.000, 106.880),
            (10.945, 106.825),
            (10.900, 106.850),
            (10.845, 106.868),
            (10.795, 106.845),
            (10.755, 106.835),
            (10.745, 106.795),
            (10.750, 106.762),
        ],
    ),
    (
        "kenh-nhieu-loc-thi-nghe",
        "Kênh Nhiêu Lộc – Thị Nghè",
        "canal",
        0.02,
        &[
            (10.799, 106.656),
            (10.790, 106.667),
            (10.784, 106.676),
            (10.793, 106.688),
            (10.791, 106.699),
            (10.785, 106.708),
        ],
    ),
    (
        "kenh-tau-hu-ben-nghe",
        "Kênh Tàu Hủ – Bến Nghé",
        "canal",
        0.03,
        &[
            (10.722, 106.626),
            (10.738, 106.640),
            (10.747, 106.655),
            (10.751, 106.675),
            (10.757, 106.690),
            (10.767, 106.706),
        ],
    ),
    (
        "kenh-doi-kenh-te",
        "Kênh Đôi – Kênh Tẻ",
        "canal",
        0.04,
        &[
            (10.716, 106.622),
            (10.732, 106.645),
            (10.742, 106.670),
            (10.750, 106.690),
            (10.752, 106.712),
            (10.760, 106.726),
        ],
    ),
    (
        "kenh-tham-luong",
        "Kênh Tham Lương – Rạch Nước Lên",
        "canal",
        0.02,
        &[
            (10.868, 106.692),
            (10.852, 106.660),
            (10.832, 106.628),
            (10.800, 106.606),
            (10.765, 106.603),
            (10.730, 106.610),
        ],
    ),
];

/// All rivers and canals.
pub fn waterways() -> Vec<Waterway> {
    let waterway = |(id, name, kind, half_width_km, points): &Course| {
        let mut line: Vec<Spot> = points.iter().map(|(lat, lon)| Spot::at(*lat, *lon)).collect();
        for _ in 0..3 {
            line = smoothed(&line);
        }
        Waterway { id, name, kind, half_width_km: *half_width_km, line }
    };
    COURSES.iter().map(waterway).collect()
}

/// Cuts each corner at a quarter of its sides (Chaikin 1974); the ends stay.
fn smoothed(line: &[Spot]) -> Vec<Spot> {
    let mut smooth = Vec::with_capacity(line.len() * 2);
    smooth.extend(line.first());
    for pair in line.windows(2) {
        smooth.push(pair[0].toward(pair[1], 0.25));
        smooth.push(pair[0].toward(pair[1], 0.75));
    }
    smooth.extend(line.last());
    smooth
}

impl Waterway {
    /// Whether it must be bridged: a river, not a canal.
    pub fn is_river(&self) -> bool {
        self.kind == "river"
    }

    /// Its length.
    pub fn length_km(&self) -> f64 {
        self.line.windows(2).map(|pair| pair[0].distance_km(pair[1])).sum()
    }

    /// The nearest point of its middle.
    pub fn nearest(&self, spot: Spot) -> Spot {
        let mut best = (f64::INFINITY, spot);
        for pair in self.line.windows(2) {
            let near = pair[0].toward(pair[1], nearest_part(pair[0], pair[1], spot));
            let distance = near.distance_km(spot);
            if distance < best.0 {
                best = (distance, near);
            }
        }
        best.1
    }

    /// Whether a straight street crosses it.
    pub fn is_crossed(&self, from: Spot, to: Spot) -> bool {
        self.line.windows(2).any(|pair| crosses(from, to, pair[0], pair[1]))
    }

    /// The spot `along_km` downstream, `aside_km` left of the middle.
    pub fn spot_at(&self, along_km: f64, aside_km: f64) -> Spot {
        let mut left = along_km;
        let last = self.line.len().saturating_sub(2);
        for (n, pair) in self.line.windows(2).enumerate() {
            let length = pair[0].distance_km(pair[1]);
            if left <= length || n == last {
                let (x, y) = normal(pair[0], pair[1]);
                let middle = pair[0].toward(pair[1], (left / length).clamp(0.0, 1.0));
                return middle.moved(x * aside_km, y * aside_km);
            }
            left -= length;
        }
        self.line.first().copied().unwrap_or(Spot::new(0.0, 0.0))
    }

    /// Its banks as an open ring, counter-clockwise or clockwise.
    pub fn banks(&self) -> Vec<Spot> {
        let side = |sign: f64| {
            let width = sign * self.half_width_km;
            (0..self.line.len()).map(move |n| {
                let (x, y) = normal(
                    self.line[n.saturating_sub(1)],
                    self.line[(n + 1).min(self.line.len() - 1)],
                );
                self.line[n].moved(x * width, y * width)
            })
        };
        let left: Vec<Spot> = side(1.0).collect();
        let mut ring: Vec<Spot> = side(-1.0).collect();
        ring.extend(left.into_iter().rev());
        ring
    }
}

/// The unit vector to the left of the way from `a` to `b`.
fn normal(a: Spot, b: Spot) -> (f64, f64) {
    let length = a.distance_km(b);
    ((a.north_km - b.north_km) / length, (b.east_km - a.east_km) / length)
}
