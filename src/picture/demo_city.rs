//! A made-up city for tests: a grid of streets with a river through it, bridges over the river,
//! and one of them closed.

use citytwin_proto::v1;

/// Streets from west to east and from south to north, and metres between them.
const COLUMNS: i32 = 18;
const ROWS: i32 = 15;
const BLOCK_M: f64 = 260.0;

/// Columns that cross the river, with the names of the bridges.
const BRIDGES: [(i32, &str); 3] = [(3, "Cầu Thị Nghè"), (8, "Cầu Sài Gòn"), (14, "Cầu Thủ Thiêm")];

/// The river flows between this row and the next.
const RIVER: i32 = 7;

const AVENUES: [&str; 6] = [
    "Nguyễn Thị Minh Khai",
    "Điện Biên Phủ",
    "Võ Văn Kiệt",
    "Trường Chinh",
    "Nguyễn Hữu Cảnh",
    "Phạm Văn Đồng",
];
const STREETS: [&str; 5] =
    ["Lê Lợi", "Tôn Đức Thắng", "Pasteur", "Hai Bà Trưng", "Nam Kỳ Khởi Nghĩa"];

#[derive(Debug)]
pub(super) struct City {
    pub(super) links: Vec<v1::RoadLink>,
    pub(super) comparison: v1::CompareOutcomesResponse,
    pub(super) edited: Vec<String>,
}

fn point(column: f64, row: f64) -> v1::Point {
    // bent a little, as the river bends
    let (x, y) = (column * BLOCK_M, row * BLOCK_M + 160.0 * (column / 3.5).sin());
    v1::Point { latitude_deg: 10.765 + y / 111_195.0, longitude_deg: 106.685 + x / 109_240.0 }
}

/// Evenly mixed bits in [0, 1): the same in each run.
fn chance(seed: u64) -> f64 {
    let mut bits = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (bits >> 40) as f64 / (1_u64 << 24) as f64
}

/// Class and name of the street along a line of the grid.
fn street(line: i32, names: &[&str]) -> (&'static str, String) {
    let name = names[usize::try_from(line / 3).unwrap() % names.len()].to_owned();
    match line % 6 {
        0 => ("primary", name),
        3 => ("secondary", name),
        1 | 5 => ("tertiary", format!("Đường số {line}")),
        _ => ("residential", String::new()),
    }
}

pub(super) fn city() -> City {
    let mut links = Vec::new();
    for row in 0..ROWS {
        for column in 0..COLUMNS - 1 {
            let (class, name) = street(row, &AVENUES);
            both(&mut links, [column, row], [column + 1, row], class, &name);
        }
    }
    for column in 0..COLUMNS {
        for row in 0..ROWS - 1 {
            let bridge = BRIDGES.iter().find(|(at, _)| *at == column);
            let (class, name) = match (row == RIVER, bridge) {
                (true, None) => continue,
                (true, Some((_, name))) => ("trunk", (*name).to_owned()),
                (false, Some(_)) => {
                    ("primary", STREETS[usize::try_from(column % 5).unwrap()].into())
                }
                (false, None) => street(column, &STREETS),
            };
            both(&mut links, [column, row], [column, row + 1], class, &name);
        }
    }
    let comparison = comparison(&links);
    let edited = vec!["8/7-8/8".to_owned(), "8/8-8/7".to_owned()];
    City { links, comparison, edited }
}

fn both(links: &mut Vec<v1::RoadLink>, from: [i32; 2], to: [i32; 2], class: &str, name: &str) {
    let junction = |[column, row]: [i32; 2]| format!("{column}/{row}");
    for (from, to) in [(from, to), (to, from)] {
        let share = |part: f64| {
            let at =
                |axis: usize| f64::from(from[axis]).mul_add(1.0 - part, f64::from(to[axis]) * part);
            point(at(0), at(1))
        };
        links.push(v1::RoadLink {
            key: format!("{}-{}", junction(from), junction(to)),
            from_junction: junction(from),
            to_junction: junction(to),
            name: name.to_owned(),
            class: class.to_owned(),
            length_m: BLOCK_M,
            lanes: 2,
            free_speed_kmh: 40.0,
            capacity_pcu_h: 2_400.0,
            line: (0..=4).map(|part| share(f64::from(part) / 4.0)).collect(),
        });
    }
}

/// The middle bridge is closed: its neighbours fill, the ways to it empty.
fn comparison(links: &[v1::RoadLink]) -> v1::CompareOutcomesResponse {
    let mut differences = Vec::new();
    for (seed, link) in (1_u64..).zip(links) {
        let ends = [&link.from_junction, &link.to_junction].map(|key| {
            let (column, row) = key.split_once('/').unwrap();
            [column.parse::<f64>().unwrap(), row.parse::<f64>().unwrap()]
        });
        let middle = [0, 1].map(|axis| f64::midpoint(ends[0][axis], ends[1][axis]));
        let near = |column: f64| {
            let (across, along) = ((middle[0] - column) / 1.3, (middle[1] - 7.5) / 3.4);
            (-(across * across) - along * along).exp()
        };
        let major =
            if matches!(&*link.class, "trunk" | "primary" | "secondary") { 1.0 } else { 0.2 };
        let towards = if ends[1][1] > ends[0][1] { 1.0 } else { 0.45 };
        let more = near(3.0) * 0.7 + near(14.0) * 0.5 - near(8.0);
        let flow = more * major * towards * 1_500.0 * (0.5 + chance(seed));
        let delay = flow / 130.0 * (0.3 + 1.4 * chance(seed + 7_000));
        if flow.abs() > 4.0 {
            differences.push(v1::LinkDifference {
                link: link.key.clone(),
                name: link.name.clone(),
                found: "both".to_owned(),
                flow_veh_h: flow,
                delay_veh_h: delay,
                speed_kmh: -delay,
                density_veh_km: delay,
                queue_veh: delay.max(0.0),
            });
        }
    }
    let totals = |delay_veh_h, vehicle_h, speed| v1::Totals {
        delay_veh_h,
        vehicle_h,
        speed_kmh: Some(speed),
        ..v1::Totals::default()
    };
    v1::CompareOutcomesResponse {
        first: Some(totals(1_834.2, 6_120.0, 28.4)),
        second: Some(totals(2_391.7, 6_702.5, 25.9)),
        links_changed: u32::try_from(differences.len()).unwrap() + 41,
        links: differences,
        ..v1::CompareOutcomesResponse::default()
    }
}

/// An evening of 5-minute intervals; the peak is as high as asked for.
pub(super) fn evening(peak: f64) -> Vec<v1::IntervalFigures> {
    let interval = |number: i32| {
        let from_s = f64::from(number) * 300.0;
        let busy = (-((from_s - 4_500.0) / 2_400.0).powi(2)).exp() * peak;
        let vehicle_h = 180.0 * (1.0 + busy);
        let cell = v1::PlaceFigures {
            key: "8965b566183ffff".to_owned(),
            vehicle_km: vehicle_h * (36.0 - 14.0 * busy),
            vehicle_h,
            delay_veh_h: 25.0 + 110.0 * busy,
            queue_veh: 60.0 + 700.0 * busy * busy,
            speed_kmh: None,
        };
        v1::IntervalFigures {
            interval: Some(v1::TimeSpan { from_s, until_s: from_s + 300.0 }),
            cells: vec![cell],
            ..v1::IntervalFigures::default()
        }
    };
    (0..30).map(interval).collect()
}
