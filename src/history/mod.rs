//! History: the archive, what waits for it, and the windows that still run, as tables of SQL; and
//! the whole city as of any second.
//!
//! In the order a question travels:
//!
//! ```text
//! SQL text ─► session     one View of the archive, tables and functions        session.rs
//!               ▼             files ∪ waiting rows, pruned, each row once       table.rs, files.rs
//!               ▼             windows: the valid revision, and those that run   windows.rs
//!               ▼             sensors, ledger: from the snapshot of the view    living.rs
//!             plan        DataFusion; only questions, nothing that writes          grouping.rs
//!               ▼
//!             threads     of history's own, few; memory of its own, then disk   engine.rs
//!               ▼ bounded queue
//!             answer      batches; whoever drops it cancels                     answer.rs
//! ```
//!
//! [`as_of`](History::as_of) folds a keyframe and the rows behind it into a snapshot (`as_of.rs`);
//! `read.rs` says the questions of the `History` service in SQL. Nothing here locks the twin or
//! holds up the archive: a [`View`](citytwin_ingest::archive::View) is taken by pointer.

mod answer;
mod as_of;
mod engine;
mod error;
mod files;
mod functions;
mod grouping;
mod living;
pub mod read;
mod session;
mod table;
mod whereabouts;
mod windows;

#[cfg(test)]
mod away_tests;
#[cfg(test)]
mod question_tests;

#[cfg(test)]
mod tests;

pub use answer::Answer;
pub use as_of::{AsOf, Moment};
pub use engine::{History, Settings};
pub use error::HistoryError;
pub use session::{CATALOG, Question, SCHEMA};
