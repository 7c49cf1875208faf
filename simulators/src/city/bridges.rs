//! Bridges and tunnels over the rivers: true names near their true positions. A river is crossed
//! at these and nowhere else, so that closing one sends its traffic a long way round.

use super::StreetClass;
use super::plane::Spot;

/// Name, latitude, longitude.
type Crossing = (&'static str, f64, f64);

/// Those of inner city and ring roads first: where two want the same street, the first has it.
#[rustfmt::skip]
const CROSSINGS: [Crossing; 17] = [
    ("Cầu Sài Gòn", 10.7985, 106.7270), ("Cầu Bình Lợi", 10.8265, 106.7095),
    ("Cầu Thủ Thiêm", 10.7870, 106.7185), ("Cầu Ba Son", 10.7805, 106.7085),
    ("Hầm sông Sài Gòn", 10.7715, 106.7080), ("Cầu Phú Mỹ", 10.7450, 106.7440),
    ("Cầu Bình Phước", 10.8620, 106.7150), ("Cầu Phú Long", 10.8970, 106.6920),
    ("Cầu Phú Cường", 10.9820, 106.6420), ("Cầu Phú Thuận", 11.0300, 106.5930),
    ("Cầu Bến Súc", 11.1100, 106.5150), ("Cầu Đồng Nai", 10.9000, 106.8450),
    ("Cầu Hóa An", 10.9370, 106.8000), ("Cầu Long Thành", 10.8250, 106.8560),
    ("Cầu Nhơn Trạch", 10.7900, 106.8350), ("Cầu Bạch Đằng", 11.0450, 106.9000),
    ("Cầu Bình Khánh", 10.6670, 106.7700),
];

/// A great street is taken for a bridge although it lies this much further away, in km.
const fn handicap_km(class: StreetClass) -> f64 {
    match class {
        StreetClass::Trunk => 0.0,
        StreetClass::Primary => 0.4,
        StreetClass::Secondary | StreetClass::Tertiary | StreetClass::Residential => 0.8,
    }
}

/// Which of the streets that cross a river, each with its middle and class, becomes which bridge:
/// the number of the street and the name.
pub(super) fn chosen(streets: &[(Spot, StreetClass)]) -> Vec<(usize, &'static str)> {
    let mut chosen: Vec<(usize, &'static str)> = Vec::with_capacity(CROSSINGS.len());
    for (name, latitude, longitude) in CROSSINGS {
        let wanted = Spot::at(latitude, longitude);
        let cost = |n: usize| wanted.distance_km(streets[n].0) + handicap_km(streets[n].1);
        let nearest = (0..streets.len())
            .filter(|n| !chosen.iter().any(|(taken, _)| taken == n))
            .min_by(|a, b| cost(*a).total_cmp(&cost(*b)));
        chosen.extend(nearest.map(|n| (n, name)));
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_great_street_becomes_the_bridge_once() {
        let street = |latitude, class| (Spot::at(latitude, 106.7270), class);
        let streets = [
            street(10.7990, StreetClass::Secondary),
            street(10.8000, StreetClass::Trunk),
            street(10.7950, StreetClass::Primary),
        ];
        let chosen = chosen(&streets);
        assert_eq!(chosen.len(), 3, "every street is one bridge at most: {chosen:?}");
        assert_eq!(chosen[0], (1, "Cầu Sài Gòn"));
    }
}
