//! Wards and communes. Names and rough positions are those of the city since July 2025; a ward's
//! area here is all that is nearer to it than to any other (Voronoi), not its legal border.

use super::plane::{BOUNDS_DEG, Spot, turn};
use super::{Place, PlaceKind, slug};

/// Name, latitude and longitude of a middle.
type Seat = (&'static str, f64, f64);

#[rustfmt::skip]
const WARDS: [Seat; 101] = [
    ("Sài Gòn", 10.782, 106.703), ("Bến Thành", 10.772, 106.694), ("Tân Định", 10.791, 106.692),
    ("Cầu Ông Lãnh", 10.764, 106.690), ("Xuân Hòa", 10.781, 106.687), ("Nhiêu Lộc", 10.786, 106.678),
    ("Bàn Cờ", 10.772, 106.681), ("Xóm Chiếu", 10.763, 106.710), ("Khánh Hội", 10.760, 106.702),
    ("Vĩnh Hội", 10.756, 106.695), ("Chợ Quán", 10.756, 106.681), ("An Đông", 10.758, 106.672),
    ("Chợ Lớn", 10.752, 106.660), ("Bình Tây", 10.750, 106.648), ("Bình Tiên", 10.744, 106.641),
    ("Bình Phú", 10.740, 106.630), ("Phú Lâm", 10.752, 106.632), ("Tân Thuận", 10.752, 106.737),
    ("Phú Thuận", 10.728, 106.745), ("Tân Mỹ", 10.722, 106.726), ("Tân Hưng", 10.742, 106.700),
    ("Chánh Hưng", 10.740, 106.680), ("Phú Định", 10.729, 106.636), ("Bình Đông", 10.716, 106.628),
    ("Diên Hồng", 10.771, 106.663), ("Vườn Lài", 10.766, 106.671), ("Hòa Hưng", 10.780, 106.670),
    ("Minh Phụng", 10.759, 106.648), ("Bình Thới", 10.765, 106.642), ("Hòa Bình", 10.772, 106.649),
    ("Phú Thọ", 10.766, 106.654), ("Đông Hưng Thuận", 10.842, 106.624), ("Trung Mỹ Tây", 10.858, 106.617),
    ("Tân Thới Hiệp", 10.868, 106.641), ("Thới An", 10.876, 106.662), ("An Phú Đông", 10.858, 106.697),
    ("An Lạc", 10.735, 106.612), ("Tân Tạo", 10.742, 106.586), ("Bình Tân", 10.790, 106.592),
    ("Bình Trị Đông", 10.766, 106.613), ("Bình Hưng Hòa", 10.803, 106.606), ("Gia Định", 10.803, 106.699),
    ("Bình Thạnh", 10.811, 106.704), ("Bình Lợi Trung", 10.822, 106.701), ("Thạnh Mỹ Tây", 10.801, 106.717),
    ("Bình Quới", 10.822, 106.735), ("Hạnh Thông", 10.824, 106.684), ("An Nhơn", 10.838, 106.684),
    ("Gò Vấp", 10.839, 106.670), ("An Hội Đông", 10.850, 106.661), ("Thông Tây Hội", 10.842, 106.653),
    ("An Hội Tây", 10.843, 106.640), ("Đức Nhuận", 10.807, 106.679), ("Cầu Kiệu", 10.798, 106.688),
    ("Phú Nhuận", 10.796, 106.675), ("Tân Sơn Hòa", 10.805, 106.664), ("Tân Sơn Nhất", 10.796, 106.658),
    ("Tân Hòa", 10.783, 106.655), ("Bảy Hiền", 10.790, 106.648), ("Tân Bình", 10.800, 106.643),
    ("Tân Sơn", 10.822, 106.645), ("Tây Thạnh", 10.813, 106.625), ("Tân Sơn Nhì", 10.799, 106.627),
    ("Phú Thọ Hòa", 10.785, 106.627), ("Tân Phú", 10.786, 106.640), ("Phú Thạnh", 10.775, 106.630),
    ("Hiệp Bình", 10.843, 106.722), ("Thủ Đức", 10.846, 106.757), ("Tam Bình", 10.868, 106.735),
    ("Linh Xuân", 10.874, 106.770), ("Tăng Nhơn Phú", 10.845, 106.793), ("Long Bình", 10.872, 106.830),
    ("Long Phước", 10.808, 106.858), ("Long Trường", 10.796, 106.817), ("Cát Lái", 10.768, 106.780),
    ("Bình Trưng", 10.787, 106.762), ("Phước Long", 10.822, 106.773), ("An Khánh", 10.785, 106.733),
    ("Vĩnh Lộc", 10.826, 106.565), ("Tân Vĩnh Lộc", 10.796, 106.552), ("Tân Nhựt", 10.717, 106.560),
    ("Bình Chánh", 10.668, 106.587), ("Hưng Long", 10.665, 106.632), ("Bình Hưng", 10.712, 106.662),
    ("Củ Chi", 10.955, 106.525), ("Tân An Hội", 10.972, 106.478), ("Thái Mỹ", 11.015, 106.425),
    ("An Nhơn Tây", 11.095, 106.485), ("Nhuận Đức", 11.035, 106.510), ("Phú Hòa Đông", 10.990, 106.570),
    ("Bình Mỹ", 10.955, 106.620), ("Đông Thạnh", 10.903, 106.645), ("Hóc Môn", 10.890, 106.592),
    ("Bà Điểm", 10.848, 106.590), ("Nhà Bè", 10.690, 106.725), ("Hiệp Phước", 10.630, 106.740),
    ("Bình Khánh", 10.610, 106.835), ("An Thới Đông", 10.515, 106.815), ("Cần Giờ", 10.430, 106.920),
    ("Thủ Dầu Một", 10.975, 106.662), ("Dĩ An", 10.905, 106.765),
];

#[rustfmt::skip]
const OUTER_WARDS: [Seat; 12] = [
    ("Lái Thiêu", 10.908, 106.700), ("Thuận An", 10.942, 106.685), ("Thuận Giao", 10.962, 106.714),
    ("Bình Hòa", 10.900, 106.725), ("Bình Dương", 11.052, 106.690), ("Phú An", 11.052, 106.602),
    ("Bến Cát", 11.125, 106.605), ("Tân Hiệp", 11.062, 106.752), ("Tân Uyên", 11.092, 106.808),
    ("Tân Đông Hiệp", 10.938, 106.775), ("Thạnh An", 10.545, 106.970), ("Nhơn Trạch", 10.705, 106.900),
];

/// All wards with their areas, which fill the bounds without gap or overlap.
pub(super) fn wards() -> Vec<Place> {
    let seats: Vec<Seat> = WARDS.iter().chain(&OUTER_WARDS).copied().collect();
    let spots: Vec<Spot> = seats.iter().map(|(_, lat, lon)| Spot::at(*lat, *lon)).collect();
    let ward = |(n, (name, _, _)): (usize, &Seat)| Place {
        id: format!("ward-{}", slug(name)),
        name: (*name).to_owned(),
        kind: PlaceKind::Ward,
        middle: spots[n],
        ring: nearest_area(n, &spots),
    };
    seats.iter().enumerate().map(ward).collect()
}

/// The part of the bounds that is nearer to one spot than to any other.
fn nearest_area(own: usize, spots: &[Spot]) -> Vec<Spot> {
    let [south, west, north, east] = BOUNDS_DEG;
    let corners = [(south, west), (south, east), (north, east), (north, west)];
    let mut ring: Vec<Spot> = corners.iter().map(|(lat, lon)| Spot::at(*lat, *lon)).collect();
    let here = spots[own];
    for (n, other) in spots.iter().enumerate() {
        if n != own {
            let middle = here.toward(*other, 0.5);
            let ahead =
                middle.moved(-(other.north_km - here.north_km), other.east_km - here.east_km);
            ring = left_of(&ring, middle, ahead);
        }
    }
    ring
}

/// Cuts off what is not left of the line from `a` to `b` (Sutherland and Hodgman 1974).
fn left_of(ring: &[Spot], a: Spot, b: Spot) -> Vec<Spot> {
    let mut kept = Vec::with_capacity(ring.len() + 1);
    for (n, corner) in ring.iter().enumerate() {
        let next = ring[(n + 1) % ring.len()];
        let (here, there) = (turn(a, b, *corner), turn(a, b, next));
        if here >= 0.0 {
            kept.push(*corner);
        }
        if (here > 0.0 && there < 0.0) || (here < 0.0 && there > 0.0) {
            kept.push(corner.toward(next, here / (here - there)));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::plane::area_km2;
    use super::*;

    #[test]
    fn wards_fill_the_bounds() {
        let [south, west, north, east] = BOUNDS_DEG;
        let (low, high) = (Spot::at(south, west), Spot::at(north, east));
        let all = (high.east_km - low.east_km) * (high.north_km - low.north_km);
        let sum: f64 = wards().iter().map(|ward| area_km2(&ward.ring)).sum();
        assert!((sum / all - 1.0).abs() < 1e-9, "{sum} of {all} km²");
        assert!(wards().iter().all(|ward| ward.ring.len() >= 3));
    }
}
