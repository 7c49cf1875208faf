//! The rows in three formats at once: Parquet, CSV and GeoJSON (one feature a row, the cell's
//! outline as its geometry).

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::json::LineDelimitedWriter;
use h3o::CellIndex;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};

/// The files in the making.
pub(super) struct Files {
    folder: PathBuf,
    parquet: ArrowWriter<File>,
    csv: arrow::csv::Writer<BufWriter<File>>,
    geojson: BufWriter<File>,
    written: Written,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Written {
    /// Rows.
    pub(super) rows: usize,
    /// Rows without values.
    pub(super) withheld: usize,
    /// South, west, north, east of all cells, in degrees.
    pub(super) bounds: Option<[f64; 4]>,
    /// Name, media type, bytes, SHA-256.
    pub(super) files: Vec<(String, &'static str, u64, String)>,
}

impl Files {
    pub(super) fn create(folder: &Path, schema: &SchemaRef) -> Result<Files> {
        let create = |name: &str| {
            let path = folder.join(name);
            File::create(&path).with_context(|| format!("cannot create {}", path.display()))
        };
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let parquet = ArrowWriter::try_new(
            create("data.parquet")?,
            SchemaRef::clone(schema),
            Some(properties),
        )?;
        let csv = arrow::csv::WriterBuilder::new()
            .with_header(true)
            .build(BufWriter::new(create("data.csv")?));
        let mut geojson = BufWriter::new(create("data.geojson")?);
        geojson.write_all(b"{\"type\":\"FeatureCollection\",\"features\":[")?;
        let written = Written::default();
        Ok(Files { folder: folder.to_owned(), parquet, csv, geojson, written })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.parquet.write(batch)?;
        self.csv.write(batch)?;
        let mut lines = Vec::new();
        let mut writer = LineDelimitedWriter::new(&mut lines);
        writer.write(batch)?;
        writer.finish()?;
        let cells = batch.column_by_name("cell").context("rows have a cell")?.as_string::<i32>();
        let withheld = batch.column_by_name("withheld").context("rows say what is withheld")?;
        let withheld = withheld.as_boolean();
        for (row, line) in lines.split(|byte| *byte == b'\n').filter(|l| !l.is_empty()).enumerate()
        {
            let properties: Value = serde_json::from_slice(line)?;
            let cell: CellIndex = cells.value(row).parse()?;
            let feature = json!({ "type": "Feature", "geometry": self.outline(cell), "properties": properties });
            if self.written.rows > 0 {
                self.geojson.write_all(b",\n")?;
            }
            serde_json::to_writer(&mut self.geojson, &feature)?;
            self.written.rows += 1;
            self.written.withheld += usize::from(withheld.is_valid(row) && withheld.value(row));
        }
        Ok(())
    }

    fn outline(&mut self, cell: CellIndex) -> Value {
        let corners = cell.boundary();
        for corner in corners.iter() {
            let (latitude, longitude) = (corner.lat(), corner.lng());
            let [south, west, north, east] =
                self.written.bounds.unwrap_or([latitude, longitude, latitude, longitude]);
            self.written.bounds = Some([
                south.min(latitude),
                west.min(longitude),
                north.max(latitude),
                east.max(longitude),
            ]);
        }
        let ring: Vec<[f64; 2]> = corners
            .iter()
            .chain(corners.first())
            .map(|corner| [corner.lng(), corner.lat()])
            .collect();
        json!({ "type": "Polygon", "coordinates": [ring] })
    }

    pub(super) fn finish(self) -> Result<Written> {
        let Files { folder, parquet, csv, mut geojson, mut written } = self;
        parquet.close()?;
        csv.into_inner().flush()?;
        geojson.write_all(b"]}\n")?;
        geojson.flush()?;
        let formats = [
            ("data.parquet", "application/vnd.apache.parquet"),
            ("data.csv", "text/csv"),
            ("data.geojson", "application/geo+json"),
        ];
        for (name, media) in formats {
            let (bytes, digest) = digest(&folder.join(name))?;
            written.files.push((name.to_owned(), media, bytes, digest));
        }
        Ok(written)
    }
}

/// Length and SHA-256 of a file.
fn digest(path: &Path) -> Result<(u64, String)> {
    use std::fmt::Write as _;

    use sha2::{Digest as _, Sha256};

    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let bytes = std::io::copy(&mut file, &mut HashWriter(&mut hash))?;
    let mut hex = String::new();
    for byte in hash.finalize() {
        write!(hex, "{byte:02x}")?;
    }
    Ok((bytes, hex))
}

/// Hashes what is written.
struct HashWriter<'a>(&'a mut sha2::Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        sha2::Digest::update(self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
