//! Links of an outcome: a table of every link and interval, and a map of the means and sums over
//! the horizon.

use std::collections::BTreeMap;
use std::io::Write;

use citytwin_proto::v1;
use geojson::{FeatureWriter, JsonObject};

use super::table::{Columns, Kind, Table, Value};
use super::{OutcomeFileError, RoadLinks, TableFormat, finish};

const COLUMNS: &Columns = &[
    ("interval_from_s", Kind::Number),
    ("interval_until_s", Kind::Number),
    ("link", Kind::Text),
    ("name", Kind::Text),
    ("class", Kind::Text),
    ("flow_pcu_h", Kind::Number),
    ("entered_pcu_h", Kind::Number),
    ("speed_kmh", Kind::Number),
    ("density_pcu_km", Kind::Number),
    ("queue_pcu", Kind::Number),
    ("delay_pcu_h", Kind::Number),
    ("measured", Kind::Flag),
    ("quality", Kind::Number),
];

/// `links.csv` or `links.parquet`: a row for each link and interval, in the order they come.
///
/// | column | holds |
/// |---|---|
/// | `interval_from_s`, `interval_until_s` | seconds from the start |
/// | `link`, `name`, `class` | its key; street and class, empty for a link the scenario adds |
/// | `flow_pcu_h`, `entered_pcu_h` | left and entered, pcu an hour |
/// | `speed_kmh`, `density_pcu_km` | means; density over all lanes |
/// | `queue_pcu` | who waits at the end of the interval |
/// | `delay_pcu_h` | lost against free speed within the interval, pcu hours |
/// | `measured`, `quality` | whether the start of the link was measured; how well it was known, 0 to 1 |
#[derive(Debug)]
pub struct LinkTable<'a, W: Write + Send> {
    table: Table<W>,
    roads: &'a RoadLinks<'a>,
}

impl<'a, W: Write + Send> LinkTable<'a, W> {
    /// Begins the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(
        out: W,
        format: TableFormat,
        roads: &'a RoadLinks<'a>,
    ) -> Result<LinkTable<'a, W>, OutcomeFileError> {
        Ok(LinkTable { table: Table::new(out, format, COLUMNS)?, roads })
    }

    /// The links of a part of an interval.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn add(&mut self, figures: &v1::IntervalFigures) -> Result<(), OutcomeFileError> {
        let span = figures.interval.unwrap_or_default();
        for link in &figures.links {
            self.table.push(&[
                Value::Number(span.from_s),
                Value::Number(span.until_s),
                Value::Text(&link.link),
                Value::Text(self.roads.name(&link.link)),
                Value::Text(self.roads.class(&link.link)),
                Value::Number(link.flow_veh_h),
                Value::Number(link.entered_veh_h),
                Value::Number(link.speed_kmh),
                Value::Number(link.density_veh_km),
                Value::Number(link.queue_veh),
                Value::Number(link.delay_veh_h),
                Value::Flag(link.measured),
                Value::Number(link.quality),
            ])?;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When the rest cannot be written.
    pub fn finish(self) -> Result<(), OutcomeFileError> {
        self.table.finish()
    }
}

/// A link so far: sums of figures times seconds, and what is summed up as it is.
#[derive(Debug, Default)]
struct Sums {
    seconds: f64,
    flow: f64,
    entered: f64,
    speed: f64,
    density: f64,
    longest_queue: f64,
    delay: f64,
    measured: bool,
    quality: f64,
}

/// `links.geojson`: a line for each link, in the order of keys, with means by time of `flow_pcu_h`,
/// `entered_pcu_h`, `speed_kmh` and `density_pcu_km`, the longest queue `queue_max_pcu` and all its
/// `delay_pcu_h`. About 150 bytes a link are kept until the last interval is there.
#[derive(Debug, Default)]
pub struct LinkLines(BTreeMap<String, Sums>);

impl LinkLines {
    /// Without figures.
    pub fn new() -> LinkLines {
        LinkLines::default()
    }

    /// The links of a part of an interval. O(log links) each.
    pub fn add(&mut self, figures: &v1::IntervalFigures) {
        let span = figures.interval.unwrap_or_default();
        for link in &figures.links {
            if !self.0.contains_key(&link.link) {
                self.0.insert(link.link.clone(), Sums::default());
            }
            if let Some(sums) = self.0.get_mut(&link.link) {
                sums.add(link, span.until_s - span.from_s);
            }
        }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(self, out: impl Write, roads: &RoadLinks<'_>) -> Result<(), OutcomeFileError> {
        let mut writer = FeatureWriter::from_writer(out);
        for (link, sums) in &self.0 {
            writer.write_feature(&roads.feature(link, sums.properties(link, roads)))?;
        }
        finish(writer)
    }
}

impl Sums {
    fn add(&mut self, link: &v1::LinkFigures, seconds: f64) {
        self.seconds += seconds;
        self.flow += link.flow_veh_h * seconds;
        self.entered += link.entered_veh_h * seconds;
        self.speed += link.speed_kmh * seconds;
        self.density += link.density_veh_km * seconds;
        self.longest_queue = self.longest_queue.max(link.queue_veh);
        self.delay += link.delay_veh_h;
        self.measured = link.measured;
        self.quality = link.quality;
    }

    /// Numbers that are not finite become null.
    fn properties(&self, link: &str, roads: &RoadLinks<'_>) -> JsonObject {
        let mut properties = JsonObject::new();
        let mut put = |key: &str, value: serde_json::Value| {
            properties.insert(key.to_owned(), value);
        };
        put("link", link.into());
        put("name", roads.name(link).into());
        put("class", roads.class(link).into());
        if let Some(road) = roads.get(link) {
            put("length_m", road.length_m.into());
            put("lanes", road.lanes.into());
        }
        put("flow_pcu_h", (self.flow / self.seconds).into());
        put("entered_pcu_h", (self.entered / self.seconds).into());
        put("speed_kmh", (self.speed / self.seconds).into());
        put("density_pcu_km", (self.density / self.seconds).into());
        put("queue_max_pcu", self.longest_queue.into());
        put("delay_pcu_h", self.delay.into());
        put("measured", self.measured.into());
        put("quality", self.quality.into());
        properties
    }
}
