//! From the checked configuration to each room's own settings: copying, no decisions.

use std::time::Duration;

use citytwin_core::dataflow;
use citytwin_core::time::EPOCH_MS;
use citytwin_ingest::archive::ArchiveSettings;
use citytwin_ingest::broker::{BrokerError, BrokerSettings, BrokerVersion};
use citytwin_ingest::endpoint::{EndpointSettings, TlsFiles};
use citytwin_ingest::intake::IntakeSettings;
use citytwin_ingest::log::LogSettings;

use crate::config::{Config, MqttVersion};
use crate::history;

impl Config {
    pub(crate) fn log_settings(&self) -> LogSettings {
        LogSettings {
            commit_interval: self.log.commit_interval,
            cut_every_epochs: (ms(self.archive.every) / EPOCH_MS.unsigned_abs()).max(1),
            cut_readings: self.archive.readings,
            segment_bytes: self.log.segment_bytes,
            ..LogSettings::default()
        }
    }

    pub(crate) fn archive_settings(&self) -> ArchiveSettings {
        // The configuration allows at most a day of both.
        ArchiveSettings {
            window_ms: u32::try_from(self.twin.window_ms).unwrap_or(u32::MAX),
            removal_delay_ms: u32::try_from(ms(self.archive.removal_delay)).unwrap_or(u32::MAX),
        }
    }

    pub(crate) fn intake_settings(&self) -> IntakeSettings {
        IntakeSettings {
            mode: self.twin.time,
            max_clock_lead_ms: self.twin.max_clock_lead_ms,
            max_age_ms: self.twin.max_age_ms,
            ..IntakeSettings::default()
        }
    }

    pub(crate) fn dataflow_settings(&self) -> dataflow::Settings {
        let twin = &self.twin;
        dataflow::Settings {
            mode: twin.time,
            window_ms: twin.window_ms,
            lateness_ms: twin.lateness_ms,
            idle_after_ms: twin.idle_after_ms,
            revision_horizon_ms: twin.revision_horizon_ms,
            dedupe_horizon_ms: twin.dedupe_horizon_ms,
            stuck_after_ms: twin.stuck_after_ms,
            workers: twin.workers,
            ..dataflow::Settings::default()
        }
    }

    pub(crate) fn history_settings(&self) -> history::Settings {
        let dataflow = self.dataflow_settings();
        history::Settings {
            threads: self.history.threads,
            memory: self.history.memory,
            queries: self.history.queries,
            spill: self.data.join("spill"),
            spill_bytes: self.history.spill,
            window_ms: dataflow.window_ms,
            idle_after_ms: dataflow.idle_after_ms,
            shard_resolution: dataflow.shard_resolution,
        }
    }

    /// `instance` differs from start to start.
    pub(crate) fn endpoint_settings(&self, instance: u64) -> Option<EndpointSettings> {
        let endpoint = self.endpoint.as_ref()?;
        let tls = endpoint.tls.as_ref();
        Some(EndpointSettings {
            listen: endpoint.listen,
            tls: tls.map(|tls| TlsFiles { cert: tls.cert.clone(), key: tls.key.clone() }),
            users: endpoint.users.clone(),
            max_connections: endpoint.max_connections,
            receive_maximum: endpoint.receive_maximum,
            instance,
            ..EndpointSettings::default()
        })
    }

    pub(crate) fn broker_settings(&self) -> Result<Option<BrokerSettings>, BrokerError> {
        let Some(broker) = &self.broker else { return Ok(None) };
        Ok(Some(BrokerSettings {
            version: match broker.version {
                MqttVersion::V3 => BrokerVersion::V3,
                MqttVersion::V5 => BrokerVersion::V5,
            },
            group: broker.group.clone(),
            connections: broker.connections,
            client_id: broker.client_id.clone(),
            ca: broker.ca.clone(),
            receive_maximum: broker.receive_maximum,
            ..BrokerSettings::new(broker.url.parse()?)
        }))
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
