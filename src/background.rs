//! Threads that go behind all others: questions about the past, and what-if runs.

/// How nice they are: with a tenth of the processor against a busy thread.
const PRIORITY: i32 = 10;

/// Lets the doors, the log and the dataflow go before this thread where there is not enough processor
/// for all. Linux has a priority for each thread; elsewhere it is one for the process, which stays.
pub(crate) fn step_back() {
    if cfg!(target_os = "linux")
        && let Err(error) = rustix::process::setpriority_process(None, PRIORITY)
    {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or_default();
        tracing::warn!(%error, thread = name, "a thread keeps the priority of all others");
    }
}
