//! The page to read first: the way of a reading, top to bottom, and the way down.
//!
//! ```text
//! doors ─► intake ─► log ══frames══► dataflow ══closed epochs══► publisher ─► city (snapshot)
//!                     ▲                                              ╚══════► archive ─┐
//!                     └─────────────────── truncate_through(e) ◄───────────────────────┘
//! ```
//!
//! Both double lines are bounded queues; when one is full its sender waits, and in the end the
//! doors acknowledge nothing more. A restart feeds the newest checkpoint and the rest of the log
//! through the same queues before the doors open.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use citytwin_core::dataflow::{self, ClosedEpoch};
use citytwin_core::time::Epoch;
use citytwin_ingest::archive::{Archive, ArchiveSettings};
use citytwin_ingest::clock::{Clock, SystemClock};
use citytwin_ingest::intake::Intake;
use citytwin_ingest::log::{self, LogHandle, LogThread};
use citytwin_ingest::registry::Registry;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::service::City;

/// Frames between the log and the dataflow; each holds at most 65,536 readings.
const FRAME_QUEUE: usize = 32;
/// Closed epochs between the dataflow, the publisher and the archive.
const CLOSED_QUEUE: usize = 8;
/// How long a full disk is left alone before the archive tries again.
const ARCHIVE_RETRY: Duration = Duration::from_secs(1);
