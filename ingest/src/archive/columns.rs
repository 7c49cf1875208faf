//! How columns become Parquet: the encodings all tables share, and a file in the making, whose
//! ended row groups can be read before it is whole.
//!
//! Every promise of the archive that a foreign reader relies on is set here: zstd, dictionaries
//! for names and cells, delta-packed whole numbers and times, byte-stream-split measurements where
//! a dictionary does not pay, statistics for files, row groups and pages. No clock and no build
//! number goes into a file, so the same rows make the same bytes.

use std::io;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BinaryArray, DictionaryArray, Float32Array, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use bytes::{Buf as _, Bytes};
use citytwin_core::quantity::Quantity;
use citytwin_core::sensor::SensorKind;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{FileMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::ColumnPath;

/// Said in every file instead of a version that changes with each build.
const CREATED_BY: &str = "citytwin";

/// Rows in a row group: enough to compress, few enough that a reader uses all its cores.
pub(super) const ROW_GROUP_ROWS: usize = 262_144;

/// Past this size (65,536 numbers) the values of a row group are split by byte instead.
const VALUE_DICTIONARY_BYTES: usize = 512 * 1024;

/// What a column holds, which says how it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A sensor's id, many times over.
    Id,
    /// One of few texts, all of which are on every page: statistics would tell nothing.
    Name,
    /// Free text.
    Text,
    /// The head of a payload.
    Bytes,
    /// An H3 index.
    Cell,
    /// An epoch: moves in steps.
    Number,
    /// A count.
    Count,
    /// A count that is nearly always the same.
    Few,
    /// Milliseconds, UTC.
    Time,
    /// In the unit of its quantity.
    Measure,
    /// The same with as many digits as the quantile sketch has.
    Estimate,
}

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Kind::Id | Kind::Name => {
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
            }
            Kind::Text => DataType::Utf8,
            Kind::Bytes => DataType::Binary,
            Kind::Cell | Kind::Number | Kind::Count | Kind::Few => DataType::Int64,
            Kind::Time => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            Kind::Measure => DataType::Float64,
            Kind::Estimate => DataType::Float32,
        }
    }

    /// The encoding, or the one to fall back on when a dictionary grows too large.
    const fn encoding(self) -> Encoding {
        match self {
            Kind::Id | Kind::Name | Kind::Text | Kind::Bytes => Encoding::DELTA_LENGTH_BYTE_ARRAY,
            Kind::Cell | Kind::Number | Kind::Count | Kind::Few | Kind::Time => {
                Encoding::DELTA_BINARY_PACKED
            }
            Kind::Measure | Kind::Estimate => Encoding::BYTE_STREAM_SPLIT,
        }
    }

    const fn has_dictionary(self) -> bool {
        match self {
            Kind::Id
            | Kind::Name
            | Kind::Text
            | Kind::Cell
            | Kind::Few
            | Kind::Measure
            | Kind::Estimate => true,
            Kind::Bytes | Kind::Number | Kind::Count | Kind::Time => false,
        }
    }
}

/// Columns of a table: name and kind, none of them ever null.
pub(super) type Columns = [(&'static str, Kind)];

/// The schema of a table, as a reader of its files sees it.
pub(super) fn schema(columns: &Columns) -> SchemaRef {
    let field = |(name, kind): &(&str, Kind)| Field::new(*name, kind.data_type(), false);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

fn properties(columns: &Columns) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_dictionary_enabled(false)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    for (name, kind) in columns {
        let path = ColumnPath::from(*name);
        builder = builder
            .set_column_encoding(path.clone(), kind.encoding())
            .set_column_dictionary_enabled(path.clone(), kind.has_dictionary());
        if matches!(kind, Kind::Measure | Kind::Estimate) {
            builder = builder.set_column_dictionary_page_size_limit(path, VALUE_DICTIONARY_BYTES);
        } else if *kind == Kind::Name {
            builder = builder.set_column_statistics_enabled(path, EnabledStatistics::None);
        }
    }
    builder.build()
}

/// A Parquet file in the making, in memory.
pub(super) struct File {
    columns: &'static Columns,
    schema: SchemaRef,
    writer: Option<ArrowWriter<Sink>>,
    /// Row groups that were given out.
    known_groups: usize,
}

/// Where a file in the making goes: row groups that are ended are shared with readers.
#[derive(Debug, Default)]
struct Sink {
    ended: Vec<Bytes>,
    ended_bytes: u64,
    open: Vec<u8>,
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.open.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Row groups of a file in the making.
#[derive(Clone, Debug)]
pub(super) struct RowGroups {
    /// Their part of the file.
    bytes: Bytes,
    /// Where in the file it begins.
    from: u64,
    groups: Vec<RowGroupMetaData>,
}

impl RowGroups {
    /// Their rows, unpacked.
    pub(super) fn batches(
        &self,
        columns: &Columns,
        batch_rows: usize,
    ) -> Result<Vec<RecordBatch>, ParquetError> {
        let Some(group) = self.groups.first() else { return Ok(Vec::new()) };
        let rows = self.groups.iter().map(RowGroupMetaData::num_rows).sum();
        let descriptor = group.schema_descr_ptr();
        let file = FileMetaData::new(2, rows, None, None, descriptor, None);
        let metadata = Arc::new(ParquetMetaData::new(file, self.groups.clone()));
        let options = ArrowReaderOptions::new().with_schema(schema(columns));
        let metadata = ArrowReaderMetadata::try_new(metadata, options)?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(self.clone(), metadata)
            .with_batch_size(batch_rows)
            .build()?;
        Ok(reader.collect::<Result<_, ArrowError>>()?)
    }

    fn offset(&self, start: u64) -> Result<usize, ParquetError> {
        let offset = start.checked_sub(self.from).and_then(|offset| usize::try_from(offset).ok());
        offset.ok_or_else(|| ParquetError::EOF(format!("{start} lies before the row group")))
    }
}

impl Length for RowGroups {
    fn len(&self) -> u64 {
        self.from + self.bytes.len() as u64
    }
}

impl ChunkReader for RowGroups {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let offset = self.offset(start)?;
        Ok(self.bytes.slice(offset.min(self.bytes.len())..).reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let offset = self.offset(start)?;
        if offset + length > self.bytes.len() {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} are not there")));
        }
        Ok(self.bytes.slice(offset..offset + length))
    }
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl File {
    pub(super) fn new(columns: &'static Columns) -> File {
        File { columns, schema: schema(columns), writer: None, known_groups: 0 }
    }

    /// Adds rows, one array for each column.
    pub(super) fn push(&mut self, arrays: Vec<ArrayRef>) -> Result<(), ParquetError> {
        let batch = RecordBatch::try_new(SchemaRef::clone(&self.schema), arrays)?;
        self.writer()?.write(&batch)
    }

    /// Ends the row group, so that its rows take their packed size in memory from now on. Gives
    /// all groups ended since the last call.
    pub(super) fn end_row_group(&mut self) -> Result<Option<RowGroups>, ParquetError> {
        let known = self.known_groups;
        let writer = self.writer()?;
        writer.flush()?;
        writer.sync()?;
        let groups = writer.flushed_row_groups()[known..].to_vec();
        if groups.is_empty() {
            return Ok(None);
        }
        let sink = writer.inner_mut();
        let bytes = Bytes::from(std::mem::take(&mut sink.open));
        let from = sink.ended_bytes;
        sink.ended.push(bytes.clone());
        sink.ended_bytes += bytes.len() as u64;
        self.known_groups += groups.len();
        Ok(Some(RowGroups { bytes, from, groups }))
    }

    /// Ends the row group, if it has rows, in a file that goes to disk as it grows.
    pub(super) fn break_row_group(&mut self) -> Result<(), ParquetError> {
        self.writer()?.flush()
    }

    /// What is ready of the file behind what was given before: for a file that goes to disk as
    /// it grows. Not for one whose row groups are ended by hand.
    pub(super) fn drain(&mut self) -> Result<Vec<u8>, ParquetError> {
        let writer = self.writer()?;
        writer.sync()?;
        Ok(std::mem::take(&mut writer.inner_mut().open))
    }

    /// Bytes of the row groups that are ended.
    pub(super) fn encoded_bytes(&self) -> usize {
        self.writer.as_ref().map_or(0, ArrowWriter::bytes_written)
    }

    /// The whole file, or nothing when it has no rows; begins an empty one.
    pub(super) fn finish(&mut self) -> Result<Option<Vec<u8>>, ParquetError> {
        self.known_groups = 0;
        let Some(writer) = self.writer.take() else { return Ok(None) };
        let Sink { ended, ended_bytes: _, open } = writer.into_inner()?;
        if ended.is_empty() {
            return Ok(Some(open));
        }
        let parts: Vec<&[u8]> = ended.iter().map(Bytes::as_ref).chain([open.as_slice()]).collect();
        Ok(Some(parts.concat()))
    }

    fn writer(&mut self) -> Result<&mut ArrowWriter<Sink>, ParquetError> {
        if self.writer.is_none() {
            let schema = SchemaRef::clone(&self.schema);
            let properties = properties(self.columns);
            self.writer = Some(ArrowWriter::try_new(Sink::default(), schema, Some(properties))?);
        }
        Ok(self.writer.as_mut().expect("made just now"))
    }
}

static QUANTITIES: LazyLock<Arc<StringArray>> =
    LazyLock::new(|| Arc::new(StringArray::from_iter_values(Quantity::all().map(Quantity::name))));

/// Kind names by number less one.
static KINDS: LazyLock<Arc<StringArray>> = LazyLock::new(|| {
    Arc::new(StringArray::from_iter_values(SensorKind::all().map(SensorKind::name)))
});

pub(super) fn names(keys: impl Iterator<Item = i32>, values: &Arc<StringArray>) -> ArrayRef {
    let keys = Int32Array::from_iter_values(keys);
    let values: ArrayRef = Arc::<StringArray>::clone(values);
    Arc::new(DictionaryArray::<Int32Type>::new(keys, values))
}

/// Quantity names by [`Quantity::slot`].
pub(super) fn quantity_names() -> &'static Arc<StringArray> {
    &QUANTITIES
}

pub(super) fn quantities(quantities: impl Iterator<Item = Quantity>) -> ArrayRef {
    names(quantities.map(|quantity| i32::from(quantity.number()) - 1), &QUANTITIES)
}

/// From the numbers of the kinds.
pub(super) fn kinds(numbers: impl Iterator<Item = u8>) -> ArrayRef {
    names(numbers.map(|number| i32::from(number) - 1), &KINDS)
}

/// Signed, as tables of open formats know no other whole numbers: no epoch and no H3 index has the
/// highest bit set.
pub(super) fn numbers(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values.map(u64::cast_signed)))
}

pub(super) fn counts(values: impl Iterator<Item = u32>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values.map(i64::from)))
}

pub(super) fn measures(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

pub(super) fn times(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from_iter_values(values).with_timezone("UTC"))
}

pub(super) fn estimates(values: impl Iterator<Item = f64>) -> ArrayRef {
    #[expect(clippy::cast_possible_truncation, reason = "rounds to the precision of an estimate")]
    let single = values.map(|value| value as f32);
    Arc::new(Float32Array::from_iter_values(single))
}

/// Texts of which a file has few, as a dictionary.
pub(super) fn repeated<'a>(texts: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(texts.collect::<DictionaryArray<Int32Type>>())
}

pub(super) fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(texts))
}

pub(super) fn bytes<'a>(heads: impl Iterator<Item = &'a [u8]>) -> ArrayRef {
    Arc::new(BinaryArray::from_iter_values(heads))
}
