//! What is read out of a peer's certificate, or our own.

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The common name of the subject, which PostgreSQL's `cert` method compares with the role; none: it has none, or one
/// that cannot be compared (a NUL byte would end it early for others).
pub(super) fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let name = parsed.subject().iter_common_name().next()?.as_str().ok()?;
    (!name.is_empty() && !name.contains('\0')).then(|| name.to_owned())
}

/// `tls-server-end-point` (RFC 5929, section 4.1): the certificate's hash by the hash function of its signature, with
/// SHA-256 in place of MD5 and SHA-1; none: its signature has no single one (Ed25519), and there is no such binding.
pub(super) fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let algorithm = &parsed.signature_algorithm;
    let hash = match algorithm.algorithm.to_id_string().as_str() {
        // RSA with MD5, SHA-1, SHA-256; ECDSA with SHA-1, SHA-256
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => Sha256::digest(certificate).to_vec(),
        // RSA and ECDSA with SHA-384
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Sha384::digest(certificate).to_vec(),
        // RSA and ECDSA with SHA-512
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Sha512::digest(certificate).to_vec(),
        _ => return None,
    };
    Some(hash)
}

/// Whether the certificate is valid at this moment, in seconds since 1970.
pub(super) fn is_valid_at(certificate: &CertificateDer<'_>, seconds: u64) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return false;
    };
    let validity = parsed.validity();
    i64::try_from(seconds)
        .is_ok_and(|now| validity.not_before.timestamp() <= now && now <= validity.not_after.timestamp())
}
