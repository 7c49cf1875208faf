//! Our own telemetry: every metric by name, unit and meaning, and the Prometheus text at
//! `/metrics`. Values are taken from the rooms once a second, never per reading and never with a
//! label per sensor.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::pipeline::Background;
use crate::rooms::Rooms;
use crate::service::City;

/// How often values are taken.
const EVERY: Duration = Duration::from_secs(1);
