//! A Mosquitto of the test's own, on a free port, with a folder for what it keeps.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::process::{free_address, text};

/// A running broker, killed when dropped.
pub(crate) struct Mosquitto {
    child: Child,
    /// `mqtt://127.0.0.1:port`
    pub(crate) url: String,
}

impl Mosquitto {
    /// Starts it with sessions kept on disk in `folder` and these lines of configuration, and
    /// waits until it takes connections.
    pub(crate) fn start(program: &Path, folder: &Path, lines: &[&str]) -> Mosquitto {
        let address = free_address();
        let port = address.rsplit(':').next().expect("an address has a port");
        let config = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n\
             persistence_location {}/\nlog_dest stderr\nuser root\n{}\n",
            text(folder),
            lines.join("\n")
        );
        let path = folder.join("mosquitto.conf");
        std::fs::write(&path, config).expect("the folder takes files");
        let mut child = Command::new(program)
            .args(["-c", text(&path)])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mosquitto starts");
        let mut said = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let running = said.by_ref().map_while(Result::ok).any(|line| line.contains("running"));
        assert!(running, "mosquitto ended: {:?}", child.wait());
        std::thread::spawn(move || said.for_each(drop));
        TcpStream::connect(&address).expect("mosquitto listens");
        Mosquitto { child, url: format!("mqtt://{address}") }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // It may have ended already; there is nothing to do about an error while dropping.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
