//! A question as the bytes that a client brings back: the text, and the bound parameters as an Arrow
//! stream of one row. So no statement is kept here, and none is left behind by a client that dies.

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::server::PeekableFlightDataStream;
use datafusion::scalar::ScalarValue;
use futures::TryStreamExt as _;
use prost::bytes::Bytes;
use serde::{Deserialize, Serialize};
use tonic::Status;

use crate::history::Question;

/// A question and its parameters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Handle {
    sql: String,
    parameters: Option<RecordBatch>,
}

/// As it travels.
#[derive(Serialize, Deserialize)]
struct Packed {
    sql: String,
    parameters: Vec<u8>,
}

impl Handle {
    /// Without parameters.
    pub(super) fn new(sql: String) -> Handle {
        Handle { sql, parameters: None }
    }

    /// What it asks.
    pub(super) fn question(&self) -> Question {
        let columns = self.parameters.iter().flat_map(RecordBatch::columns);
        // A row of parameters has one row: checked when it came.
        let parameters = columns.filter_map(|column| ScalarValue::try_from_array(column, 0).ok());
        Question { parameters: parameters.collect(), ..Question::new(self.sql.clone()) }
    }

    /// The same with the parameters that a client sends.
    pub(super) async fn bind(self, rows: PeekableFlightDataStream) -> Result<Handle, Status> {
        let rows = FlightRecordBatchStream::new_from_flight_data(rows.map_err(FlightError::from));
        let mut batches: Vec<RecordBatch> = rows.try_collect().await.map_err(Status::from)?;
        batches.retain(|batch| batch.num_rows() > 0);
        match &batches[..] {
            [] => Ok(Handle { parameters: None, ..self }),
            [one] if one.num_rows() == 1 => Ok(Handle { parameters: Some(one.clone()), ..self }),
            _ => Err(Status::invalid_argument("parameters: one row is allowed")),
        }
    }

    pub(super) fn to_bytes(&self) -> Result<Bytes, Status> {
        let broken = |error: &dyn std::fmt::Display| Status::internal(error.to_string());
        let mut parameters = Vec::new();
        if let Some(row) = &self.parameters {
            let mut writer = StreamWriter::try_new(&mut parameters, &row.schema())
                .map_err(|error| broken(&error))?;
            writer.write(row).and_then(|()| writer.finish()).map_err(|error| broken(&error))?;
        }
        let packed = Packed { sql: self.sql.clone(), parameters };
        Ok(postcard::to_stdvec(&packed).map_err(|error| broken(&error))?.into())
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Handle, Status> {
        let foreign = |_error| Status::invalid_argument("this handle is not of this server");
        let Packed { sql, parameters } = postcard::from_bytes(bytes).map_err(foreign)?;
        if parameters.is_empty() {
            return Ok(Handle::new(sql));
        }
        let row = StreamReader::try_new(&parameters[..], None)
            .and_then(|mut rows| rows.next().transpose());
        match row {
            Ok(Some(row)) if row.num_rows() == 1 => Ok(Handle { sql, parameters: Some(row) }),
            Ok(_) | Err(_) => Err(Status::invalid_argument("this handle is not of this server")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, StringArray};

    use super::*;

    #[test]
    fn a_handle_comes_back_as_it_went() {
        let row = RecordBatch::try_from_iter([
            ("$1", Arc::new(StringArray::from(vec!["a/b"])) as _),
            ("$2", Arc::new(Float64Array::from(vec![0.5])) as _),
        ]);
        let handle = Handle { sql: "SELECT $1".to_owned(), parameters: Some(row.unwrap()) };
        let back = Handle::from_bytes(&handle.to_bytes().unwrap()).unwrap();
        assert_eq!(back, handle);
        assert_eq!(back.question().parameters.len(), 2);
        assert!(Handle::from_bytes(b"\xff\xff nonsense").is_err());
    }
}
