//! Whom the broker door trusts.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::BrokerError;

/// A TLS client that trusts the certificates in `ca`, or the system's.
pub(super) fn config(ca: Option<&Path>) -> Result<Arc<rustls::ClientConfig>, BrokerError> {
    let mut roots = rustls::RootCertStore::empty();
    if let Some(path) = ca {
        let failed = |source| BrokerError::Ca { path: path.to_owned(), source };
        for certificate in CertificateDer::pem_file_iter(path).map_err(failed)? {
            roots.add(certificate.map_err(failed)?).map_err(BrokerError::Tls)?;
        }
    } else {
        let found = rustls_native_certs::load_native_certs();
        let (taken, passed_over) = roots.add_parsable_certificates(found.certs);
        tracing::debug!(taken, passed_over, "the system's certificates");
    }
    if roots.is_empty() {
        return Err(BrokerError::NoCertificates);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(BrokerError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
