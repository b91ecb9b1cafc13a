//! PEM files: chains, keys, authorities. Errors name the file and never show what is in it.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why certificates or keys are not usable.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds nothing of the kind.
    #[error("{}: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// One setting needs another.
    #[error("{0}")]
    Setting(&'static str),
    /// What rustls says of the whole.
    #[error("{}: {cause}", path.display())]
    Rustls {
        /// Of which file.
        path: PathBuf,
        /// What it says.
        cause: rustls::Error,
    },
}

pub(super) fn file_error(path: &Path, why: impl Into<String>) -> TlsError {
    TlsError::File {
        path: path.to_owned(),
        why: why.into(),
    }
}

/// All certificates of a file, in order.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| file_error(path, format!("cannot be read as certificates in PEM: {error}")))?;
    match found.is_empty() {
        true => Err(file_error(path, "holds no certificate in PEM")),
        false => Ok(found),
    }
}

/// The private key of a file, which nobody else may read (libpq's and PostgreSQL's rule).
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    is_private(path)?;
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| file_error(path, format!("cannot be read as a private key in PEM: {error}")))
}

/// `be-secure-common.c`, `check_ssl_key_file_permissions`: no access for group or others, except that a key of root's
/// may be read by its group.
fn is_private(path: &Path) -> Result<(), TlsError> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).map_err(|error| file_error(path, format!("cannot be read: {error}")))?;
    let others = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    match metadata.mode() & others {
        0 => Ok(()),
        _ => Err(file_error(
            path,
            "others may read the private key; set its mode to 0600, or 0640 if it is owned by root",
        )),
    }
}

/// The authorities of a file.
pub(super) fn authorities(path: &Path) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), TlsError> {
    let all = certificates(path)?;
    let mut store = RootCertStore::empty();
    for certificate in &all {
        store.add(certificate.clone()).map_err(|cause| TlsError::Rustls {
            path: path.to_owned(),
            cause,
        })?;
    }
    Ok((store, all))
}
