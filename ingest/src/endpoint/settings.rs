//! How the endpoint works, and the two files it may be given: users, and certificates.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::EndpointError;

/// PEM files of the endpoint's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// How the endpoint works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSettings {
    /// Where it listens; port 0: any free one.
    pub listen: SocketAddr,
    /// With certificates it speaks TLS only.
    pub tls: Option<TlsFiles>,
    /// File of `name:password` lines; `None`: anybody may connect.
    pub users: Option<PathBuf>,
    /// Connections held at once.
    pub max_connections: u32,
    /// Messages a client may have in flight: told to MQTT 5 clients, and the number at which a
    /// client is no longer read from.
    pub receive_maximum: u16,
    /// Longest time a session is kept without a connection; a client that asks for more gets
    /// this.
    pub session_expiry_max: Duration,
    /// Longest keep-alive in seconds; MQTT 5 clients that ask for more, or for none, are told.
    pub keep_alive_max_s: u16,
    /// Time for TLS and CONNECT.
    pub connect_timeout: Duration,
    /// How long a connection that ends waits for its last messages to become durable.
    pub drain_timeout: Duration,
    /// A number that differs from start to start; part of the client ids that are assigned.
    pub instance: u64,
}

impl Default for EndpointSettings {
    fn default() -> EndpointSettings {
        EndpointSettings {
            listen: SocketAddr::from(([127, 0, 0, 1], 1883)),
            tls: None,
            users: None,
            max_connections: 20_000,
            receive_maximum: 1_000,
            session_expiry_max: Duration::from_secs(86_400),
            keep_alive_max_s: 3_600,
            connect_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(2),
            instance: 0,
        }
    }
}

/// Who may connect.
#[derive(Default)]
pub(super) struct Users {
    passwords: BTreeMap<String, Vec<u8>>,
}

impl Users {
    /// Reads `name:password` lines; empty lines and lines that begin with `#` say nothing.
    pub(super) fn read(path: &Path) -> Result<Users, EndpointError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| EndpointError::File { path: path.to_owned(), source })?;
        let mut users = Users::default();
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let user = line.split_once(':').filter(|(name, _)| !name.is_empty());
            let Some((name, password)) = user else {
                return Err(EndpointError::Users { path: path.to_owned(), line: number + 1 });
            };
            users.passwords.insert(name.to_owned(), password.as_bytes().to_vec());
        }
        Ok(users)
    }

    /// Whether the name and password are right. Takes the same time for every wrong password of
    /// one length.
    pub(super) fn allow(&self, name: &str, password: &[u8]) -> bool {
        let Some(right) = self.passwords.get(name) else { return false };
        let differ = right.iter().zip(password).fold(0, |differ, (a, b)| differ | (a ^ b));
        differ == 0 && right.len() == password.len()
    }
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.passwords.keys()).finish()
    }
}

/// Makes the TLS side from its files.
pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, EndpointError> {
    let pem = |path: &Path| {
        let path = path.to_owned();
        move |source| EndpointError::Pem { path, source }
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.cert)
        .map_err(pem(&files.cert))?
        .collect::<Result<_, _>>()
        .map_err(pem(&files.cert))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(pem(&files.key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(EndpointError::Tls)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(EndpointError::Tls)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_line_by_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users");
        std::fs::write(&path, "# sensors\n\nair:s3:cret\nloop:\n").unwrap();
        let users = Users::read(&path).unwrap();
        for (name, password, allowed) in [
            ("air", "s3:cret", true),
            ("air", "s3:cre", false),
            ("air", "s3:crets", false),
            ("air", "", false),
            ("loop", "", true),
            ("loop", "x", false),
            ("rain", "", false),
        ] {
            assert_eq!(users.allow(name, password.as_bytes()), allowed, "{name} {password}");
        }
        std::fs::write(&path, "air:x\n:y\n").unwrap();
        assert!(Users::read(&path).unwrap_err().to_string().contains("line 2"));
        assert!(Users::read(&dir.path().join("none")).unwrap_err().to_string().contains("none"));
    }
}
