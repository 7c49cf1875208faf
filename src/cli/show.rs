//! The API's messages for people: one function a message, nothing asked and nothing decided.

use chrono::{DateTime, Utc};
use citytwin_core::quantity::Quantity;
use citytwin_core::sensor::SensorKind;
use citytwin_proto::v1;
use prost_types::Timestamp;

use super::failure::Failure;
use super::output::Screen;

/// `2026-11-22 07:45:00.100`, UTC; `-` where there is none.
pub fn time(time: Option<&Timestamp>) -> String {
    time.and_then(|time| DateTime::<Utc>::from_timestamp(time.seconds, time.nanos.try_into().ok()?))
        .map_or_else(|| "-".into(), |time| time.format("%Y-%m-%d %H:%M:%S%.3f").to_string())
}

/// `speed_kmh`.
pub fn quantity(number: i32) -> &'static str {
    let known = u8::try_from(number).ok().and_then(Quantity::from_number);
    known.map_or("unknown", Quantity::name)
}

/// `traffic_loop`.
pub fn kind(number: i32) -> &'static str {
    let known = u8::try_from(number).ok().and_then(SensorKind::from_number);
    known.map_or("unknown", SensorKind::name)
}

/// `never heard`.
pub fn health(number: i32) -> &'static str {
    match v1::SensorHealth::try_from(number) {
        Ok(v1::SensorHealth::NeverHeard) => "never heard",
        Ok(v1::SensorHealth::Live) => "live",
        Ok(v1::SensorHealth::Silent) => "silent",
        Ok(v1::SensorHealth::Stuck) => "stuck",
        Ok(v1::SensorHealth::Unspecified) | Err(_) => "unknown",
    }
}

fn level(number: i32) -> &'static str {
    match v1::LevelOfService::try_from(number) {
        Ok(v1::LevelOfService::A) => "A",
        Ok(v1::LevelOfService::B) => "B",
        Ok(v1::LevelOfService::C) => "C",
        Ok(v1::LevelOfService::D) => "D",
        Ok(v1::LevelOfService::E) => "E",
        Ok(v1::LevelOfService::F) => "F",
        Ok(v1::LevelOfService::Unspecified) | Err(_) => "-",
    }
}

/// A value with as many digits as matter.
pub fn number(value: f64) -> String {
    let rounded = format!("{value:.2}");
    rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `1.5 GiB`.
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.2} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

/// `20000 (19980 live, 12 silent, 8 never heard, 3 suspect)`.
pub fn counts(counts: Option<&v1::SensorCounts>) -> String {
    let counts = counts.copied().unwrap_or_default();
    format!(
        "{} ({} live, {} silent, {} never heard; {} of the live suspect)",
        counts.sensors, counts.live, counts.silent, counts.never_heard, counts.suspect
    )
}

/// `epoch 17…, 2026-11-22 07:45:00.100 UTC, watermark …`.
pub fn as_of(as_of: Option<&v1::AsOf>) -> String {
    as_of.map_or_else(String::new, |as_of| {
        format!(
            "{} UTC (epoch {}, watermark {})",
            time(as_of.arrival_time.as_ref()),
            as_of.epoch,
            time(as_of.watermark.as_ref())
        )
    })
}

/// `received 10 = applied 7 + duplicate 1 + late 0 + refused 2 (clock_ahead 2)`.
pub fn ledger(ledger: Option<&v1::LedgerEntry>) -> String {
    let ledger = ledger.cloned().unwrap_or_default();
    let refused: u64 = ledger.refused.iter().map(|count| count.readings).sum();
    let reasons: Vec<String> = ledger
        .refused
        .iter()
        .filter(|count| count.readings > 0)
        .map(|count| format!("{} {}", count.reason, count.readings))
        .collect();
    let reasons =
        if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    format!(
        "received {} = applied {} + duplicate {} + late {} + refused {refused}{reasons}",
        ledger.received, ledger.applied, ledger.duplicate, ledger.late_applied
    )
}

fn traffic(traffic: Option<&v1::TrafficState>) -> String {
    let Some(traffic) = traffic else { return String::new() };
    let figures = [
        (traffic.mean_speed_kmh, "km/h"),
        (traffic.flow_veh_h, "veh/h"),
        (traffic.density_veh_km, "veh/km"),
        (traffic.speed_ratio, "of free flow"),
    ];
    let known: Vec<String> = figures
        .iter()
        .filter_map(|(figure, unit)| Some(format!("{} {unit}", number((*figure)?))))
        .collect();
    let level = level(traffic.level_of_service);
    format!("level of service {level}: {} ({} sensors)", known.join(", "), traffic.sensors)
}

/// `speed_kmh=34.2 flow_veh_h=800`, `!` behind a stuck value.
pub fn latest(readings: &[v1::LatestReading]) -> String {
    let readings: Vec<String> = readings
        .iter()
        .map(|reading| {
            let stuck = if reading.stuck { "!" } else { "" };
            format!("{}={}{stuck}", quantity(reading.quantity), number(reading.value))
        })
        .collect();
    readings.join(" ")
}

/// `GetStatus`.
///
/// # Errors
/// When it cannot be written.
pub fn status(status: &v1::GetStatusResponse, screen: &mut Screen) -> Result<(), Failure> {
    screen.facts(&[
        ("state", format!("{} (citytwin {})", status.state, status.version)),
        ("as of", as_of(status.as_of.as_ref())),
        ("started", format!("{} UTC", time(status.start_time.as_ref()))),
        ("doors", status.doors.join(", ")),
        ("sensors", counts(status.counts.as_ref())),
        ("readings", format!("{:.0}/s", status.readings_per_second)),
        ("ledger", ledger(status.ledger.as_ref())),
        ("frontier lag", format!("{:.3} s", status.frontier_lag_s)),
        ("durable lag", format!("{:.3} s", status.durable_lag_s)),
        (
            "archive",
            format!(
                "{}, through epoch {}",
                bytes(status.archive_bytes),
                status.archived_through_epoch
            ),
        ),
        ("log", bytes(status.log_bytes)),
        ("connections", format!("{} MQTT, {} watchers", status.connections, status.watchers)),
        ("memory", format!("{}, {} shards", bytes(status.resident_bytes), status.shards)),
    ])
}

/// Sensors, one a row.
///
/// # Errors
/// When it cannot be written.
pub fn sensors(sensors: &[v1::SensorState], screen: &mut Screen) -> Result<(), Failure> {
    let rows = sensors.iter().map(|sensor| {
        let about = sensor.description.clone().unwrap_or_default();
        vec![
            sensor.sensor.clone(),
            kind(about.kind).to_owned(),
            health(sensor.health).to_owned(),
            format!("{:.5},{:.5}", about.latitude_deg, about.longitude_deg),
            time(sensor.last_arrival_time.as_ref()),
            latest(&sensor.latest),
        ]
    });
    let head = ["sensor", "kind", "health", "position", "last heard (UTC)", "latest"];
    screen.table(&head, rows.collect())
}

/// `GetSensor`.
///
/// # Errors
/// When it cannot be written.
pub fn sensor(sensor: &v1::SensorState, screen: &mut Screen) -> Result<(), Failure> {
    let about = sensor.description.clone().unwrap_or_default();
    let link = match (about.link.as_str(), about.lane) {
        ("", _) => String::new(),
        (link, 0) => link.to_owned(),
        (link, lane) => format!("{link}, lane {lane}"),
    };
    screen.facts(&[
        ("sensor", sensor.sensor.clone()),
        ("kind", kind(about.kind).to_owned()),
        ("name", about.name),
        ("health", health(sensor.health).to_owned()),
        ("position", format!("{},{}", about.latitude_deg, about.longitude_deg)),
        ("cell", sensor.cell.clone()),
        ("link", link),
        ("zone", about.zone),
        ("reports every", format!("{} s", number(about.expected_interval_ms as f64 / 1_000.0))),
        ("last heard", time(sensor.last_arrival_time.as_ref())),
        ("ledger", ledger(sensor.ledger.as_ref())),
        ("as of", as_of(sensor.as_of.as_ref())),
    ])?;
    if sensor.latest.is_empty() {
        return Ok(());
    }
    screen.line("")?;
    let rows = sensor.latest.iter().map(|reading| {
        vec![
            quantity(reading.quantity).to_owned(),
            number(reading.value),
            time(reading.event_time.as_ref()),
            if reading.stuck { "stuck".to_owned() } else { String::new() },
        ]
    });
    screen.table(&["quantity", "value", "event time (UTC)", ""], rows.collect())
}

/// `QueryArea`.
///
/// # Errors
/// When it cannot be written.
pub fn area(area: &v1::QueryAreaResponse, screen: &mut Screen) -> Result<(), Failure> {
    screen.facts(&[
        ("as of", as_of(area.as_of.as_ref())),
        ("sensors", counts(area.counts.as_ref())),
        ("traffic", traffic(area.traffic.as_ref())),
    ])?;
    if !area.totals.is_empty() {
        screen.line("")?;
        let rows = area.totals.iter().map(|total| {
            vec![
                quantity(total.quantity).to_owned(),
                total.sensors.to_string(),
                number(total.mean),
                number(total.min),
                number(total.max),
            ]
        });
        screen.table(&["quantity", "sensors", "mean", "min", "max"], rows.collect())?;
    }
    if !area.cells.is_empty() {
        screen.line("")?;
        cells(&area.cells, screen)?;
    }
    if !area.sensors.is_empty() {
        screen.line("")?;
        sensors(&area.sensors, screen)?;
    }
    Ok(())
}

/// Cells, one a row.
///
/// # Errors
/// When it cannot be written.
pub fn cells(cells: &[v1::CellState], screen: &mut Screen) -> Result<(), Failure> {
    let rows = cells.iter().map(|cell| {
        let counts = cell.counts.unwrap_or_default();
        let means: Vec<String> = cell
            .quantities
            .iter()
            .map(|total| format!("{}={}", quantity(total.quantity), number(total.mean)))
            .collect();
        vec![
            cell.cell.clone(),
            counts.live.to_string(),
            counts.sensors.to_string(),
            cell.traffic.map_or("-", |traffic| level(traffic.level_of_service)).to_owned(),
            means.join(" "),
        ]
    });
    screen.table(&["cell", "live", "sensors", "LOS", "means"], rows.collect())
}

/// `Nearest`.
///
/// # Errors
/// When it cannot be written.
pub fn nearest(nearest: &v1::NearestResponse, screen: &mut Screen) -> Result<(), Failure> {
    let rows = nearest.neighbours.iter().map(|neighbour| {
        let sensor = neighbour.sensor.clone().unwrap_or_default();
        let about = sensor.description.unwrap_or_default();
        vec![
            format!("{:.1} m", neighbour.distance_m),
            sensor.sensor,
            kind(about.kind).to_owned(),
            health(sensor.health).to_owned(),
            latest(&sensor.latest),
        ]
    });
    screen.table(&["distance", "sensor", "kind", "health", "latest"], rows.collect())
}

/// `GetLedger`.
///
/// # Errors
/// When it cannot be written.
pub fn ledgers(answer: &v1::GetLedgerResponse, screen: &mut Screen) -> Result<(), Failure> {
    let letters: Vec<String> = answer
        .dead_letters
        .iter()
        .filter(|count| count.messages > 0)
        .map(|count| format!("{} {}", count.reason, count.messages))
        .collect();
    screen.facts(&[
        ("as of", as_of(answer.as_of.as_ref())),
        ("total", answer.total.as_ref().map_or_else(String::new, |total| ledger(Some(total)))),
        ("dead letters", letters.join(", ")),
    ])?;
    for sensor in &answer.sensors {
        screen.line(format_args!("{}  {}", sensor.sensor, ledger(sensor.ledger.as_ref())))?;
    }
    Ok(())
}

/// `ListDeadLetters`.
///
/// # Errors
/// When it cannot be written.
pub fn dead_letters(
    answer: &v1::ListDeadLettersResponse,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let rows = answer.dead_letters.iter().map(|letter| {
        let head: String = String::from_utf8_lossy(&letter.head).escape_debug().take(60).collect();
        vec![
            time(letter.arrival_time.as_ref()),
            letter.reason.clone(),
            letter.topic.clone(),
            letter.payload_bytes.to_string(),
            letter.detail.clone(),
            head,
        ]
    });
    let head = ["arrival (UTC)", "reason", "topic", "bytes", "detail", "begins with"];
    screen.table(&head, rows.collect())
}

/// `ListPlaces`.
///
/// # Errors
/// When it cannot be written.
pub fn places(answer: &v1::ListPlacesResponse, screen: &mut Screen) -> Result<(), Failure> {
    let rows = answer
        .places
        .iter()
        .map(|place| vec![place.id.clone(), place.name.clone(), place.kind.clone()]);
    screen.table(&["id", "name", "kind"], rows.collect())
}
