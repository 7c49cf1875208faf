//! A real Mosquitto on a free port, with its own folder, that can be stopped and started again.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub(crate) struct Mosquitto {
    program: PathBuf,
    dir: TempDir,
    port: u16,
    running: Option<Child>,
}

impl Mosquitto {
    /// Not yet started. `None`, said aloud, where Mosquitto is not installed, unless the tests
    /// are told that it must be (`CITYTWIN_REQUIRE_FOREIGN=1`).
    pub(crate) fn find(extra: &str) -> Option<Mosquitto> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
        let program = folders.map(|folder| folder.join("mosquitto")).find(|file| file.is_file());
        let Some(program) = program else {
            let required = std::env::var_os("CITYTWIN_REQUIRE_FOREIGN").is_some_and(|v| v == "1");
            assert!(!required, "mosquitto is not installed");
            let told = std::io::stderr().write_all(
                b"\nSKIPPED: mosquitto is not installed; the broker door was not tested\n",
            );
            told.unwrap();
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = dir.path().display();
        // Started by root it would become a user who cannot write here.
        let user = if rustix::process::getuid().is_root() { "user root" } else { "" };
        let config = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n\
             persistence_location {folder}/\nmax_queued_messages 0\nlog_dest stderr\n{user}\n{extra}\n"
        );
        std::fs::write(dir.path().join("mosquitto.conf"), config).unwrap();
        Some(Mosquitto { program, dir, port, running: None })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Starts it and waits until it says that it runs.
    pub(crate) fn start(&mut self) {
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(self.dir.path().join("mosquitto.conf"));
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut all = String::new();
        while !all.contains("running") {
            let read = said.read_line(&mut all).unwrap();
            assert!(read > 0, "mosquitto ended: {all}");
        }
        // Read on, or it would wait for us.
        std::thread::spawn(move || said.lines().for_each(drop));
        self.running = Some(child);
    }

    /// Stops it in good order: it writes down what it holds.
    pub(crate) fn stop(&mut self) {
        let Some(mut child) = self.running.take() else { return };
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.stop();
    }
}
