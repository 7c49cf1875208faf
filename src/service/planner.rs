//! The `Planner` service: from the wire to the planners' room and back. What reads or writes files
//! runs on the blocking pool; models run on the room's own threads.

use std::sync::Arc;

use citytwin_core::road::Network;
use citytwin_proto::v1;
use citytwin_proto::v1::planner_server::Planner as Api;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::outcome;
use super::request::{self, invalid};
use super::{definition, road, upload, wire};
use crate::planner::{
    BaseState, CreateOptions, Planned, Planner, PlannerError, Progress, Run, Running, Step,
};

/// Scenarios of a page when the request does not say, and at most.
const PAGE: (i32, i32) = (100, 1_000);
/// Rows of each kind of a comparison when the request does not say, and at most.
const ROWS: (i32, i32) = (100, 100_000);
/// Messages that may wait for a slow reader.
const AHEAD: usize = 4;

/// The service.
#[derive(Clone, Debug)]
pub struct PlannerService {
    planner: Arc<Planner>,
}

/// A stream of messages.
pub(super) type Answers<T> = ReceiverStream<Result<T, Status>>;

impl PlannerService {
    /// Over a room.
    pub const fn new(planner: Arc<Planner>) -> PlannerService {
        PlannerService { planner }
    }

    /// Asks the room where it may wait for the disk.
    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Planner) -> Result<T, PlannerError> + Send + 'static,
    ) -> Result<T, Status> {
        let planner = Arc::clone(&self.planner);
        let asked = tokio::task::spawn_blocking(move || ask(&planner)).await;
        let asked = asked.map_err(|error| Status::internal(format!("broke off: {error}")))?;
        asked.map_err(|error| status(&error))
    }
}

/// What an error means for who asked.
pub(super) fn status(error: &PlannerError) -> Status {
    let text = chain(error);
    match error {
        PlannerError::Faults(faults) => {
            let mut details = ErrorDetails::new();
            for fault in faults {
                details.add_bad_request_violation(&fault.field, fault.what.to_string());
            }
            Status::with_error_details(tonic::Code::InvalidArgument, text, details)
        }
        PlannerError::NoNetwork | PlannerError::NoOutcome(_) | PlannerError::InUse(_) => {
            Status::failed_precondition(text)
        }
        PlannerError::Id(crate::planner::IdError::Unknown { .. }) => Status::not_found(text),
        PlannerError::Id(_)
        | PlannerError::Compare(_)
        | PlannerError::Import(_)
        | PlannerError::Upload(_)
        | PlannerError::Run(_) => Status::invalid_argument(text),
        PlannerError::Estimate(_) => Status::failed_precondition(text),
        PlannerError::BaseGone { .. } => Status::out_of_range(text),
        PlannerError::Past(cause) => Status::new(super::history::status(cause).code(), text),
        PlannerError::Busy(_) => Status::resource_exhausted(text),
        PlannerError::Cancelled => Status::cancelled(text),
        PlannerError::File { .. }
        | PlannerError::Damaged { .. }
        | PlannerError::Checkpoint(_)
        | PlannerError::BrokeOff(_) => Status::internal(text),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        text = format!("{text}: {one}");
        cause = one.source();
    }
    text
}

fn planned(planned: &Planned, has_outcome: bool) -> v1::PlannedScenario {
    let unfit = |(field, reason): &(String, String)| v1::Unfit {
        field: field.clone(),
        reason: reason.clone(),
    };
    v1::PlannedScenario {
        id: planned.id.to_string(),
        network: planned.network.to_string(),
        scenario: Some(definition::message(&planned.scenario)),
        create_time: Some(wire::arrival_time(planned.created)),
        base: Some(base(&planned.base)),
        has_outcome,
        left_out: planned.left_out.iter().map(unfit).collect(),
    }
}

fn base(base: &BaseState) -> v1::BaseState {
    v1::BaseState {
        as_of: Some(wire::as_of_epoch(base.epoch, base.watermark)),
        links_measured: base.links_measured,
        links_estimated: base.links_estimated,
        quality: base.quality,
        sensors_used: base.sensors_used,
        sensors_left_out: base.sensors_left_out,
        sensors_unmatched: base.sensors_unmatched,
    }
}

fn progress(progress: Progress) -> v1::RunProgress {
    v1::RunProgress {
        stage: progress.stage.name().to_owned(),
        done: progress.done,
        waiting: u32::try_from(progress.waiting).unwrap_or(u32::MAX),
    }
}

/// Sends what a run tells until it ends or the reader has gone; letting go of it then cancels it.
async fn follow<T, M>(
    mut running: Running<T>,
    sender: mpsc::Sender<Result<M, Status>>,
    told: impl Fn(v1::RunProgress) -> M,
    ended: impl Fn(T) -> M,
) {
    loop {
        let step = tokio::select! {
            step = running.step() => step,
            () = sender.closed() => return,
        };
        let (message, is_last) = match step {
            Step::Progress(step) => (Ok(told(progress(step))), false),
            Step::Ended(Ok(done)) => (Ok(ended(done)), true),
            Step::Ended(Err(error)) => (Err(status(&error)), true),
        };
        if sender.send(message).await.is_err() || is_last {
            return;
        }
    }
}

#[tonic::async_trait]
impl Api for PlannerService {
    type ReadLinksStream = Answers<v1::ReadLinksResponse>;
    type CalibrateDemandStream = Answers<v1::CalibrateDemandResponse>;
    type RunScenarioStream = Answers<v1::RunScenarioResponse>;
    type GetOutcomeStream = Answers<v1::GetOutcomeResponse>;

    async fn import_network(
        &self,
        request: Request<Streaming<v1::ImportNetworkRequest>>,
    ) -> Result<Response<v1::Network>, Status> {
        let upload = upload::receive(request.into_inner()).await.map_err(|e| status(&e))?;
        let answer = self.ask(move |planner| {
            let import = upload.read()?;
            let problems = import.faults.iter().take(100).map(ToString::to_string).collect();
            let left_out = u32::try_from(import.faults.len()).unwrap_or(u32::MAX);
            let roads = planner.adopt(import.network)?;
            Ok(v1::Network { left_out, problems, ..road::network(&roads, true) })
        });
        Ok(Response::new(answer.await?))
    }

    async fn get_network(
        &self,
        request: Request<v1::GetNetworkRequest>,
    ) -> Result<Response<v1::Network>, Status> {
        let id = request.into_inner().id;
        let answer = self.ask(move |planner| {
            let roads = planner.roads(&id)?;
            Ok(road::network(&roads, planner.is_current(&roads.id)))
        });
        Ok(Response::new(answer.await?))
    }

    async fn list_networks(
        &self,
        _request: Request<v1::ListNetworksRequest>,
    ) -> Result<Response<v1::ListNetworksResponse>, Status> {
        let answer = self.ask(|planner| {
            let all = planner.networks()?;
            let told = all.iter().map(|one| road::network(one, planner.is_current(&one.id)));
            Ok(v1::ListNetworksResponse { networks: told.collect() })
        });
        Ok(Response::new(answer.await?))
    }

    async fn delete_network(
        &self,
        request: Request<v1::DeleteNetworkRequest>,
    ) -> Result<Response<v1::DeleteNetworkResponse>, Status> {
        let id = request.into_inner().id;
        self.ask(move |planner| planner.delete_network(&id)).await?;
        Ok(Response::new(v1::DeleteNetworkResponse {}))
    }

    async fn read_links(
        &self,
        request: Request<v1::ReadLinksRequest>,
    ) -> Result<Response<Self::ReadLinksStream>, Status> {
        let id = request.into_inner().network;
        let roads = self.ask(move |planner| planner.roads(&id)).await?;
        Ok(Response::new(stream(move |send| road::links(&roads.network).try_for_each(send))))
    }

    async fn list_matches(
        &self,
        _request: Request<v1::ListMatchesRequest>,
    ) -> Result<Response<v1::ListMatchesResponse>, Status> {
        let answer = self.ask(|planner| {
            let (roads, snapshot) = (planner.current()?, planner.city().snapshot());
            Ok(v1::ListMatchesResponse {
                as_of: Some(wire::as_of(&snapshot)),
                ..road::matches(&roads.network, &roads.matching(&snapshot))
            })
        });
        Ok(Response::new(answer.await?))
    }

    async fn calibrate_demand(
        &self,
        request: Request<v1::CalibrateDemandRequest>,
    ) -> Result<Response<Self::CalibrateDemandStream>, Status> {
        let given = request.into_inner();
        let share = given.held_out_share.unwrap_or(0.2);
        if !(0.0..=0.9).contains(&share) {
            return Err(invalid("held_out_share", format!("{share}; allowed: 0 to 0.9")));
        }
        let running = self.ask(move |planner| planner.calibrate(share, given.seed)).await?;
        let (sender, receiver) = mpsc::channel(AHEAD);
        let message = |step| v1::CalibrateDemandResponse { step: Some(step) };
        tokio::spawn(follow(
            running,
            sender,
            move |progress| message(v1::calibrate_demand_response::Step::Progress(progress)),
            move |done| {
                let told = road::calibration(&done, base(&done.base));
                message(v1::calibrate_demand_response::Step::Calibration(told))
            },
        ));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn create_scenario(
        &self,
        request: Request<v1::CreateScenarioRequest>,
    ) -> Result<Response<v1::PlannedScenario>, Status> {
        let given = request.into_inner();
        let message = given.scenario.ok_or_else(|| invalid("scenario", "is missing"))?;
        let scenario = definition::scenario(&message)?;
        let options =
            CreateOptions { validate_only: given.validate_only, skip_unfit: given.skip_unfit };
        let answer = self.ask(move |planner| {
            let made = planner.create(scenario, options)?;
            Ok(planned(&made, planner.has_outcome(&made)))
        });
        Ok(Response::new(answer.await?))
    }

    async fn get_scenario(
        &self,
        request: Request<v1::GetScenarioRequest>,
    ) -> Result<Response<v1::PlannedScenario>, Status> {
        let id = request.into_inner().id;
        let answer = self.ask(move |planner| {
            let found = planner.scenario(&id)?;
            Ok(planned(&found, planner.has_outcome(&found)))
        });
        Ok(Response::new(answer.await?))
    }

    async fn list_scenarios(
        &self,
        request: Request<v1::ListScenariosRequest>,
    ) -> Result<Response<v1::ListScenariosResponse>, Status> {
        let given = request.into_inner();
        let limit = request::size("page_size", given.page_size, PAGE.0, PAGE.1)?;
        let from = place(&given.page_token)?;
        let answer = self.ask(move |planner| {
            let all = planner.scenarios()?;
            let page = all.iter().skip(from).take(limit);
            let next = from + page.len();
            Ok(v1::ListScenariosResponse {
                scenarios: page.map(|one| planned(one, planner.has_outcome(one))).collect(),
                next_page_token: if next < all.len() { next.to_string() } else { String::new() },
            })
        });
        Ok(Response::new(answer.await?))
    }

    async fn delete_scenario(
        &self,
        request: Request<v1::DeleteScenarioRequest>,
    ) -> Result<Response<v1::DeleteScenarioResponse>, Status> {
        let id = request.into_inner().id;
        self.ask(move |planner| planner.delete_scenario(&id)).await?;
        Ok(Response::new(v1::DeleteScenarioResponse {}))
    }

    async fn run_scenario(
        &self,
        request: Request<v1::RunScenarioRequest>,
    ) -> Result<Response<Self::RunScenarioStream>, Status> {
        use v1::run_scenario_response::Step as Told;
        let v1::RunScenarioRequest { id, reproduce } = request.into_inner();
        let run = self.ask(move |planner| planner.run(&id, reproduce)).await?;
        let (sender, receiver) = mpsc::channel(AHEAD);
        let message = |step| v1::RunScenarioResponse { step: Some(step) };
        let running = match run {
            Run::Kept(done) => {
                let told = outcome::outcome(&done.stored.outcome, &done.name, &done.stored.sha256);
                sender.try_send(Ok(message(Told::Outcome(told)))).expect("the channel is empty");
                return Ok(Response::new(ReceiverStream::new(receiver)));
            }
            Run::Running(running) => running,
        };
        tokio::spawn(follow(
            running,
            sender,
            move |progress| message(Told::Progress(progress)),
            move |done| {
                let fresh = &done.stored.sha256;
                message(match &done.before {
                    Some(stored) => Told::Reproduction(v1::Reproduction {
                        identical: stored == fresh,
                        stored_sha256: stored.clone(),
                        fresh_sha256: fresh.clone(),
                    }),
                    None => {
                        Told::Outcome(outcome::outcome(&done.stored.outcome, &done.name, fresh))
                    }
                })
            },
        ));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn get_outcome(
        &self,
        request: Request<v1::GetOutcomeRequest>,
    ) -> Result<Response<Self::GetOutcomeStream>, Status> {
        use v1::get_outcome_response::Part;
        let wanted = request.into_inner();
        let id = wanted.id.clone();
        let (planned, stored) = self.ask(move |planner| planner.outcome(&id)).await?;
        Ok(Response::new(stream(move |send| {
            let message = |part| v1::GetOutcomeResponse { part: Some(part) };
            let found = &stored.outcome;
            let head = outcome::outcome(found, &planned.scenario.name, &stored.sha256);
            send(message(Part::Outcome(head)))?;
            outcome::figures(found, &wanted)
                .try_for_each(|figures| send(message(Part::Figures(figures))))
        })))
    }

    async fn compare_outcomes(
        &self,
        request: Request<v1::CompareOutcomesRequest>,
    ) -> Result<Response<v1::CompareOutcomesResponse>, Status> {
        let v1::CompareOutcomesRequest { first, second, limit } = request.into_inner();
        let limit = request::size("limit", limit, ROWS.0, ROWS.1)?;
        let answer = self.ask(move |planner| {
            let network = planner.scenario(&second)?.network;
            let roads = planner.roads(network.as_str())?;
            let (first, second, found) = planner.compare(&first, &second)?;
            let network: &Network = &roads.network;
            Ok(outcome::comparison((&first.outcome, &second.outcome), &found, network, limit))
        });
        Ok(Response::new(answer.await?))
    }
}

/// A stream made on the blocking pool, as fast as it is read.
fn stream<T: Send + 'static>(
    make: impl FnOnce(&mut dyn FnMut(T) -> Result<(), ()>) -> Result<(), ()> + Send + 'static,
) -> Answers<T> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut send = |message: T| sender.blocking_send(Ok(message)).map_err(|_gone| ());
        // Where the reader has gone nobody wants the rest.
        make(&mut send).unwrap_or_default();
    });
    ReceiverStream::new(receiver)
}

/// Where a page begins.
fn place(page_token: &str) -> Result<usize, Status> {
    if page_token.is_empty() {
        return Ok(0);
    }
    page_token.parse().map_err(|_error| invalid("page_token", "is none of ours"))
}
