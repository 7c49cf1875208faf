//! The real program as a child process: started on free ports with a folder of its own, killed
//! when dropped. Ready means that it said so on its standard output: nobody sleeps.

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;

/// A running `citytwin serve`.
pub(crate) struct Server {
    child: Child,
    /// What it was started with, for [`Server::restart`].
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    /// `mqtt://127.0.0.1:port` of the endpoint.
    pub(crate) mqtt: String,
    /// `http://127.0.0.1:port` of the gRPC API.
    pub(crate) grpc: String,
}

impl Server {
    /// Starts the program on `data` with more flags, and waits until it serves.
    pub(crate) fn start(data: &Path, more: &[&str]) -> Server {
        Server::start_with(data, more, &[])
    }

    /// The same, with more in its environment.
    pub(crate) fn start_with(data: &Path, more: &[&str], environment: &[(&str, &str)]) -> Server {
        let (mqtt, grpc, metrics) = (free_address(), free_address(), free_address());
        let fixed = ["serve", "--data", text(data), "--mqtt-listen", &mqtt, "--grpc-listen"];
        let mut arguments: Vec<String> = fixed.map(str::to_owned).into();
        arguments.extend([grpc.clone(), "--metrics-listen".to_owned(), metrics]);
        arguments.extend(more.iter().map(|flag| (*flag).to_owned()));
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment: Vec<_> = environment.iter().map(owned).collect();
        let child = spawn_until_ready(&arguments, &environment);
        let (mqtt, grpc) = (format!("mqtt://{mqtt}"), format!("http://{grpc}"));
        Server { child, arguments, environment, mqtt, grpc }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The command line it was started with.
    pub(crate) fn arguments(&self) -> Vec<&str> {
        self.arguments.iter().map(String::as_str).collect()
    }

    /// Whether readings come through a broker.
    pub(crate) fn has_broker(&self) -> bool {
        self.arguments.iter().any(|argument| argument == "--broker")
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server can be waited for");
    }

    /// Starts it again with the same flags after [`Server::kill`] or [`Server::stop`].
    pub(crate) fn restart(&mut self) {
        self.child = spawn_until_ready(&self.arguments, &self.environment);
    }

    /// SIGTERM, then waits: it drains, archives and writes a checkpoint.
    pub(crate) fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it is alive");
        let status = self.child.wait().expect("the server can be waited for");
        assert!(status.success(), "the server {} ended with {status}", self.pid());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; there is nothing to do about an error while dropping.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs a command of the program to its end.
pub(crate) fn citytwin(arguments: &[&str]) -> Output {
    program().args(arguments).output().expect("the program starts")
}

/// Runs a command of the program and returns what it printed; it must succeed.
pub(crate) fn citytwin_ok(arguments: &[&str]) -> String {
    let output = citytwin(arguments);
    assert!(
        output.status.success(),
        "citytwin {arguments:?} ended with {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

/// The program without the settings of whoever runs the tests.
fn program() -> Command {
    let mut program = Command::new(binary());
    let names = env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.as_encoded_bytes().starts_with(b"CITYTWIN_")) {
        program.env_remove(name);
    }
    program
}

/// The program under test.
pub(crate) fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_citytwin"))
}

/// An address of this machine that nobody listened on a moment ago, another one each time: the system
/// may give a port again as soon as it is free, and the server has not bound it yet.
pub(crate) fn free_address() -> String {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        if GIVEN.lock().expect("nobody panics with it").insert(address.port()) {
            return address.to_string();
        }
    }
}

/// A path as a flag.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("test paths are UTF-8")
}

fn spawn_until_ready(arguments: &[String], environment: &[(String, String)]) -> Child {
    let mut program = program();
    program.args(arguments).envs(environment.iter().cloned()).stdout(Stdio::piped());
    let mut child = program.spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    let ready = lines.by_ref().map_while(Result::ok).any(|line| line.trim() == "ready");
    assert!(ready, "the server ended before it was ready: {:?}", child.wait());
    // Whatever it prints later is read and dropped, so that it never waits for us.
    std::thread::spawn(move || lines.for_each(drop));
    child
}
