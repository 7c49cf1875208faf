//! Industrial zones, export processing zones, the high-tech park and ports: true names, rough
//! positions and sizes; the outline is generated.

use std::f64::consts::TAU;

use super::plane::Spot;
use super::{Place, PlaceKind, slug};
use crate::chance::{draw, unit};

/// Name, latitude, longitude, hectares.
type Site = (&'static str, f64, f64, f64);

#[rustfmt::skip]
const SITES: [Site; 27] = [
    ("Khu chế xuất Tân Thuận", 10.755, 106.742, 300.0),
    ("Khu chế xuất Linh Trung 1", 10.869, 106.787, 62.0),
    ("Khu chế xuất Linh Trung 2", 10.893, 106.727, 62.0),
    ("Khu công nghiệp Hiệp Phước", 10.639, 106.745, 930.0),
    ("Khu công nghiệp Tân Bình", 10.815, 106.624, 129.0),
    ("Khu công nghiệp Cát Lái", 10.775, 106.775, 124.0),
    ("Cảng Cát Lái", 10.764, 106.790, 160.0),
    ("Khu công nghiệp Bình Chiểu", 10.886, 106.737, 28.0),
    ("Khu công nghiệp Tân Tạo", 10.746, 106.590, 380.0),
    ("Khu công nghiệp Vĩnh Lộc", 10.823, 106.592, 203.0),
    ("Khu công nghiệp Đông Nam", 11.010, 106.612, 287.0),
    ("Khu công nghệ cao", 10.853, 106.797, 913.0),
    ("Khu công nghiệp Lê Minh Xuân", 10.742, 106.542, 100.0),
    ("Khu công nghiệp Phong Phú", 10.698, 106.643, 148.0),
    ("Khu công nghiệp An Hạ", 10.812, 106.511, 123.0),
    ("Khu công nghiệp Tân Thới Hiệp", 10.874, 106.636, 28.0),
    ("Khu công nghiệp Tây Bắc Củ Chi", 10.985, 106.480, 208.0),
    ("Khu công nghiệp Tân Phú Trung", 10.945, 106.545, 542.0),
    ("Khu công nghiệp Cơ khí ô tô", 10.998, 106.560, 99.0),
    ("Khu công nghiệp Việt Nam – Singapore 1", 10.925, 106.715, 500.0),
    ("Khu công nghiệp Việt Nam – Singapore 2", 11.065, 106.680, 345.0),
    ("Khu công nghiệp Sóng Thần 1", 10.902, 106.748, 178.0),
    ("Khu công nghiệp Sóng Thần 2", 10.918, 106.760, 279.0),
    ("Khu công nghiệp Đồng An", 10.908, 106.733, 138.0),
    ("Khu công nghiệp Mỹ Phước 1", 11.120, 106.612, 377.0),
    ("Khu công nghiệp Nhơn Trạch 1", 10.730, 106.890, 448.0),
    ("Khu công viên phần mềm Quang Trung", 10.854, 106.628, 43.0),
];

/// All zones with outlines of their true size.
pub(super) fn zones(seed: u64) -> Vec<Place> {
    let zone = |(n, (name, lat, lon, hectares)): (u64, &Site)| {
        let middle = Spot::at(*lat, *lon);
        Place {
            id: format!("zone-{}", slug(name)),
            name: (*name).to_owned(),
            kind: PlaceKind::IndustrialZone,
            middle,
            ring: outline(draw(seed, n), middle, hectares / 100.0),
        }
    };
    (0..).zip(&SITES).map(zone).collect()
}

/// A turned ellipse with eight corners of uneven reach, of exactly the wanted area.
fn outline(seed: u64, middle: Spot, area_km2: f64) -> Vec<Spot> {
    let turn = unit(draw(seed, 100)) * TAU;
    let long = unit(draw(seed, 101)).mul_add(0.5, 1.1);
    let ring: Vec<Spot> = (0..8_u32)
        .map(|n| {
            let angle = TAU * f64::from(n) / 8.0;
            let reach = unit(draw(seed, u64::from(n))).mul_add(0.3, 0.85);
            let (x, y) = (angle.cos() * long * reach, angle.sin() / long * reach);
            Spot::new(
                x.mul_add(turn.cos(), -(y * turn.sin())),
                x.mul_add(turn.sin(), y * turn.cos()),
            )
        })
        .collect();
    let scale = (area_km2 / super::plane::area_km2(&ring)).sqrt();
    ring.iter().map(|spot| middle.moved(spot.east_km * scale, spot.north_km * scale)).collect()
}
