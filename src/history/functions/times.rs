//! Functions of time: slices of it, and the epochs of arrival.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Int64Array, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMillisecondType};
use citytwin_core::time::{ArrivalTime, Epoch};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::functions::datetime::date_bin;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, cast,
};

use super::plain::{plain, wrong};

pub(super) fn all() -> Vec<ScalarUDF> {
    use DataType::Int64;
    vec![
        ScalarUDF::from(TimeBucket::new()),
        plain("epoch_time", vec![Int64], time_type(), epoch_time),
        plain("epoch_of", vec![time_type()], Int64, epoch_of),
    ]
}

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// `date_bin` for a length in milliseconds, from 1970.
pub(in crate::history) fn date_bin_ms(length_ms: i64, time: Expr) -> Expr {
    let days = i32::try_from(length_ms / 86_400_000).unwrap_or(i32::MAX);
    let nanos = (length_ms % 86_400_000) * 1_000_000;
    let length = ScalarValue::new_interval_mdn(0, days, nanos);
    let begin = date_bin().call(vec![Expr::Literal(length, None), time]);
    cast(begin, time_type())
}

#[expect(clippy::unnecessary_wraps, reason = "the type of all functions of columns")]
fn epoch_time(args: &[ArrayRef]) -> Result<ArrayRef> {
    let epochs = args[0].as_primitive::<Int64Type>().iter();
    let ends = epochs.map(|epoch| {
        epoch.map(|number| {
            let number = u64::try_from(number).unwrap_or_default();
            Epoch::new(number).end().ms()
        })
    });
    Ok(Arc::new(ends.collect::<TimestampMillisecondArray>().with_timezone("UTC")))
}

#[expect(clippy::unnecessary_wraps, reason = "the type of all functions of columns")]
fn epoch_of(args: &[ArrayRef]) -> Result<ArrayRef> {
    let times = args[0].as_primitive::<TimestampMillisecondType>().iter();
    let epochs =
        times.map(|time| time.map(|ms| Epoch::of(ArrivalTime::from_ms(ms)).number().cast_signed()));
    Ok(Arc::new(epochs.collect::<Int64Array>()))
}

/// `time_bucket('15 minutes', time)`: the name by which time-series databases know `date_bin`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TimeBucket {
    signature: Signature,
}

impl TimeBucket {
    fn new() -> TimeBucket {
        TimeBucket { signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for TimeBucket {
    fn name(&self) -> &'static str {
        "time_bucket"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, takes: &[DataType]) -> Result<DataType> {
        let time = &takes[1];
        if matches!(time, DataType::Timestamp(..)) {
            return Ok(time.clone());
        }
        if matches!(time, DataType::Utf8 | DataType::Utf8View | DataType::Date32) {
            return Ok(time_type());
        }
        Err(wrong(format!("time_bucket takes a time, not {time}")))
    }

    fn simplify(&self, args: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        use datafusion::arrow::datatypes::IntervalUnit::MonthDayNano;
        let types =
            args.iter().map(|arg| context.get_data_type(arg)).collect::<Result<Vec<_>>>()?;
        let gives = self.return_type(&types)?;
        let [length, time] =
            <[Expr; 2]>::try_from(args).map_err(|_other| wrong("two arguments"))?;
        let length = cast(length, DataType::Interval(MonthDayNano));
        let begin = date_bin().call(vec![length, cast(time, gives.clone())]);
        Ok(ExprSimplifyResult::Simplified(cast(begin, gives)))
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(wrong("time_bucket is planned as date_bin"))
    }
}
