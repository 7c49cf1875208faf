//! What the endpoint asks of the operating system: enough file descriptors, and that it notices
//! when the other side has vanished.

use std::io;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpStream;

/// A peer that has said nothing for so long is asked by TCP whether it still lives. It ends
/// connections of MQTT 3.1.1 clients without keep-alive whose machine is gone.
const PROBE_AFTER: Duration = Duration::from_secs(120);

/// Files that are open beside the connections: log, archive, gRPC.
const OTHER_FILES: u64 = 128;

/// Raises the limit of open files to what is allowed, and says what it then is (`u64::MAX`: no
/// limit). For the start of the program.
pub fn raise_file_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let now = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised");
            limit.current
        }
    };
    now.unwrap_or(u64::MAX)
}

/// Raises the limit, and says when so many connections will not fit.
pub(super) fn room_for(connections: u32) {
    let limit = raise_file_limit();
    if limit < u64::from(connections).saturating_add(OTHER_FILES) {
        tracing::warn!(
            limit,
            connections,
            "fewer open files are allowed than connections: raise `nofile`, or lower \
             endpoint.max_connections"
        );
    }
}

/// Whether descriptors have run out.
pub(super) fn is_out_of_files(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [Errno::MFILE, Errno::NFILE].into_iter().any(|errno| code == Some(errno.raw_os_error()))
}

/// Settings of a new socket. A socket that refuses them is about to fail anyway.
pub(super) fn prepare(stream: &TcpStream) {
    let set = || -> io::Result<()> {
        stream.set_nodelay(true)?;
        rustix::net::sockopt::set_socket_keepalive(stream, true)?;
        rustix::net::sockopt::set_tcp_keepidle(stream, PROBE_AFTER)?;
        Ok(())
    };
    if let Err(error) = set() {
        tracing::debug!(%error, "socket options");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_what_is_allowed() {
        let limit = raise_file_limit();
        let now = getrlimit(Resource::Nofile);
        assert_eq!(now.current, now.maximum);
        assert_eq!(now.current.unwrap_or(u64::MAX), limit);
    }

    #[test]
    fn running_out_of_files_is_recognised() {
        assert!(is_out_of_files(&io::Error::from_raw_os_error(Errno::MFILE.raw_os_error())));
        assert!(!is_out_of_files(&io::ErrorKind::ConnectionAborted.into()));
    }
}
