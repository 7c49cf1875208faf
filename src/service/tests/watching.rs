//! `Watch` message by message: nothing missing, nothing twice, whatever the reader does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use citytwin_core::twin::SensorTable;
use citytwin_proto::v1;
use citytwin_proto::v1::area::Shape;
use citytwin_proto::v1::operator_server::Operator as _;
use proptest::prelude::*;
use tokio_stream::StreamExt as _;
use tonic::{Code, Request, Status};

use super::*;

fn everywhere() -> v1::WatchRequest {
    watch(Shape::Everywhere(v1::Everywhere {}))
}

fn watch(shape: Shape) -> v1::WatchRequest {
    v1::WatchRequest { area: Some(v1::Area { shape: Some(shape) }), ..Default::default() }
}

/// The first 30 sensors of the grid.
fn south() -> v1::WatchRequest {
    let (south_deg, west_deg) = (ORIGIN.0 - 0.001, ORIGIN.1 - 0.001);
    let (north_deg, east_deg) = (ORIGIN.0 + 2.5 * STEP_DEG, ORIGIN.1 + 0.5);
    watch(Shape::Box(v1::Box { south_deg, west_deg, north_deg, east_deg }))
}

async fn open(town: &Town, request: v1::WatchRequest) -> Result<Messages, Status> {
    town.service().watch(Request::new(request)).await.map(tonic::Response::into_inner)
}

async fn resume(town: &Town, request: v1::WatchRequest, token: &str) -> Result<Messages, Status> {
    open(town, v1::WatchRequest { resume_token: token.to_owned(), ..request }).await
}

async fn next(messages: &mut Messages) -> v1::WatchResponse {
    messages.next().await.unwrap().unwrap()
}

/// Whether there is nothing to say now.
async fn is_quiet(messages: &mut Messages) -> bool {
    tokio::time::timeout(Duration::ZERO, messages.next()).await.is_err()
}

fn names(message: &v1::WatchResponse) -> Vec<&str> {
    message.sensors.iter().map(|sensor| sensor.sensor.as_str()).collect()
}

#[tokio::test]
async fn everything_first_then_changes() {
    let mut town = Town::new(100);
    let mut messages = open(&town, south()).await.unwrap();
    let first = next(&mut messages).await;
    assert!(first.full);
    assert_eq!((first.sensors.len(), first.from_epoch), (30, 0));
    assert!(is_quiet(&mut messages).await);
    let before = town.snapshot.epoch;
    let epoch = town.epoch(|snapshot, epoch| {
        report(snapshot, epoch, 7, 20.0);
        report(snapshot, epoch, 77, 20.0);
    });
    town.clock.advance_ms(35);
    let second = next(&mut messages).await;
    assert!(!second.full);
    assert_eq!(names(&second), ["town/s-00007"]);
    assert_eq!((second.from_epoch, second.as_of.unwrap().epoch), (before.number(), epoch.number()));
    assert_eq!((second.lag_ms, second.conflated_epochs), (35, 0));
    town.epoch(|snapshot, epoch| report(snapshot, epoch, 77, 21.0));
    assert!(is_quiet(&mut messages).await, "outside the area");
    assert_eq!(town.city.watchers(), 1);
    drop(messages);
    assert_eq!(town.city.watchers(), 0);
}

#[tokio::test]
async fn what_moves_away_or_falls_silent_is_told() {
    let mut town = Town::new(100);
    town.epoch(|snapshot, epoch| report(snapshot, epoch, 3, 20.0));
    let mut messages = open(&town, south()).await.unwrap();
    let mut cells = open(&town, v1::WatchRequest { resolution: 9, ..south() }).await.unwrap();
    next(&mut messages).await;
    let begin = next(&mut cells).await;
    assert!(begin.full && begin.sensors.is_empty() && begin.cells.len() > 1);
    town.epoch(|snapshot, epoch| {
        relocate(snapshot, epoch, 3, position(90));
        relocate(snapshot, epoch, 80, position(5));
    });
    let moved = next(&mut messages).await;
    assert_eq!(moved.removed_sensors, ["town/s-00003"]);
    assert_eq!(names(&moved), ["town/s-00080"]);
    let moved = next(&mut cells).await;
    assert!(!moved.cells.is_empty() && moved.sensors.is_empty());

    town.epoch(|snapshot, epoch| report(snapshot, epoch, 4, 20.0));
    next(&mut messages).await;
    let mut fell_silent = None;
    for _ in 0..400 {
        town.quiet(1);
        while let Ok(Some(message)) = tokio::time::timeout(Duration::ZERO, messages.next()).await {
            let message = message.unwrap();
            if let Some(sensor) = message.sensors.first() {
                fell_silent = Some(sensor.clone());
            }
        }
    }
    let fell_silent = fell_silent.unwrap();
    assert_eq!(fell_silent.sensor, "town/s-00004");
    assert_eq!(fell_silent.health(), v1::SensorHealth::Silent);
}

#[tokio::test]
async fn an_empty_message_a_second_where_nothing_happens() {
    let mut town = Town::new(10);
    let mut messages = open(&town, everywhere()).await.unwrap();
    let first = next(&mut messages).await;
    let mut told = Vec::new();
    for _ in 0..35 {
        town.quiet(1);
        while let Ok(Some(message)) = tokio::time::timeout(Duration::ZERO, messages.next()).await {
            told.push(message.unwrap());
        }
    }
    assert_eq!(told.len(), 3);
    let mut end = first.as_of.unwrap().epoch;
    for message in told {
        assert!(message.sensors.is_empty() && !message.full);
        assert_eq!((message.from_epoch, message.conflated_epochs), (end, 0));
        end = message.as_of.unwrap().epoch;
    }
}

#[tokio::test]
async fn a_slow_reader_gets_one_message_for_many_epochs() {
    let mut town = Town::new(100);
    let mut messages = open(&town, everywhere()).await.unwrap();
    let first = next(&mut messages).await;
    for round in 0..50 {
        town.epoch(|snapshot, epoch| {
            (0..100).for_each(|n| report(snapshot, epoch, n, f64::from(round)));
        });
    }
    let folded = next(&mut messages).await;
    assert_eq!(folded.sensors.len(), 100, "each sensor once");
    let newest = |sensor: &v1::SensorState| sensor.latest[0].value.total_cmp(&49.0).is_eq();
    assert!(folded.sensors.iter().all(newest), "the newest");
    assert_eq!(folded.conflated_epochs, 49);
    assert_eq!(folded.from_epoch, first.as_of.unwrap().epoch);
    assert!(is_quiet(&mut messages).await, "nothing was queued");
}

#[tokio::test]
async fn resuming_leaves_no_gap_and_repeats_nothing() {
    let mut town = Town::new(100);
    let mut messages = open(&town, south()).await.unwrap();
    let first = next(&mut messages).await;
    drop(messages);
    town.epoch(|snapshot, epoch| report(snapshot, epoch, 1, 20.0));
    town.epoch(|snapshot, epoch| report(snapshot, epoch, 2, 20.0));
    let mut messages = resume(&town, south(), &first.resume_token).await.unwrap();
    let second = next(&mut messages).await;
    assert!(!second.full);
    assert_eq!(second.from_epoch, first.as_of.unwrap().epoch);
    assert_eq!(names(&second), ["town/s-00001", "town/s-00002"]);
    let mut again = resume(&town, south(), &second.resume_token).await.unwrap();
    assert!(is_quiet(&mut again).await, "nothing new since");
    town.epoch(|snapshot, epoch| report(snapshot, epoch, 3, 20.0));
    assert_eq!(names(&next(&mut again).await), ["town/s-00003"]);
}

#[tokio::test]
async fn a_token_that_cannot_be_resumed_says_why() {
    let mut town = Town::new(100);
    let first = next(&mut open(&town, south()).await.unwrap()).await;
    let refused = |request: v1::WatchRequest, token: String| {
        let town = &town;
        async move {
            let status = resume(town, request, &token).await.unwrap_err();
            (status.code(), status.message().to_owned())
        }
    };
    let (code, message) = refused(south(), "nonsense".into()).await;
    assert_eq!(code, Code::InvalidArgument);
    assert!(message.starts_with("resume_token: \"nonsense\" is not a token"), "{message}");
    for other in [everywhere(), v1::WatchRequest { resolution: 8, ..south() }] {
        let (code, message) = refused(other, first.resume_token.clone()).await;
        assert_eq!(code, Code::InvalidArgument);
        assert!(message.contains("is of another watch"), "{message}");
    }
    let stranger = Town::with_folder(100, 2);
    let foreign = next(&mut open(&stranger, south()).await.unwrap()).await;
    let (code, message) = refused(south(), foreign.resume_token).await;
    assert_eq!(code, Code::OutOfRange);
    assert!(message.contains("another data folder") && message.contains("begin anew"), "{message}");
    let mut future = token::ResumeToken::decode(&first.resume_token).unwrap();
    future.epoch = Epoch::new(town.snapshot.epoch.number() + 10_000);
    let (code, message) = refused(south(), future.encode()).await;
    assert_eq!(code, Code::OutOfRange);
    assert!(message.contains("is not yet"), "{message}");

    for number in 0..=u32::try_from(SensorTable::DEPARTURES_KEPT).unwrap() {
        let to = if number.is_multiple_of(2) { position(95) } else { position(96) };
        town.epoch(|snapshot, epoch| relocate(snapshot, epoch, 99, to));
    }
    let status = resume(&town, south(), &first.resume_token).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    assert!(status.message().contains("is too old, changes are known from"), "{status}");
}

#[tokio::test]
async fn a_token_ahead_of_an_engine_that_catches_up_waits_for_it() {
    let town = Town::new(100);
    let first = next(&mut open(&town, south()).await.unwrap()).await;
    let mut ahead = token::ResumeToken::decode(&first.resume_token).unwrap();
    ahead.epoch = Epoch::new(town.snapshot.epoch.number() + 2);
    let text = ahead.encode();
    let waiting = resume(&town, south(), &text);
    let mut waiting = std::pin::pin!(waiting);
    assert!(tokio::time::timeout(Duration::ZERO, waiting.as_mut()).await.is_err());
    let mut snapshot = town.snapshot.clone();
    for number in 0..4 {
        let epoch = snapshot.epoch.next();
        report(&mut snapshot, epoch, number, 20.0);
        snapshot.advance(epoch, EventTime::from_ms(epoch.end().ms() - 10_000));
        town.city.publish(Arc::new(snapshot.clone()));
    }
    let mut messages = waiting.await.unwrap();
    let message = next(&mut messages).await;
    assert_eq!(message.from_epoch, ahead.epoch.number());
    assert_eq!(names(&message), ["town/s-00002", "town/s-00003"]);
}

#[tokio::test]
async fn a_reader_slower_than_memory_gets_everything_again() {
    let mut town = Town::new(100);
    let mut messages = open(&town, south()).await.unwrap();
    next(&mut messages).await;
    for number in 0..=u32::try_from(SensorTable::DEPARTURES_KEPT).unwrap() {
        let to = if number.is_multiple_of(2) { position(95) } else { position(96) };
        town.epoch(|snapshot, epoch| relocate(snapshot, epoch, 99, to));
    }
    let message = next(&mut messages).await;
    assert!(message.full);
    assert_eq!((message.sensors.len(), message.from_epoch), (30, 0));
}

#[tokio::test]
async fn shutdown_ends_every_watch() {
    let town = Town::new(10);
    let mut messages = open(&town, everywhere()).await.unwrap();
    next(&mut messages).await;
    town.shutdown.cancel();
    let status = messages.next().await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("resume_token"), "{status}");
    assert!(messages.next().await.is_none());
    assert_eq!(town.city.watchers(), 0);
}

#[tokio::test]
async fn one_watcher_too_many_is_refused() {
    let town = Town::new(1);
    let all: Vec<_> = (0..MAX_WATCHERS).map(|_| town.city.watcher(MAX_WATCHERS).unwrap()).collect();
    let status = open(&town, everywhere()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    drop(all);
    assert!(open(&town, everywhere()).await.is_ok());
}

/// What may happen to a town and its reader.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Report(u32, u32),
    Move(u32, u32),
    Quiet(u32),
    Read,
    Reconnect,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (0..60_u32, 0..100_u32).prop_map(|(n, value)| Happening::Report(n, value)),
        2 => (0..60_u32, 0..60_u32).prop_map(|(n, to)| Happening::Move(n, to)),
        1 => (1..400_u32).prop_map(Happening::Quiet),
        4 => Just(Happening::Read),
        1 => Just(Happening::Reconnect),
    ]
}

/// The picture a reader has: what it was told, folded.
#[derive(Debug, Default, PartialEq)]
struct Picture {
    sensors: BTreeMap<String, v1::SensorState>,
    cells: BTreeMap<String, v1::CellState>,
}

impl Picture {
    fn fold(&mut self, message: v1::WatchResponse) {
        if message.full {
            *self = Picture::default();
        }
        let gone: BTreeSet<String> =
            message.removed_sensors.into_iter().chain(message.removed_cells).collect();
        self.sensors.retain(|name, _| !gone.contains(name));
        self.cells.retain(|name, _| !gone.contains(name));
        self.sensors.extend(message.sensors.into_iter().map(|s| (s.sensor.clone(), s)));
        self.cells.extend(message.cells.into_iter().map(|c| (c.cell.clone(), c)));
    }
}

/// Plays a story to a reader of `request` and holds its picture against a fresh one at each read.
async fn play(request: v1::WatchRequest, story: &[Happening]) -> Result<(), TestCaseError> {
    let mut town = Town::new(60);
    let mut messages = open(&town, request.clone()).await.unwrap();
    let mut picture = Picture::default();
    let (mut token, mut end) = (String::new(), 0);
    for happening in story.iter().chain(&[Happening::Read]) {
        match *happening {
            Happening::Report(number, value) => {
                town.epoch(|snapshot, epoch| report(snapshot, epoch, number, f64::from(value)));
            }
            Happening::Move(number, to) => {
                town.epoch(|snapshot, epoch| relocate(snapshot, epoch, number, position(to)));
            }
            Happening::Quiet(epochs) => town.quiet(epochs),
            Happening::Reconnect => {
                messages = resume(&town, request.clone(), &token).await.unwrap();
            }
            Happening::Read => {
                while let Ok(Some(message)) =
                    tokio::time::timeout(Duration::ZERO, messages.next()).await
                {
                    let message = message.unwrap();
                    let begin = if message.full { 0 } else { end };
                    prop_assert_eq!(message.from_epoch, begin, "a gap or a repeat");
                    end = message.as_of.unwrap().epoch;
                    token.clone_from(&message.resume_token);
                    picture.fold(message);
                }
                let mut fresh = Picture::default();
                fresh.fold(next(&mut open(&town, request.clone()).await.unwrap()).await);
                prop_assert_eq!(&picture, &fresh);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn folding_messages_gives_the_picture_of_a_fresh_watch(
        story in prop::collection::vec(happening(), 1..40),
        resolution in prop_oneof![Just(0), Just(8), Just(10)],
    ) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(play(v1::WatchRequest { resolution, ..south() }, &story))?;
    }
}
