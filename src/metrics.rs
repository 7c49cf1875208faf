//! Our own telemetry: every metric with its unit and meaning, and the Prometheus text at
//! `/metrics`. Values are taken from the rooms once a second; nothing is counted per reading here,
//! and nothing has a label per sensor.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result};
use citytwin_core::frame::DeadLetterReason;
use citytwin_core::reading::RefusalReason;
use citytwin_ingest::endpoint::{ClosedReason, EndpointCounters, RefusedReason};
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::pipeline::Background;
use crate::rooms::Rooms;
use crate::service::{City, State};

/// How often values are taken.
const EVERY: Duration = Duration::from_secs(1);

/// Gauges: name, unit, meaning.
const GAUGES: [(&str, Unit, &str); 19] = [
    ("citytwin_frontier_lag_seconds", Unit::Seconds, "End of the newest epoch to its publication"),
    ("citytwin_durable_lag_seconds", Unit::Seconds, "Age of the oldest message not yet durable"),
    ("citytwin_readings_per_second", Unit::CountPerSecond, "Readings logged, ten-second mean"),
    ("citytwin_sensors_live", Unit::Count, "Sensors that report as expected"),
    ("citytwin_sensors_silent", Unit::Count, "Sensors without a reading for three intervals"),
    ("citytwin_sensors_never_heard", Unit::Count, "Sensors registered and never heard"),
    ("citytwin_sensors_suspect", Unit::Count, "Live sensors whose value does not move"),
    ("citytwin_log_bytes", Unit::Bytes, "Size of the log"),
    ("citytwin_archive_bytes", Unit::Bytes, "Size of the archive"),
    ("citytwin_archived_through_epoch", Unit::Count, "The archive holds everything through it"),
    (
        "citytwin_store_lag_seconds",
        Unit::Seconds,
        "What the archive's files are ahead of the store",
    ),
    ("citytwin_store_files", Unit::Count, "Files of the archive in the store"),
    ("citytwin_store_bytes", Unit::Bytes, "Size of the files of the archive in the store"),
    ("citytwin_published_epoch", Unit::Count, "The epoch of the newest snapshot"),
    ("citytwin_watermark_seconds", Unit::Seconds, "Event time up to which windows are closed"),
    ("citytwin_connections", Unit::Count, "MQTT connections at the endpoint"),
    ("citytwin_watchers", Unit::Count, "Open watch streams"),
    ("citytwin_resident_bytes", Unit::Bytes, "Resident memory of the process"),
    ("citytwin_serving", Unit::Count, "1: readings are acknowledged and answers are current"),
];

/// Counters: name, meaning.
const COUNTERS: [(&str, &str); 10] = [
    ("citytwin_readings_applied_total", "Readings in the twin and the archive, on time"),
    ("citytwin_readings_late_total", "Readings older than the watermark, archived"),
    ("citytwin_readings_duplicate_total", "Readings dropped as repeats"),
    ("citytwin_readings_refused_total", "Readings refused, by reason"),
    ("citytwin_dead_letters_total", "Messages set aside, by reason"),
    ("citytwin_store_failures_total", "Rounds in which the store failed"),
    ("citytwin_endpoint_messages_total", "MQTT messages taken by the endpoint"),
    ("citytwin_endpoint_bytes_total", "Bytes read by the endpoint"),
    ("citytwin_endpoint_refused_total", "Connections not let in, by reason"),
    ("citytwin_endpoint_closed_total", "Connections closed by the endpoint, by reason"),
];

/// Serves the metrics if an address is given, until the background ends.
///
/// # Errors
/// When the address is not to be had, or metrics are served by this process already.
pub(crate) fn serve(
    listen: Option<SocketAddr>,
    city: &Arc<City>,
    rooms: &Arc<Rooms>,
    background: &mut Background,
) -> Result<()> {
    let Some(listen) = listen else { return Ok(()) };
    let (recorder, exporter) = PrometheusBuilder::new()
        .with_http_listener(listen)
        .build()
        .with_context(|| format!("metrics.listen: cannot listen on {listen}"))?;
    metrics::set_global_recorder(recorder).context("metrics are served already")?;
    describe();
    let (city, rooms, shutdown) =
        (Arc::clone(city), Arc::clone(rooms), background.shutdown.clone());
    background.tasks.spawn(async move {
        let mut tick = tokio::time::interval(EVERY);
        let sample = async {
            loop {
                tick.tick().await;
                take(&city, &rooms);
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = sample => {}
            ended = exporter => if let Err(error) = ended {
                tracing::error!("the metrics are not served any more: {error:?}");
            },
        }
    });
    Ok(())
}

fn describe() {
    for (name, unit, meaning) in GAUGES {
        describe_gauge!(name, unit, meaning);
    }
    for (name, meaning) in COUNTERS {
        describe_counter!(name, Unit::Count, meaning);
    }
}

/// Takes all values. One walk over the sensors (about a millisecond with 50,000 of them).
fn take(city: &City, rooms: &Rooms) {
    let (snapshot, vitals) = (city.snapshot(), rooms.vitals());
    let counts = snapshot.counts();
    let serving = if vitals.state == State::Serving { 1.0 } else { 0.0 };
    let watermark_s = (snapshot.watermark.ms().max(0)) as f64 / 1_000.0;
    let values = [
        vitals.frontier_lag_s,
        vitals.durable_lag_s,
        vitals.readings_per_second,
        f64::from(counts.live),
        f64::from(counts.silent),
        f64::from(counts.never_heard),
        f64::from(counts.suspect),
        vitals.log_bytes as f64,
        vitals.archive_bytes as f64,
        vitals.archived_through.number() as f64,
        rooms.store.lag_ms.load(Ordering::Relaxed) as f64 / 1_000.0,
        rooms.store.files.load(Ordering::Relaxed) as f64,
        rooms.store.bytes.load(Ordering::Relaxed) as f64,
        snapshot.epoch.number() as f64,
        watermark_s,
        f64::from(vitals.connections),
        f64::from(city.watchers()),
        vitals.resident_bytes as f64,
        serving,
    ];
    for ((name, _, _), value) in GAUGES.iter().zip(values) {
        gauge!(*name).set(value);
    }
    let ledger = snapshot.ledger_total();
    counter!("citytwin_readings_applied_total").absolute(ledger.applied);
    counter!("citytwin_readings_late_total").absolute(ledger.late_applied);
    counter!("citytwin_readings_duplicate_total").absolute(ledger.duplicate);
    for reason in RefusalReason::all() {
        let refused = ledger.refused[reason.slot()];
        counter!("citytwin_readings_refused_total", "reason" => reason.name()).absolute(refused);
    }
    for reason in DeadLetterReason::all() {
        let messages = snapshot.dead_letters.count(reason);
        counter!("citytwin_dead_letters_total", "reason" => reason.name()).absolute(messages);
    }
    let failures = rooms.store.failures.load(Ordering::Relaxed);
    counter!("citytwin_store_failures_total").absolute(failures);
    if let Some(endpoint) = rooms.endpoint.get() {
        take_endpoint(&endpoint.counters());
    }
}

fn take_endpoint(counters: &EndpointCounters) {
    counter!("citytwin_endpoint_messages_total").absolute(counters.messages());
    counter!("citytwin_endpoint_bytes_total").absolute(counters.bytes());
    for reason in RefusedReason::ALL {
        let refused = counters.refused(reason);
        counter!("citytwin_endpoint_refused_total", "reason" => reason.name()).absolute(refused);
    }
    for reason in ClosedReason::ALL {
        let closed = counters.closed(reason);
        counter!("citytwin_endpoint_closed_total", "reason" => reason.name()).absolute(closed);
    }
}
