//! What the machine says: processor, commit, CPU seconds and resident memory of a process.

use std::fs;
use std::process::Command;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time (user + system) of a process so far, in ticks of 10 ms; our own with `None`, to the
/// microsecond.
pub(crate) fn cpu_time(pid: Option<u32>) -> Duration {
    let Some(pid) = pid else {
        let spent = clock_gettime(ClockId::ProcessCPUTime);
        return Duration::new(spent.tv_sec.cast_unsigned(), spent.tv_nsec as u32);
    };
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is alive");
    let after_name = stat.rsplit_once(')').expect("stat has a name in brackets").1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: u64 =
        fields[11].parse::<u64>().expect("utime") + fields[12].parse::<u64>().expect("stime");
    Duration::from_millis(ticks * 10)
}

/// Resident memory of a process in MiB; our own with `None`.
pub(crate) fn resident_mib(pid: Option<u32>) -> f64 {
    status_kib(pid, "VmRSS:") / 1024.0
}

/// Highest resident memory of a process so far in MiB.
pub(crate) fn peak_mib(pid: Option<u32>) -> f64 {
    status_kib(pid, "VmHWM:") / 1024.0
}

fn status_kib(pid: Option<u32>, key: &str) -> f64 {
    let path = pid.map_or("/proc/self/status".to_owned(), |pid| format!("/proc/{pid}/status"));
    let status = fs::read_to_string(path).expect("the process is alive");
    let line = status.lines().find(|line| line.starts_with(key)).expect("the key is there");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

/// One line for the head of a result file.
pub(crate) fn describe() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| rest.trim_start_matches(['\t', ' ', ':']));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{model}, {cores} cores (shared), {}, commit {}", kernel(), commit())
}

fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux {}", release.trim())
}

fn commit() -> String {
    let out = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    out.map_or_else(
        |_| "unknown".into(),
        |out| String::from_utf8_lossy(&out.stdout).trim().to_owned(),
    )
}

/// The value at a quantile (0 to 1) of a list; sorts it.
pub(crate) fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let at = (q * last as f64).round() as usize;
    values[at.min(last)]
}
