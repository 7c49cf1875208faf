//! How a command fails, and the exit code that says so.

use std::process::ExitCode;

use thiserror::Error;
use tonic::{Code, Status};

use crate::config::ConfigError;

/// Why a command did not do its work.
#[derive(Debug, Error)]
pub enum Failure {
    /// The command line or a file it names is wrong.
    #[error("{0}")]
    Usage(String),
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nobody answers at the address.
    #[error(
        "no engine answers at {server} ({reason})\n\
         hint: start one with `citytwin serve` or `citytwin demo`, or name another with --server URL \
         or CITYTWIN_SERVER"
    )]
    Unreachable {
        /// The address.
        server: String,
        /// What the connection said.
        reason: String,
    },
    /// The engine said no.
    #[error("{} ({})", status.message(), code_name(status.code()))]
    Refused {
        /// Its answer.
        status: Box<Status>,
    },
    /// The run is done and its verdict is that something is wrong; the report has been printed.
    #[error("the verdict is: failed")]
    Verdict,
    /// A check is done and found something; the findings have been printed.
    #[error("{0} of the checks failed")]
    Check(usize),
    /// Output could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] std::io::Error),
    /// Anything else.
    #[error("{}", chain(.0))]
    Other(#[from] anyhow::Error),
}

/// For `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failure (the engine refused, a file or disk failed, a check found something)
  2  usage: the command line or the configuration is wrong
  3  the verdict of a verified run is: failed
  4  no engine answers at the address";

impl Failure {
    /// Its exit code.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Failure::Usage(_) | Failure::Config(_) => 2,
            Failure::Verdict => 3,
            Failure::Unreachable { .. } => 4,
            Failure::Refused { .. }
            | Failure::Check(_)
            | Failure::Output(_)
            | Failure::Other(_) => 1,
        })
    }

    /// Whether the reader of our output has gone, which is no failure (`citytwin watch | head`).
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Failure::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// What the engine's answer at `server` means.
    pub fn of_status(status: Status, server: &str) -> Failure {
        let transport = std::error::Error::source(&status).is_some();
        if status.code() == Code::Unavailable && transport {
            let reason = status.message().to_owned();
            return Failure::Unreachable { server: server.to_owned(), reason };
        }
        Failure::Refused { status: Box::new(status) }
    }
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The error and its causes, each once: many errors name their cause in their own text.
fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_cause_is_told_once() {
        let told = |context: &'static str| {
            let error = anyhow::Error::msg("refused (os error 111)").context(context);
            Failure::from(error).to_string()
        };
        assert_eq!(told("cannot connect"), "cannot connect: refused (os error 111)");
        assert_eq!(told("no: refused (os error 111)"), "no: refused (os error 111)");
        let deep: anyhow::Result<()> = Err(anyhow::anyhow!("a")).context("b").context("c");
        assert_eq!(Failure::from(deep.unwrap_err()).to_string(), "c: b: a");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let closed = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert!(Failure::from(closed).is_closed_pipe());
        assert!(!Failure::from(std::io::Error::other("x")).is_closed_pipe());
    }
}
