//! An answer on its way: batches through a short queue. The query runs as long as somebody takes
//! them; dropping the answer ends it.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use citytwin_core::time::Epoch;
use tokio::sync::mpsc;

use super::error::HistoryError;

/// Batches that may wait for a slow reader; then the query waits.
pub(super) const WAITING: usize = 4;

/// The answer to one question.
#[derive(Debug)]
pub struct Answer {
    pub(super) schema: SchemaRef,
    pub(super) through: Epoch,
    pub(super) left_out: Vec<String>,
    pub(super) batches: mpsc::Receiver<Result<RecordBatch, HistoryError>>,
}

impl Answer {
    /// Its columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// It rests on everything that arrived in this epoch or before.
    pub fn through(&self) -> Epoch {
        self.through
    }

    /// Files that are missing or damaged and were left out, because the question allowed it.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// The next rows; nothing at the end.
    ///
    /// # Errors
    /// When the query fails; nothing follows.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, HistoryError> {
        self.batches.recv().await.transpose()
    }

    /// All rows. For answers that are known to be small.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn collect(mut self) -> Result<Vec<RecordBatch>, HistoryError> {
        let mut all = Vec::new();
        while let Some(batch) = self.next().await? {
            all.push(batch);
        }
        Ok(all)
    }

    /// As a stream of batches.
    pub fn into_stream(
        self,
    ) -> tokio_stream::wrappers::ReceiverStream<Result<RecordBatch, HistoryError>> {
        tokio_stream::wrappers::ReceiverStream::new(self.batches)
    }
}
