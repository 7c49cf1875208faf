//! Why the endpoint itself ends a connection that has broken no rule of MQTT.

use mqtt_protocol_core::mqtt::result_code::DisconnectReasonCode;

use super::counters::ClosedReason;
use super::session::Kick;
use super::strict::Fault;

/// The log takes nothing more.
pub(super) const LOG_CLOSED: Fault = Fault {
    reason: ClosedReason::LogClosed,
    code: DisconnectReasonCode::ImplementationSpecificError,
    text: "the log takes nothing more",
};

/// Silent for too long.
pub(super) const KEEP_ALIVE: Fault = Fault {
    reason: ClosedReason::KeepAlive,
    code: DisconnectReasonCode::KeepAliveTimeout,
    text: "nothing was heard for one and a half times the keep-alive",
};

/// Its answers pile up.
pub(super) const SLOW_READER: Fault = Fault {
    reason: ClosedReason::SlowReader,
    code: DisconnectReasonCode::QuotaExceeded,
    text: "answers are not taken",
};

/// It holds more than there is room for.
pub(super) const NO_MEMORY: Fault = Fault {
    reason: ClosedReason::Memory,
    code: DisconnectReasonCode::QuotaExceeded,
    text: "too many packets are half received",
};

/// Asked to end by another part of the endpoint.
pub(super) fn kicked(why: Kick) -> Fault {
    match why {
        Kick::TakenOver => Fault {
            reason: ClosedReason::TakenOver,
            code: DisconnectReasonCode::SessionTakenOver,
            text: "the same client id connected anew",
        },
        Kick::ShuttingDown => Fault {
            reason: ClosedReason::ShuttingDown,
            code: DisconnectReasonCode::ServerShuttingDown,
            text: "the endpoint is being stopped",
        },
    }
}
