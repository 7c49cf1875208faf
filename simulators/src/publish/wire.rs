//! Bytes to and from a server: TCP, or TLS over it. Nothing of MQTT lives here.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName, pem};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::options::PublishOptions;

/// Bytes read at once, on the stack: an idle connection holds no buffer.
const READ_BYTES: usize = 4_096;

/// Why TLS cannot be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// `mqtts` without authorities.
    #[error("mqtts needs a file with the certificate authorities to trust")]
    NoAuthorities,
    /// The authorities cannot be read.
    #[error("cannot read certificate authorities from {}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// An authority or the configuration is not usable.
    #[error("TLS cannot be configured")]
    Config(#[from] rustls::Error),
    /// The host's name cannot be in a certificate.
    #[error("{0:?} cannot be the name in a certificate")]
    Name(String, #[source] InvalidDnsNameError),
}

/// How to reach the server: TLS or not, set up once for all connections.
#[derive(Clone)]
pub(crate) struct Dialer {
    pub(crate) address: SocketAddr,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dialer({}, tls: {})", self.address, self.tls.is_some())
    }
}

impl Dialer {
    pub(crate) fn new(options: &PublishOptions, address: SocketAddr) -> Result<Dialer, TlsError> {
        if !options.server.tls {
            return Ok(Dialer { address, tls: None });
        }
        let path = options.ca_file.as_deref().ok_or(TlsError::NoAuthorities)?;
        let host = options.server.host.clone();
        let name = ServerName::try_from(host.clone()).map_err(|e| TlsError::Name(host, e))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(authorities(path)?)
            .with_no_client_auth();
        Ok(Dialer { address, tls: Some((TlsConnector::from(Arc::new(config)), name)) })
    }

    /// A connection, TLS handshake included.
    pub(crate) async fn dial(&self) -> io::Result<Wire> {
        let tcp = TcpStream::connect(self.address).await?;
        tcp.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Wire::Tcp(tcp)),
            Some((connector, name)) => {
                Ok(Wire::Tls(Box::new(connector.connect(name.clone(), tcp).await?)))
            }
        }
    }
}

fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let wrong = |source| TlsError::Pem { path: path.to_owned(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(wrong)? {
        roots.add(certificate.map_err(wrong)?)?;
    }
    if roots.is_empty() { Err(TlsError::NoAuthorities) } else { Ok(roots) }
}

/// A connection.
#[derive(Debug)]
pub(crate) enum Wire {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What one [`Wire::exchange`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exchanged {
    pub(crate) written: usize,
    pub(crate) read: usize,
    /// The server has closed its side.
    pub(crate) closed: bool,
}

impl Wire {
    /// Writes from `outbox` what goes and reads into `inbox` what is there, whichever is first;
    /// waits until at least one of them did something. Safe to cancel: nothing is lost.
    pub(crate) async fn exchange(
        &mut self,
        outbox: &mut BytesMut,
        inbox: &mut BytesMut,
    ) -> io::Result<Exchanged> {
        std::future::poll_fn(|cx| {
            let mut done = Exchanged::default();
            while !outbox.is_empty() {
                match self.poll_write(cx, outbox) {
                    Poll::Ready(Ok(0)) => {
                        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                    }
                    Poll::Ready(Ok(written)) => {
                        outbox.advance(written);
                        done.written += written;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => break,
                }
            }
            match self.poll_read(cx, inbox) {
                Poll::Ready(Ok(0)) => done.closed = true,
                Poll::Ready(Ok(read)) => done.read = read,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
            if done == Exchanged::default() { Poll::Pending } else { Poll::Ready(Ok(done)) }
        })
        .await
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Wire::Tcp(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Wire::Tls(tls) => {
                let written = ready!(Pin::new(&mut **tls).poll_write(cx, bytes))?;
                // what is pending here goes with the next write or read
                match Pin::new(&mut **tls).poll_flush(cx) {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(written)),
                }
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, inbox: &mut BytesMut) -> Poll<io::Result<usize>> {
        let mut bytes = [0; READ_BYTES];
        let mut buffer = ReadBuf::new(&mut bytes);
        match self {
            Wire::Tcp(tcp) => ready!(Pin::new(tcp).poll_read(cx, &mut buffer))?,
            Wire::Tls(tls) => ready!(Pin::new(&mut **tls).poll_read(cx, &mut buffer))?,
        }
        inbox.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }
}
