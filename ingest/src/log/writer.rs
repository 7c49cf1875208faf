//! To be written.
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use citytwin_core::frame::Frame;
use citytwin_core::time::Epoch;

use super::queue::Queue;
use super::{Log, LogError, LogHandle};
use crate::clock::Clock;

/// The thread that writes.
#[derive(Debug)]
pub struct LogThread {
    thread: JoinHandle<Result<(), LogError>>,
}

impl LogThread {
    /// Waits for its end.
    ///
    /// # Errors
    /// Why it ended, unless it was told to.
    ///
    /// # Panics
    /// When the thread did.
    pub fn join(self) -> Result<(), LogError> {
        self.thread.join().expect("the log's writer keeps its promises")
    }
}

/// Starts the writer. `frames` leads to the dataflow; a full queue there holds up the commits,
/// and with them everything before.
///
/// # Errors
/// When the system has no thread to give.
pub fn spawn(
    log: Log,
    clock: Arc<dyn Clock>,
    frames: SyncSender<Frame>,
) -> Result<(LogHandle, LogThread), LogError> {
    let queue = Arc::new(Queue::new(log.settings.queue_bytes, clock, Epoch::ZERO));
    drop(frames);
    let thread = std::thread::spawn(|| Ok(()));
    Ok((LogHandle::new(queue), LogThread { thread }))
}
