//! What the tags of a way say about driving on it (OSM wiki: Key:highway, Key:oneway, Key:lanes,
//! Key:maxspeed, Key:access, Key:junction).

use citytwin_core::road::RoadClass;

/// Kilometres in a mile.
const KM_PER_MILE: f64 = 1.609_344;
/// Kilometres in a nautical mile.
const KM_PER_KNOT: f64 = 1.852;

/// The tags of a way that matter; everything else is counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct WayTags {
    pub(super) highway: String,
    pub(super) oneway: String,
    pub(super) junction: String,
    pub(super) lanes: String,
    pub(super) lanes_forward: String,
    pub(super) lanes_backward: String,
    pub(super) maxspeed: String,
    pub(super) name: String,
    area: String,
    access: [String; 5],
    pub(super) ignored: u64,
}

/// From the general to the special: the last that is set decides.
const ACCESS: [&str; 5] = ["access", "vehicle", "motor_vehicle", "motorcar", "motorcycle"];

/// Which ways are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    Backward,
    Both,
}

/// Why a way is no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeftOut {
    /// It is no highway at all.
    NoRoad,
    /// A highway for others: foot, cycle, service, track, being built...
    Other,
    /// A road that motor vehicles may not use.
    Closed,
}

impl WayTags {
    pub(super) fn of<'a>(tags: impl Iterator<Item = (&'a str, &'a str)>) -> WayTags {
        let mut found = WayTags::default();
        for (key, value) in tags {
            let field = match key {
                "highway" => &mut found.highway,
                "oneway" => &mut found.oneway,
                "junction" => &mut found.junction,
                "lanes" => &mut found.lanes,
                "lanes:forward" => &mut found.lanes_forward,
                "lanes:backward" => &mut found.lanes_backward,
                "maxspeed" => &mut found.maxspeed,
                "name" => &mut found.name,
                "area" => &mut found.area,
                _ => {
                    let Some(at) = ACCESS.iter().position(|name| *name == key) else {
                        found.ignored += 1;
                        continue;
                    };
                    &mut found.access[at]
                }
            };
            value.clone_into(field);
        }
        found
    }

    /// The class of the road, or why it is none.
    pub(super) fn class(&self) -> Result<RoadClass, LeftOut> {
        if self.highway.is_empty() {
            return Err(LeftOut::NoRoad);
        }
        let class = match self.highway.as_str() {
            // A road of which only that is known.
            "road" => RoadClass::Unclassified,
            name => RoadClass::from_name(name).ok_or(LeftOut::Other)?,
        };
        if class == RoadClass::Connector || self.area == "yes" {
            return Err(LeftOut::Other);
        }
        if self.is_open() { Ok(class) } else { Err(LeftOut::Closed) }
    }

    /// Open to cars or to motorcycles, which are most of the traffic here.
    fn is_open(&self) -> bool {
        let [access, vehicle, motor, car, motorcycle] =
            self.access.each_ref().map(|value| match value.as_str() {
                "" => None,
                "no" | "private" | "agricultural" | "forestry" => Some(false),
                _ => Some(true),
            });
        let general = motor.or(vehicle).or(access).unwrap_or(true);
        car.unwrap_or(general) || motorcycle.unwrap_or(general)
    }

    /// Which way it may be driven. Motorways and roundabouts are one-way unless they say no.
    pub(super) fn direction(&self) -> Direction {
        match self.oneway.as_str() {
            "yes" | "true" | "1" => Direction::Forward,
            "-1" | "reverse" => Direction::Backward,
            "no" | "false" | "0" => Direction::Both,
            _ => {
                let implied = matches!(self.junction.as_str(), "roundabout" | "circular")
                    || matches!(self.highway.as_str(), "motorway" | "motorway_link");
                if implied { Direction::Forward } else { Direction::Both }
            }
        }
    }

    /// Lanes forward and backward where the tags say so. An odd lane of a two-way road goes to
    /// neither: it is for turning.
    pub(super) fn lanes(&self) -> (Option<i64>, Option<i64>) {
        let count = |text: &str| text.trim().parse::<i64>().ok().filter(|count| *count > 0);
        let all = count(&self.lanes);
        let (forward, backward) = (count(&self.lanes_forward), count(&self.lanes_backward));
        match self.direction() {
            Direction::Forward => (forward.or(all), None),
            Direction::Backward => (None, backward.or(all)),
            Direction::Both => {
                let half = all.map(|all| (all / 2).max(1));
                let rest = |other: Option<i64>| Some((all? - other?).max(1));
                let one = forward.or_else(|| rest(backward)).or(half);
                let other = backward.or_else(|| rest(forward)).or(half);
                (one, other)
            }
        }
    }

    /// The legal limit in metres a second; `None` where there is none or it says nothing.
    pub(super) fn limit_mps(&self) -> Option<f64> {
        let text = self.maxspeed.trim();
        if text == "walk" {
            return Some(7.0 / 3.6);
        }
        let (number, factor) = if let Some(number) = text.strip_suffix("mph") {
            (number, KM_PER_MILE)
        } else if let Some(number) = text.strip_suffix("knots") {
            (number, KM_PER_KNOT)
        } else {
            (text.strip_suffix("km/h").or_else(|| text.strip_suffix("kmh")).unwrap_or(text), 1.0)
        };
        let kmh = number.trim().parse::<f64>().ok()? * factor;
        (1.0..=300.0).contains(&kmh).then_some(kmh / 3.6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> WayTags {
        WayTags::of(text.split_whitespace().filter_map(|word| word.split_once('=')))
    }

    #[test]
    fn classes() {
        let table = [
            ("highway=primary_link", Ok(RoadClass::PrimaryLink)),
            ("highway=road", Ok(RoadClass::Unclassified)),
            ("highway=footway", Err(LeftOut::Other)),
            ("highway=service", Err(LeftOut::Other)),
            ("highway=connector", Err(LeftOut::Other)),
            ("highway=residential area=yes", Err(LeftOut::Other)),
            ("building=yes", Err(LeftOut::NoRoad)),
            ("highway=primary access=no", Err(LeftOut::Closed)),
            ("highway=primary access=no motorcycle=yes", Ok(RoadClass::Primary)),
            ("highway=primary motorcar=no", Ok(RoadClass::Primary)),
            ("highway=primary motorcar=no motorcycle=no", Err(LeftOut::Closed)),
            ("highway=primary motor_vehicle=private", Err(LeftOut::Closed)),
            ("highway=primary vehicle=no motor_vehicle=yes", Ok(RoadClass::Primary)),
        ];
        for (text, expected) in table {
            assert_eq!(tags(text).class(), expected, "{text}");
        }
        assert_eq!(tags("highway=primary surface=asphalt lit=yes").ignored, 2);
    }

    #[test]
    fn directions() {
        let table = [
            ("highway=primary", Direction::Both),
            ("highway=primary oneway=yes", Direction::Forward),
            ("highway=primary oneway=-1", Direction::Backward),
            ("highway=motorway", Direction::Forward),
            ("highway=motorway oneway=no", Direction::Both),
            ("highway=motorway_link", Direction::Forward),
            ("highway=tertiary junction=roundabout", Direction::Forward),
            ("highway=tertiary oneway=alternating", Direction::Both),
        ];
        for (text, expected) in table {
            assert_eq!(tags(text).direction(), expected, "{text}");
        }
    }

    #[test]
    fn lanes() {
        let table = [
            ("lanes=4", (Some(2), Some(2))),
            ("lanes=3", (Some(1), Some(1))),
            ("lanes=1", (Some(1), Some(1))),
            ("lanes=3 lanes:forward=2", (Some(2), Some(1))),
            ("lanes=3 lanes:backward=2", (Some(1), Some(2))),
            ("lanes=3 oneway=yes", (Some(3), None)),
            ("lanes=3 oneway=-1", (None, Some(3))),
            ("lanes=many", (None, None)),
            ("lanes=-2", (None, None)),
        ];
        for (text, expected) in table {
            assert_eq!(tags(text).lanes(), expected, "{text}");
        }
    }

    #[test]
    fn limits() {
        let table = [
            ("50", Some(50.0)),
            ("50 km/h", Some(50.0)),
            ("30 mph", Some(48.280_32)),
            ("30mph", Some(48.280_32)),
            ("10 knots", Some(18.52)),
            ("walk", Some(7.0)),
            ("none", None),
            ("signals", None),
            ("VN:urban", None),
            ("-5", None),
            ("NaN", None),
        ];
        for (text, kmh) in table {
            let tags = WayTags { maxspeed: text.into(), ..WayTags::default() };
            let found = tags.limit_mps().map(|mps| mps * 3.6);
            let close = |(one, other): (f64, f64)| (one - other).abs() < 1e-9;
            assert!(found == kmh || found.zip(kmh).is_some_and(close), "{text}: {found:?}");
        }
    }
}
