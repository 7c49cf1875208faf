//! The name of what a start is estimated from, known before anything is estimated: SHA-256 over
//! measurements and settings. With the network, it stands for the start.
//!
//! What is hashed, in this order; numbers are little-endian, an option is a byte 0 or 1 before its
//! value:
//!
//! ```text
//! "citytwin start 1"
//! settings  both shares of ends
//! links     each: number (4), flow, speed and occupancy (options), freshness
//! ```
//!
//! Any change here, or one of the estimation that changes its numbers, is a new version.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::estimate::EstimateSettings;
use super::measure::Measurements;

const FORMAT: &str = "citytwin start 1";

/// What a start is estimated from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin([u8; 32]);

impl Origin {
    /// Of measurements on a network. O(measured links).
    pub fn of(measurements: &Measurements, settings: EstimateSettings) -> Origin {
        let mut hash = Sha256::new();
        hash.update(FORMAT);
        hash.update(settings.ends_share.to_le_bytes());
        hash.update(settings.zone_ends_share.to_le_bytes());
        for one in &measurements.links {
            hash.update(one.link.number().to_le_bytes());
            for value in [one.flow_veh_h, one.speed_kmh, one.occupancy_ratio] {
                hash.update([u8::from(value.is_some())]);
                hash.update(value.map(f64::to_le_bytes).unwrap_or_default());
            }
            hash.update(one.freshness.to_le_bytes());
        }
        Origin(hash.finalize().into())
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::measure::LinkMeasurement;
    use super::*;
    use crate::road::LinkIndex;

    #[test]
    fn whatever_counts_for_the_start_is_in_the_name() {
        let link = LinkMeasurement {
            link: LinkIndex::new(3),
            flow_veh_h: Some(600.0),
            speed_kmh: Some(30.0),
            occupancy_ratio: None,
            sensors: 2,
            freshness: 0.5,
        };
        let name = |links: &[LinkMeasurement], settings| {
            let links = links.to_vec();
            Origin::of(&Measurements { links, ..Measurements::default() }, settings)
        };
        let usual = EstimateSettings::default();
        let others = [
            name(&[], usual),
            name(&[link, link], usual),
            name(&[LinkMeasurement { link: LinkIndex::new(4), ..link }], usual),
            name(&[LinkMeasurement { flow_veh_h: Some(601.0), ..link }], usual),
            name(&[LinkMeasurement { speed_kmh: None, ..link }], usual),
            name(
                &[LinkMeasurement { speed_kmh: None, occupancy_ratio: link.speed_kmh, ..link }],
                usual,
            ),
            name(&[LinkMeasurement { freshness: 0.4, ..link }], usual),
            name(&[link], EstimateSettings { ends_share: 0.1, ..usual }),
            name(&[link], EstimateSettings { zone_ends_share: 0.1, ..usual }),
        ];
        let first = name(&[link], usual);
        for (row, other) in others.iter().enumerate() {
            assert_ne!(*other, first, "{row}");
            assert!(others[..row].iter().all(|before| before != other), "{row}");
        }
        assert_eq!(name(&[LinkMeasurement { sensors: 9, ..link }], usual), first);
    }
}
