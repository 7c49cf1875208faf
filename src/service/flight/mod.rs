//! Arrow Flight SQL over history: what ADBC, JDBC and ODBC drivers speak. A question is planned when
//! it is announced and runs while its rows are fetched; ending the call ends the query.
//!
//! The server keeps nothing between calls: a ticket is the question itself, and so is the handle of
//! a prepared statement, with the parameters that were bound to it (`handle.rs`). Nothing writes.

mod handle;
mod metadata;

use std::pin::Pin;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, CommandGetCatalogs,
    CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables,
    CommandPreparedStatementQuery, CommandStatementQuery, DoPutPreparedStatementResult,
    ProstMessageExt, SqlInfo, TicketStatementQuery,
};
use arrow_flight::{
    Action, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest,
    HandshakeResponse, IpcMessage, SchemaAsIpc, Ticket,
};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use prost::Message as _;
use tonic::{Request, Response, Status, Streaming};

use super::history::status;
use crate::history::{History, HistoryError, Question};
use handle::Handle;

/// `CANCEL_RESULT_CANCELLED` of FlightSql.proto.
const CANCELLED: i32 = 1;

/// Rows of an answer on their way.
type Rows = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;

/// The service.
#[derive(Clone, Debug)]
pub struct FlightSql {
    history: Arc<History>,
}

impl FlightSql {
    /// Over the past of a city.
    pub fn new(history: Arc<History>) -> FlightSql {
        FlightSql { history }
    }

    /// Announces the answer to a question.
    async fn announce(
        &self,
        question: &Question,
        ticket: &impl ProstMessageExt,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let (schema, _) = self.history.describe(question).await.map_err(|e| status(&e))?;
        info(&hydrated(&schema), ticket, request)
    }

    /// Asks, and sends the rows as they come.
    async fn fetch(&self, question: Question) -> Result<Response<Rows>, Status> {
        let answer = self.history.ask(question).await.map_err(|error| status(&error))?;
        let schema = Arc::new(nullable(answer.schema()));
        let sent = Arc::clone(&schema);
        let rows = answer
            .into_stream()
            .map_err(|error: HistoryError| FlightError::Tonic(Box::new(status(&error))))
            .map(move |batch| Ok(batch?.with_schema(Arc::clone(&sent))?));
        Ok(Response::new(encoded(schema, rows)))
    }
}

/// Every column may have nulls: a plan that runs knows more of that than the question it was announced
/// by, and drivers insist that both say the same.
fn nullable(schema: &Schema) -> Schema {
    let fields = schema.fields().iter();
    Schema::new(fields.map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>())
}

/// What a client gets: of dictionaries their values.
fn hydrated(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| {
        let field = field.as_ref().clone().with_nullable(true);
        if let DataType::Dictionary(_, value) = field.data_type().clone() {
            return field.with_data_type(*value);
        }
        field
    });
    Schema::new(fields.collect::<Vec<_>>())
}

fn encoded(
    schema: SchemaRef,
    rows: impl Stream<Item = Result<RecordBatch, FlightError>> + Send + 'static,
) -> Rows {
    let encoded = FlightDataEncoderBuilder::new().with_schema(schema).build(rows);
    Box::pin(encoded.map_err(Status::from))
}

/// One batch, as an answer.
fn one(batch: Result<RecordBatch, FlightError>) -> Result<Response<Rows>, Status> {
    let batch = batch.map_err(Status::from)?;
    let schema = batch.schema();
    Ok(Response::new(encoded(schema, stream::iter([Ok(batch)]))))
}

fn info(
    schema: &Schema,
    ticket: &impl ProstMessageExt,
    request: Request<FlightDescriptor>,
) -> Result<Response<FlightInfo>, Status> {
    let ticket = Ticket::new(ticket.as_any().encode_to_vec());
    let info = FlightInfo::new()
        .try_with_schema(schema)
        .map_err(|error| Status::internal(format!("the schema cannot be sent: {error}")))?
        .with_endpoint(FlightEndpoint::new().with_ticket(ticket))
        .with_descriptor(request.into_inner());
    Ok(Response::new(info))
}

/// A schema as bytes.
fn packed(schema: &Schema) -> Result<prost::bytes::Bytes, Status> {
    let options = IpcWriteOptions::default();
    let message = IpcMessage::try_from(SchemaAsIpc::new(schema, &options))
        .map_err(|error| Status::internal(format!("the schema cannot be sent: {error}")))?;
    Ok(message.0)
}

#[tonic::async_trait]
impl FlightSqlService for FlightSql {
    type FlightService = FlightSql;

    /// Clients that have a user and a password say so; nobody is asked for them.
    async fn do_handshake(
        &self,
        _request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<
        Response<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>>,
        Status,
    > {
        let welcome = HandshakeResponse { protocol_version: 0, payload: Vec::new().into() };
        Ok(Response::new(stream::iter([Ok(welcome)]).boxed()))
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let handle = Handle::new(query.query);
        let ticket = TicketStatementQuery { statement_handle: handle.to_bytes()? };
        self.announce(&handle.question(), &ticket, request).await
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        _request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        self.fetch(Handle::from_bytes(&ticket.statement_handle)?.question()).await
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        _request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let handle = Handle::new(query.query);
        let described = self.history.describe(&handle.question()).await;
        let (schema, parameters) = described.map_err(|error| status(&error))?;
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: handle.to_bytes()?,
            dataset_schema: packed(&hydrated(&schema))?,
            parameter_schema: packed(&hydrated(&Schema::new(parameters)))?,
        })
    }

    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let handle = Handle::from_bytes(&query.prepared_statement_handle)?;
        let bound = handle.bind(request.into_inner()).await?;
        Ok(DoPutPreparedStatementResult { prepared_statement_handle: Some(bound.to_bytes()?) })
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let question = Handle::from_bytes(&query.prepared_statement_handle)?.question();
        self.announce(&question, &query, request).await
    }

    async fn do_get_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        _request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        self.fetch(Handle::from_bytes(&query.prepared_statement_handle)?.question()).await
    }

    async fn do_action_close_prepared_statement(
        &self,
        _query: ActionClosePreparedStatementRequest,
        _request: Request<Action>,
    ) -> Result<(), Status> {
        Ok(())
    }

    /// A query runs only while its rows are fetched: ending that call has cancelled it.
    async fn do_action_cancel_query(
        &self,
        _query: ActionCancelQueryRequest,
        _request: Request<Action>,
    ) -> Result<ActionCancelQueryResult, Status> {
        Ok(ActionCancelQueryResult { result: CANCELLED })
    }

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info(&query.into_builder().schema(), &query, request)
    }

    async fn do_get_catalogs(
        &self,
        query: CommandGetCatalogs,
        _request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        one(metadata::catalogs(query))
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info(&query.clone().into_builder().schema(), &query, request)
    }

    async fn do_get_schemas(
        &self,
        query: CommandGetDbSchemas,
        _request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        one(metadata::schemas(query))
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info(&query.clone().into_builder().schema(), &query, request)
    }

    async fn do_get_tables(
        &self,
        query: CommandGetTables,
        _request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        let tables = self.history.tables().map_err(|error| status(&error))?;
        one(metadata::tables(query, &tables))
    }

    async fn get_flight_info_table_types(
        &self,
        query: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info(&query.into_builder().schema(), &query, request)
    }

    async fn do_get_table_types(
        &self,
        query: CommandGetTableTypes,
        _request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        one(metadata::table_types(query))
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        info(&query.clone().into_builder(&metadata::SERVER).schema(), &query, request)
    }

    async fn do_get_sql_info(
        &self,
        query: CommandGetSqlInfo,
        _request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        one(query.into_builder(&metadata::SERVER).build())
    }

    async fn register_sql_info(&self, _id: i32, _result: &SqlInfo) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionaries_are_announced_as_their_values() {
        use arrow::datatypes::Field;
        let names = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let schema = Schema::new(vec![Field::new("sensor", names, false)]);
        assert_eq!(hydrated(&schema).field(0).data_type(), &DataType::Utf8);
        assert!(
            hydrated(&schema).field(0).is_nullable() && nullable(&schema).field(0).is_nullable()
        );
    }
}
