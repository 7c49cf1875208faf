//! `citytwin sql`: asks in SQL, through Arrow Flight SQL as any driver would.

mod print;
mod shell;

use std::path::PathBuf;

use anyhow::Context as _;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt as _};
use arrow_flight::{FlightClient, FlightDescriptor};
use clap::{Args, ValueHint};
use futures::TryStreamExt as _;
use prost::Message as _;

use super::args::EngineArgs;
use super::client;
use super::failure::Failure;
use super::output::Screen;
use crate::config::Environment;
use print::{Form, Printer};

/// `citytwin sql`
#[derive(Args, Clone, Debug)]
pub struct SqlArgs {
    /// The question; left out: a shell with history and completion
    #[arg(value_name = "SQL")]
    question: Option<String>,
    /// One JSON object a row
    #[arg(long, conflicts_with_all = ["csv", "parquet"])]
    json: bool,
    /// Comma-separated values with a head
    #[arg(long, conflicts_with = "parquet")]
    csv: bool,
    /// Write all rows into a Parquet file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    parquet: Option<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
}

impl SqlArgs {
    fn form(&self) -> Form {
        match &self.parquet {
            Some(path) => Form::Parquet(path.clone()),
            None if self.csv => Form::Csv,
            None if self.json => Form::Json,
            None => Form::Table,
        }
    }
}

/// A connection that asks.
pub(in crate::cli) struct Asker {
    client: FlightClient,
    server: String,
}

impl std::fmt::Debug for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asker").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Asker {
    pub(in crate::cli) async fn connect(server: &str) -> Result<Asker, Failure> {
        let channel = client::connect(server).await?;
        Ok(Asker { client: FlightClient::new(channel), server: server.to_owned() })
    }

    /// Asks, and prints rows as they come. Returns how many.
    pub(super) async fn ask(
        &mut self,
        question: &str,
        form: Form,
        screen: &mut Screen,
    ) -> Result<u64, Failure> {
        let mut rows = self.rows(question).await?;
        let mut printer = Printer::new(form, SchemaRef::clone(&rows.schema))?;
        while let Some(batch) = rows.next().await? {
            printer.take(&batch, screen)?;
        }
        printer.finish(screen)
    }

    /// Asks; rows follow.
    pub(in crate::cli) async fn rows(&mut self, question: &str) -> Result<Rows, Failure> {
        let server = self.server.clone();
        let query = CommandStatementQuery { query: question.to_owned(), transaction_id: None };
        let descriptor = FlightDescriptor::new_cmd(query.as_any().encode_to_vec());
        let failed = |error| failure(error, &server);
        let info = self.client.get_flight_info(descriptor).await.map_err(failed)?;
        let schema = info.clone().try_decode_schema().context("the engine announced no columns")?;
        let ticket = info.endpoint.into_iter().find_map(|endpoint| endpoint.ticket);
        let ticket = ticket.context("the engine announced no rows")?;
        let batches = self.client.do_get(ticket).await.map_err(failed)?;
        Ok(Rows { schema: SchemaRef::new(schema), batches, server })
    }
}

/// Rows on their way.
pub(in crate::cli) struct Rows {
    schema: SchemaRef,
    batches: FlightRecordBatchStream,
    server: String,
}

impl Rows {
    /// Their columns.
    pub(in crate::cli) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next; nothing at the end.
    pub(in crate::cli) async fn next(&mut self) -> Result<Option<RecordBatch>, Failure> {
        self.batches.try_next().await.map_err(|error| failure(error, &self.server))
    }
}

/// What a refusal means.
fn failure(error: FlightError, server: &str) -> Failure {
    if let FlightError::Tonic(status) = error {
        return Failure::of_status(*status, server);
    }
    Failure::Other(error.into())
}

/// Asks a question of ours.
pub(in crate::cli) async fn ask(
    server: &str,
    question: &str,
    json: bool,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let form = if json { Form::Json } else { Form::Table };
    Asker::connect(server).await?.ask(question, form, screen).await.map(|_rows| ())
}

/// Writes the answer to a question of ours into a Parquet file, and says so.
pub(in crate::cli) async fn write_parquet(
    server: &str,
    question: &str,
    path: PathBuf,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let mut asker = Asker::connect(server).await?;
    asker.ask(question, Form::Parquet(path), screen).await.map(|_rows| ())
}

/// Asks one question, or many.
///
/// # Errors
/// When the engine cannot be asked, the question is wrong, or the answer cannot be written.
pub async fn run(
    args: &SqlArgs,
    screen: &mut Screen,
    environment: &Environment,
) -> Result<(), Failure> {
    let mut asker = Asker::connect(&args.engine.server).await?;
    match &args.question {
        Some(question) => asker.ask(question, args.form(), screen).await.map(|_rows| ()),
        None if args.parquet.is_some() => {
            Err(Failure::Usage("--parquet needs a question".to_owned()))
        }
        None => shell::run(&mut asker, args.form(), (screen, environment.state_folder())).await,
    }
}
