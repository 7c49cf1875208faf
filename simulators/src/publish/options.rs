//! Where to publish and how: the address, the login, the window, the pace of reconnects. Checked
//! here once, so that the rest need not ask again.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// The version of MQTT that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MqttVersion {
    /// 3.1.1.
    V311,
    /// 5.
    #[default]
    V5,
}

impl FromStr for MqttVersion {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<MqttVersion, OptionError> {
        match text {
            "3.1.1" | "311" | "4" => Ok(MqttVersion::V311),
            "5" | "5.0" => Ok(MqttVersion::V5),
            other => Err(OptionError::Version(other.to_owned())),
        }
    }
}

/// User and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// User name.
    pub user: String,
    /// Password; never shown.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({:?}, …)", self.user)
    }
}

/// Why an option cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OptionError {
    /// The address.
    #[error("{url:?} is no server address: {why}; write mqtt://host[:port] or mqtts://host[:port]")]
    Url {
        /// As given, without a login.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The protocol version.
    #[error("MQTT version {0:?} is unknown; 3.1.1 and 5 are spoken")]
    Version(String),
    /// The window.
    #[error("a window of {0} unacknowledged messages is impossible; 1 to 65,000 are")]
    Window(u32),
}

/// `mqtt[s]://[user:password@]host[:port]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    /// Name or address.
    pub host: String,
    /// 1883, or 8883 with TLS, unless said.
    pub port: u16,
    /// Whether it is `mqtts`.
    pub tls: bool,
    /// User and password, if given.
    pub login: Option<Login>,
}

impl FromStr for ServerUrl {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<ServerUrl, OptionError> {
        let shown = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
        let wrong = |why| OptionError::Url { url: shown.to_owned(), why };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("no mqtt://"))?;
        let tls = match scheme {
            "mqtt" | "tcp" => false,
            "mqtts" | "ssl" => true,
            _ => return Err(wrong("the scheme is neither mqtt nor mqtts")),
        };
        let (login, place) = match rest.rsplit_once('@') {
            None => (None, rest),
            Some((login, place)) => {
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                (Some(Login { user: user.to_owned(), password: password.to_owned() }), place)
            }
        };
        let place = place.strip_suffix('/').unwrap_or(place);
        let (host, port) = split_port(place).ok_or_else(|| wrong("the port is no number"))?;
        if host.is_empty() || host.contains('/') {
            return Err(wrong("no host, or a path behind it"));
        }
        let port = port.unwrap_or(if tls { 8_883 } else { 1_883 });
        Ok(ServerUrl { host: host.to_owned(), port, tls, login })
    }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`; `None` where the port is no number.
fn split_port(place: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest.strip_prefix(':') {
            None if rest.is_empty() => Some((host, None)),
            None => None,
            Some(port) => Some((host, Some(port.parse().ok()?))),
        };
    }
    match place.split_once(':') {
        None => Some((place, None)),
        Some((host, port)) => Some((host, Some(port.parse().ok()?))),
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// How to publish. [`PublishOptions::new`] gives the defaults.
#[derive(Clone, Debug)]
pub struct PublishOptions {
    /// Where to.
    pub server: ServerUrl,
    /// In which version.
    pub version: MqttVersion,
    /// Whether the server shall forget an earlier session of the same client id.
    pub clean_start: bool,
    /// Seconds of silence after which a connection pings; 0: never.
    pub keep_alive_s: u16,
    /// Unacknowledged messages per connection at most; less if the server's Receive Maximum says
    /// so. When it is full, readings wait and the lag is reported.
    pub window: u16,
    /// How long due readings are gathered before one write; zero: written at once.
    pub slice: Duration,
    /// First pause before a reconnect; doubled up to [`PublishOptions::backoff_cap`].
    pub backoff: Duration,
    /// Longest pause before a reconnect.
    pub backoff_cap: Duration,
    /// Connections that may be under way to being established at one time.
    pub connecting: usize,
    /// Longest time for one connection to be established.
    pub connect_timeout: Duration,
    /// After the end, how long to wait for what is not yet acknowledged.
    pub drain: Duration,
    /// A PEM file with the authorities to trust with `mqtts`; none: those of Mozilla's list are
    /// not built in, so `mqtts` needs one.
    pub ca_file: Option<PathBuf>,
}

/// Most unacknowledged messages: below the number of packet ids, so that ids never collide.
const MAX_WINDOW: u32 = 65_000;

impl PublishOptions {
    /// The defaults for a server.
    pub fn new(server: ServerUrl) -> PublishOptions {
        PublishOptions {
            server,
            version: MqttVersion::V5,
            clean_start: true,
            keep_alive_s: 60,
            window: 100,
            slice: Duration::from_millis(100),
            backoff: Duration::from_millis(100),
            backoff_cap: Duration::from_secs(5),
            connecting: 128,
            connect_timeout: Duration::from_secs(20),
            drain: Duration::from_secs(10),
            ca_file: None,
        }
    }

    /// Sets the window.
    ///
    /// # Errors
    /// When it is 0 or above 65,000.
    pub fn set_window(&mut self, messages: u32) -> Result<(), OptionError> {
        match u16::try_from(messages) {
            Ok(window) if window > 0 && messages <= MAX_WINDOW => {
                self.window = window;
                Ok(())
            }
            Ok(_) | Err(_) => Err(OptionError::Window(messages)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |text: &str, expected: Option<(&str, u16, bool)>| {
            let url = text.parse::<ServerUrl>().ok();
            let got = url.as_ref().map(|url| (url.host.as_str(), url.port, url.tls));
            assert_eq!(got, expected, "{text}");
        };
        check("mqtt://localhost", Some(("localhost", 1_883, false)));
        check("mqtt://10.0.0.1:1884/", Some(("10.0.0.1", 1_884, false)));
        check("mqtts://city.example", Some(("city.example", 8_883, true)));
        check("mqtt://[::1]:7", Some(("::1", 7, false)));
        check("mqtt://u:p@h:9", Some(("h", 9, false)));
        for bad in ["localhost:1883", "http://x", "mqtt://", "mqtt://h:port", "mqtt://[::1]x"] {
            check(bad, None);
        }
        let login = "mqtt://u:p@ss@h".parse::<ServerUrl>().unwrap().login.unwrap();
        assert_eq!((login.user.as_str(), login.password.as_str()), ("u", "p@ss"));
        assert!(!format!("{login:?}").contains("p@ss"));
        let error = "mqtt://u:secret@h:port".parse::<ServerUrl>().unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn windows() {
        let mut options = PublishOptions::new("mqtt://h".parse().unwrap());
        assert_eq!(options.set_window(0), Err(OptionError::Window(0)));
        assert_eq!(options.set_window(70_000), Err(OptionError::Window(70_000)));
        assert_eq!(options.set_window(65_000), Ok(()));
    }
}
