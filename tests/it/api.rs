//! The twin's API as a test asks it: calls that block, and waiting until something is true. No
//! sleeps: a wait looks again whenever the twin says that an epoch has closed.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use citytwin_core::time::Epoch;
use citytwin_ingest::clock::{Clock as _, SystemClock};
use citytwin_proto::v1;
use citytwin_proto::v1::area::Shape;
use citytwin_proto::v1::operator_client::OperatorClient;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};

/// What a test is ready to wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);
/// A twin that can close no epoch (its disk is full) says nothing: then it is asked this often.
const SILENCE: Duration = Duration::from_millis(200);
const PAGE: i32 = 5_000;

/// A client of one twin. It survives the twin's restart.
pub(crate) struct Api {
    pub(crate) runtime: Runtime,
    client: OperatorClient<Channel>,
}

impl Api {
    /// Of the twin at this address; nothing is asked.
    pub(crate) fn of(address: &str) -> Api {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("threads can be started");
        let endpoint = Endpoint::from_shared(address.to_owned()).expect("an address");
        let channel = runtime.block_on(async { endpoint.timeout(PATIENCE).connect_lazy() });
        let client = OperatorClient::new(channel).max_decoding_message_size(64 << 20);
        Api { runtime, client }
    }

    /// For calls of one's own.
    pub(crate) fn client(&self) -> OperatorClient<Channel> {
        self.client.clone()
    }

    /// How the twin is doing.
    pub(crate) fn status(&self) -> v1::GetStatusResponse {
        let mut client = self.client();
        let answer = self.runtime.block_on(client.get_status(v1::GetStatusRequest {}));
        answer.expect("the twin answers").into_inner()
    }

    /// One sensor.
    pub(crate) fn sensor(&self, id: &str) -> v1::SensorState {
        let request = v1::GetSensorRequest { sensor: id.to_owned() };
        let mut client = self.client();
        let answer = self.runtime.block_on(client.get_sensor(request));
        answer.expect("the sensor is known").into_inner()
    }

    /// The whole city with all its sensors.
    pub(crate) fn everything(&self) -> v1::QueryAreaResponse {
        let mut client = self.client();
        let answer = self.runtime.block_on(client.query_area(everywhere(0)));
        answer.expect("the twin answers").into_inner()
    }

    /// Every sensor's ledger and, under `""`, the total; dead letters by reason.
    pub(crate) fn ledger(&self) -> (BTreeMap<String, v1::LedgerEntry>, BTreeMap<String, u64>) {
        let request = v1::GetLedgerRequest { page_size: PAGE, ..Default::default() };
        let mut client = self.client();
        let answer = self.runtime.block_on(client.get_ledger(request));
        let answer = answer.expect("the twin answers").into_inner();
        assert_eq!(answer.next_page_token, "", "tests have fewer sensors than a page");
        let mut ledger: BTreeMap<_, _> =
            answer.sensors.into_iter().map(|s| (s.sensor, s.ledger.unwrap_or_default())).collect();
        ledger.insert(String::new(), answer.total.unwrap_or_default());
        for (sensor, entry) in &ledger {
            adds_up(sensor, entry);
        }
        let letters = answer.dead_letters.into_iter().map(|d| (d.reason, d.messages)).collect();
        (ledger, letters)
    }

    /// Waits until the status is as wanted.
    pub(crate) fn until(
        &self,
        what: &str,
        wanted: impl Fn(&v1::GetStatusResponse) -> bool,
    ) -> v1::GetStatusResponse {
        let mut client = self.client();
        let mut last = None;
        let waiting = async {
            // Cells of the coarsest resolution: a small message an epoch.
            let area = everywhere(0).area;
            let request = v1::WatchRequest { area, resolution: 1, ..Default::default() };
            let mut epochs = client.watch(request).await.expect("a watch").into_inner();
            loop {
                let status = client.get_status(v1::GetStatusRequest {}).await;
                let status = status.expect("the twin answers").into_inner();
                if wanted(&status) {
                    return status;
                }
                last = Some(status);
                if let Ok(closed) = timeout(SILENCE, epochs.message()).await {
                    closed.expect("the watch goes on").expect("the watch goes on");
                }
            }
        };
        let found = self.runtime.block_on(async { timeout(PATIENCE, waiting).await });
        found.unwrap_or_else(|_late| no(format_args!("{what} within {PATIENCE:?}: {last:#?}")))
    }

    /// Waits until the twin shows everything that was acknowledged by now.
    pub(crate) fn until_now(&self) {
        let now = Epoch::of(SystemClock::new().now()).number();
        self.until("caught up", |status| epoch_of(status) >= now);
    }

    /// Waits until so many readings are in the twin, whatever became of them.
    pub(crate) fn until_received(&self, readings: u64) -> v1::GetStatusResponse {
        let what = format!("{readings} readings");
        self.until(&what, |status| received(status) >= readings)
    }
}

/// All sensors of the city.
pub(crate) fn everywhere(resolution: i32) -> v1::QueryAreaRequest {
    v1::QueryAreaRequest {
        area: Some(v1::Area { shape: Some(Shape::Everywhere(v1::Everywhere {})) }),
        resolution,
        include_sensors: true,
        ..Default::default()
    }
}

/// Readings in the twin.
pub(crate) fn received(status: &v1::GetStatusResponse) -> u64 {
    status.ledger.as_ref().map_or(0, |ledger| ledger.received)
}

/// The epoch for which a status holds.
pub(crate) fn epoch_of(status: &v1::GetStatusResponse) -> u64 {
    status.as_of.as_ref().map_or(0, |as_of| as_of.epoch)
}

/// Readings refused for a reason.
pub(crate) fn refused(entry: &v1::LedgerEntry, reason: &str) -> u64 {
    entry.refused.iter().filter(|one| one.reason == reason).map(|one| one.readings).sum()
}

/// What a timestamp of the API says, in milliseconds.
pub(crate) fn millis(time: Option<&prost_types::Timestamp>) -> i64 {
    time.map_or(0, |time| time.seconds * 1_000 + i64::from(time.nanos) / 1_000_000)
}

fn adds_up(sensor: &str, entry: &v1::LedgerEntry) {
    let refused: u64 = entry.refused.iter().map(|one| one.readings).sum();
    let parts = entry.applied + entry.duplicate + entry.late_applied + refused;
    assert_eq!(entry.received, parts, "{sensor:?}: {entry:?}");
}

fn no(what: impl std::fmt::Display) -> ! {
    panic!("not {what}")
}

/// Two maps that should be equal; the difference is said, not both maps.
pub(crate) fn same<V: PartialEq + Debug>(
    one: &BTreeMap<String, V>,
    other: &BTreeMap<String, V>,
    what: &str,
) {
    let keys = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
    let differ: Vec<_> = keys.filter(|key| one.get(*key) != other.get(*key)).collect();
    if let Some(first) = differ.first() {
        no(format_args!(
            "the same {what}: {} differ, such as {first:?}\n{:#?}\n{:#?}",
            differ.len(),
            one.get(*first),
            other.get(*first)
        ));
    }
}
