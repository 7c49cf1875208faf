//! A function of whole columns: its name, its types, and what it does to arrays of one length.

use std::hash::{Hash, Hasher};

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// What it does: arrays of the argument types, all of one length, to one array of that length.
pub(super) type Body = fn(&[ArrayRef]) -> Result<ArrayRef>;

/// A function without state.
#[derive(Debug)]
struct Plain {
    name: &'static str,
    takes: Vec<DataType>,
    signature: Signature,
    gives: DataType,
    body: Body,
}

impl PartialEq for Plain {
    fn eq(&self, other: &Plain) -> bool {
        self.name == other.name
    }
}

impl Eq for Plain {}

impl Hash for Plain {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// Makes one. Arguments of other types are converted where SQL allows it.
pub(super) fn plain(
    name: &'static str,
    takes: Vec<DataType>,
    gives: DataType,
    body: Body,
) -> ScalarUDF {
    let signature = Signature::exact(takes.clone(), Volatility::Immutable);
    ScalarUDF::from(Plain { name, takes, signature, gives, body })
}

impl ScalarUDFImpl for Plain {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _takes: &[DataType]) -> Result<DataType> {
        Ok(self.gives.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let arrays = args.args.into_iter().zip(&self.takes);
        let arrays = arrays.map(|(arg, of)| Ok(cast(&arg.into_array(rows)?, of)?));
        let answer = (self.body)(&arrays.collect::<Result<Vec<_>>>()?)?;
        if constant {
            let only = datafusion::scalar::ScalarValue::try_from_array(&answer, 0)?;
            return Ok(ColumnarValue::Scalar(only));
        }
        Ok(ColumnarValue::Array(answer))
    }
}

/// An argument that cannot be.
pub(super) fn wrong(problem: impl std::fmt::Display) -> DataFusionError {
    DataFusionError::Execution(problem.to_string())
}
