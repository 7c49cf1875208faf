//! A broker's address. It never shows its password.

use std::fmt;
use std::str::FromStr;

use super::BrokerError;

/// `mqtt[s]://[user:password@]host[:port]`. The password ends at the last `@`; there is no
/// escaping.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    tls: bool,
    host: String,
    port: u16,
    user: Option<(String, String)>,
}

impl BrokerUrl {
    /// Whether TLS is spoken.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Name or address of the machine, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port: 1883 or 8883 if not given.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// User name and password.
    pub(super) fn user(&self) -> Option<(&str, &str)> {
        self.user.as_ref().map(|(name, password)| (name.as_str(), password.as_str()))
    }
}

impl FromStr for BrokerUrl {
    type Err = BrokerError;

    fn from_str(text: &str) -> Result<BrokerUrl, BrokerError> {
        let (scheme, rest) = text.split_once("://").ok_or(BrokerError::Url)?;
        let tls = match scheme {
            "mqtt" => false,
            "mqtts" => true,
            _ => return Err(BrokerError::Url),
        };
        let (user, address) = match rest.rsplit_once('@') {
            Some((user, address)) => (Some(user.split_once(':').unwrap_or((user, ""))), address),
            None => (None, rest),
        };
        let address = address.strip_suffix('/').unwrap_or(address);
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            Some(_) | None => (address, None),
        };
        let port = match port {
            Some(port) => port.parse().map_err(|_bad: std::num::ParseIntError| BrokerError::Url)?,
            None if tls => 8883,
            None => 1883,
        };
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = inner.unwrap_or(host);
        if host.is_empty() || port == 0 || host.contains(|c: char| c == '/' || c.is_whitespace()) {
            return Err(BrokerError::Url);
        }
        let user = user.map(|(name, password)| (name.to_owned(), password.to_owned()));
        Ok(BrokerUrl { tls, host: host.to_owned(), port, user })
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "mqtts://" } else { "mqtt://" })?;
        if let Some((name, _)) = &self.user {
            write!(f, "{name}:***@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, shown) in [
            ("mqtt://broker", "mqtt://broker:1883"),
            ("mqtts://broker/", "mqtts://broker:8883"),
            ("mqtt://ioc:p@ss:word@10.0.0.1:1884", "mqtt://ioc:***@10.0.0.1:1884"),
            ("mqtt://ioc@broker", "mqtt://ioc:***@broker:1883"),
            ("mqtt://[::1]:99", "mqtt://[::1]:99"),
            ("mqtt://[::1]", "mqtt://[::1]:1883"),
        ] {
            assert_eq!(text.parse::<BrokerUrl>().unwrap().to_string(), shown, "{text}");
        }
        let url: BrokerUrl = "mqtt://ioc:p@ss:word@h".parse().unwrap();
        assert_eq!(url.user(), Some(("ioc", "p@ss:word")));
        for text in
            ["", "broker", "http://broker", "mqtt://", "mqtt://h:0", "mqtt://h:x", "mqtt://a/b"]
        {
            assert!(text.parse::<BrokerUrl>().is_err(), "{text}");
        }
    }
}
