//! `Watch` over gRPC while a fleet publishes: a client that hangs up at random points and resumes
//! with its token, and lays every change over what it has, has at every epoch what a query gives.

use std::collections::BTreeMap;
use std::time::Duration;

use citytwin_proto::v1;
use citytwin_simulators::chance::{below, draw};
use tokio::time::timeout;

use crate::api::{Api, epoch_of, everywhere, received, same};
use crate::fleets;
use crate::process::Server;

const PATIENCE: Duration = Duration::from_secs(30);
const RESOLUTION: i32 = 8;
/// Moments of the living city at which the map must equal the query's answer.
const MEETINGS: u32 = 15;

/// What a client makes of the messages.
#[derive(Default)]
struct Map {
    sensors: BTreeMap<String, v1::SensorState>,
    cells: BTreeMap<String, v1::CellState>,
    epoch: u64,
    token: String,
}

impl Map {
    fn lay(&mut self, message: v1::WatchResponse) {
        let epoch = message.as_of.unwrap().epoch;
        assert!(epoch > self.epoch, "{epoch} after {}", self.epoch);
        if message.full {
            assert_eq!(message.from_epoch, 0);
            self.sensors.clear();
            self.cells.clear();
        } else {
            assert_eq!(message.from_epoch, self.epoch, "no gap, no repeat");
        }
        self.sensors.extend(message.sensors.into_iter().map(|one| (one.sensor.clone(), one)));
        self.cells.extend(message.cells.into_iter().map(|one| (one.cell.clone(), one)));
        message.removed_sensors.iter().for_each(|sensor| drop(self.sensors.remove(sensor)));
        message.removed_cells.iter().for_each(|cell| drop(self.cells.remove(cell)));
        (self.epoch, self.token) = (epoch, message.resume_token);
    }

    fn equals(&self, answer: v1::QueryAreaResponse) {
        let sensors = answer.sensors.into_iter().map(|one| (one.sensor.clone(), one)).collect();
        same(&self.sensors, &sensors, "sensors");
        let cells = answer.cells.into_iter().map(|one| (one.cell.clone(), one)).collect();
        same(&self.cells, &cells, "cells");
    }
}

/// Watches by sensors (resolution 0) or by cells, meeting the query's answer every few messages
/// and hanging up at random ones.
async fn watch(api: &Api, resolution: i32) -> (u32, u32) {
    let (mut map, mut meetings, mut resumes) = (Map::default(), 0, 0);
    let mut client = api.client();
    while meetings < MEETINGS {
        let request = v1::WatchRequest {
            area: everywhere(0).area,
            resolution,
            resume_token: map.token.clone(),
            ..Default::default()
        };
        let mut messages = client.watch(request).await.unwrap().into_inner();
        let until_hang_up = 1 + below(draw(7, u64::from(resumes)), 6);
        for _ in 0..until_hang_up {
            let message = timeout(PATIENCE, messages.message()).await.unwrap().unwrap().unwrap();
            assert_eq!(message.full, map.token.is_empty(), "full only at the beginning");
            map.lay(message);
            let mut question = everywhere(resolution);
            question.include_sensors = resolution == 0;
            let answer = client.query_area(question).await.unwrap().into_inner();
            // The city may have lived on between the message and the answer.
            if answer.as_of.as_ref().unwrap().epoch == map.epoch {
                map.equals(answer);
                meetings += 1;
            }
        }
        resumes += 1;
    }
    (meetings, resumes)
}

#[test]
fn a_watch_that_is_broken_and_resumed_misses_nothing() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let mut options = fleets::options(&server.mqtt, &server.grpc);
    options.verify = None;
    let run = fleets::start(&fleets::spec(300, 15), options);
    let api = Api::of(&server.grpc);
    let begun = api.until_received(500);
    let (by_sensor, by_cell) =
        api.runtime.block_on(async { tokio::join!(watch(&api, 0), watch(&api, RESOLUTION)) });
    let ended = api.status();
    assert!(received(&ended) > received(&begun) + 500, "the city lived");
    assert!(epoch_of(&ended) > epoch_of(&begun));
    assert!(by_sensor.1 > 1 && by_cell.1 > 1, "resumed: {by_sensor:?} {by_cell:?}");
    run.finish();
}
