//! The order of rows in files, by hour of arrival first, for those that read them back: batches whose texts are numbered
//! through all files, so that rows of different files are compared, and put together, by numbers.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int32Array, RecordBatch, StringArray,
};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMillisecondType};
use citytwin_core::quantity::Quantity;
use citytwin_core::time::Epoch;

use super::partition::{Hour, Table};

/// Every text of every dictionary column of a table: a few megabytes for 50,000 sensors.
#[derive(Debug)]
pub(super) struct Order {
    by: &'static [&'static str],
    /// By column of the table; none where texts are not in a dictionary.
    words: Vec<Words>,
}

/// The texts of one column, numbered as they come.
#[derive(Debug, Default)]
pub(super) struct Words {
    numbers: HashMap<Box<str>, i32>,
    texts: Vec<Box<str>>,
    /// Numbers of quantities, if they are any.
    quantities: Vec<u64>,
    array: Option<Arc<StringArray>>,
}

/// A batch with numbers in place of texts.
#[derive(Debug)]
pub(super) struct Numbered {
    /// As in the file, but for dictionaries: their numbers.
    pub(super) columns: Vec<ArrayRef>,
    keys: Vec<KeyColumn>,
    rows: usize,
}

#[derive(Debug)]
struct KeyColumn {
    numbers: Vec<u64>,
    /// The column whose texts these are the numbers of.
    texts_of: Option<usize>,
}

/// The dictionaries of the last batch of a file, with the numbers of their texts.
pub(super) type Known = Vec<Option<(StringArray, Vec<i32>)>>;

impl Order {
    pub(super) fn of(table: Table) -> Order {
        let columns = table.columns().len();
        Order { by: table.order(), words: (0..columns).map(|_| Words::default()).collect() }
    }

    /// Numbers the texts of a batch; `known` is what the batch before of the same file left.
    pub(super) fn number(&mut self, batch: &RecordBatch, known: &mut Known) -> Numbered {
        known.resize(batch.num_columns(), None);
        let columns: Vec<ArrayRef> = (0..batch.num_columns())
            .map(|at| match batch.column(at).as_dictionary_opt::<Int32Type>() {
                Some(texts) => self.words[at].number(texts, &mut known[at]),
                None => Arc::clone(batch.column(at)),
            })
            .collect();
        let schema = batch.schema_ref();
        let at = |name: &str| schema.index_of(name).ok();
        let hours: Vec<u64> = at("epoch")
            .and_then(|at| columns[at].as_primitive_opt::<Int64Type>())
            .map(|epochs| epochs.values().iter().map(|epoch| hour_of(*epoch)).collect())
            .unwrap_or_default();
        let hour = (!hours.is_empty()).then_some(KeyColumn { numbers: hours, texts_of: None });
        let others = self.by.iter().filter_map(|name| {
            let at = at(name)?;
            Some(self.key(name, at, &columns[at]))
        });
        let keys = hour.into_iter().chain(others).collect();
        Numbered { columns, keys, rows: batch.num_rows() }
    }

    fn key(&self, name: &str, at: usize, column: &ArrayRef) -> KeyColumn {
        let mut texts_of = None;
        // In the order of the signed numbers.
        let ordered = |number: &i64| number.cast_unsigned() ^ (1 << 63);
        let numbers = if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
            numbers.values().iter().map(ordered).collect()
        } else if let Some(times) = column.as_primitive_opt::<TimestampMillisecondType>() {
            times.values().iter().map(ordered).collect()
        } else if name == "quantity" {
            let words = column.as_primitive::<Int32Type>().values().iter();
            words.map(|word| self.words[at].quantities[word.cast_unsigned() as usize]).collect()
        } else {
            texts_of = Some(at);
            let words = column.as_primitive::<Int32Type>().values().iter();
            words.map(|word| u64::from(word.cast_unsigned())).collect()
        };
        KeyColumn { numbers, texts_of }
    }

    /// How a row of one batch stands to a row of another.
    pub(super) fn compare(&self, one: (&Numbered, usize), other: (&Numbered, usize)) -> Ordering {
        for (left, right) in one.0.keys.iter().zip(&other.0.keys) {
            let (a, b) = (left.numbers[one.1], right.numbers[other.1]);
            if a == b {
                continue;
            }
            return match left.texts_of {
                Some(at) => self.words[at].text(a).cmp(self.words[at].text(b)),
                None => a.cmp(&b),
            };
        }
        Ordering::Equal
    }

    /// The texts of a column.
    pub(super) fn words(&mut self, at: usize) -> &mut Words {
        &mut self.words[at]
    }
}

impl Numbered {
    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    /// The hour of arrival of a row.
    pub(super) fn hour(&self, row: usize) -> u64 {
        self.keys.first().and_then(|hours| hours.numbers.get(row)).copied().unwrap_or_default()
    }
}

fn hour_of(epoch: i64) -> u64 {
    Hour::of(Epoch::new(epoch.cast_unsigned())).number()
}

impl Words {
    /// The numbers of the texts of a column.
    fn number(
        &mut self,
        column: &DictionaryArray<Int32Type>,
        known: &mut Option<(StringArray, Vec<i32>)>,
    ) -> ArrayRef {
        let texts = column.values().as_string::<i32>();
        if !known.as_ref().is_some_and(|(before, _)| is_same(before, texts)) {
            let numbers = texts.iter().map(|text| self.number_of(text.unwrap_or_default()));
            *known = Some((texts.clone(), numbers.collect()));
        }
        let numbers = known.as_ref().map_or(&[][..], |(_, numbers)| numbers);
        let keys = column.keys().values().iter();
        let numbers = keys.map(|key| numbers[key.cast_unsigned() as usize]);
        Arc::new(Int32Array::from_iter_values(numbers))
    }

    fn number_of(&mut self, text: &str) -> i32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = i32::try_from(self.texts.len()).expect("fewer than 2^31 texts");
        self.numbers.insert(text.into(), number);
        self.texts.push(text.into());
        let quantity = Quantity::from_name(text).map(|quantity| u64::from(quantity.number()));
        self.quantities.push(quantity.unwrap_or(u64::MAX));
        self.array = None;
        number
    }

    /// The text of a number.
    ///
    /// # Panics
    /// When the number was not given out here.
    pub(super) fn text(&self, number: u64) -> &str {
        &self.texts[usize::try_from(number).expect("a position in memory")]
    }

    /// All texts, by number.
    pub(super) fn array(&mut self) -> &Arc<StringArray> {
        let texts = &self.texts;
        self.array.get_or_insert_with(|| Arc::new(StringArray::from_iter_values(texts)))
    }
}

/// Whether two arrays are the same memory. Both are alive, so it cannot have been used again.
fn is_same(one: &StringArray, other: &StringArray) -> bool {
    one.len() == other.len()
        && one.value_offsets().as_ptr() == other.value_offsets().as_ptr()
        && one.value_data().as_ptr() == other.value_data().as_ptr()
}
