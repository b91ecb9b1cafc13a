//! TLS towards the server, by libpq's `sslmode`s.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};

use super::files::{authorities, certificates, key};
use super::{ALPN, TlsError, certificate, provider};

/// libpq's `sslmode`, without `allow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SslMode {
    /// Never.
    Disable,
    /// If the server can: keeps out those who only listen, if they do nothing else.
    #[default]
    Prefer,
    /// Always, whoever the server is.
    Require,
    /// Always, with a certificate of a known authority.
    VerifyCa,
    /// Always, with such a certificate for the name that we connect to.
    VerifyFull,
}

/// The words of libpq.
const WORDS: [(&str, SslMode); 5] = [
    ("disable", SslMode::Disable),
    ("prefer", SslMode::Prefer),
    ("require", SslMode::Require),
    ("verify-ca", SslMode::VerifyCa),
    ("verify-full", SslMode::VerifyFull),
];

impl FromStr for SslMode {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = WORDS.iter().find(|(w, _)| *w == word);
        found
            .map(|(_, mode)| *mode)
            .ok_or("one of disable, prefer, require, verify-ca, verify-full")
    }
}

/// Where things lie.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ClientFiles {
    /// Authorities of the server's certificate (`sslrootcert`).
    pub authorities: Option<PathBuf>,
    /// A certificate of ours (`sslcert`).
    pub certificate: Option<PathBuf>,
    /// Its key (`sslkey`).
    pub key: Option<PathBuf>,
}

/// TLS towards the server.
pub struct ClientTls {
    connector: TlsConnector,
}

impl std::fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientTls")
    }
}

impl ClientTls {
    /// Reads the files; none: the mode asks for no TLS.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(mode: SslMode, files: &ClientFiles) -> Result<Option<Self>, TlsError> {
        let by_name = match mode {
            SslMode::Disable => return Ok(None),
            SslMode::Prefer | SslMode::Require | SslMode::VerifyCa => false,
            SslMode::VerifyFull => true,
        };
        let builder = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|_| TlsError::Setting("this program's TLS has no protocol version"))?
            .dangerous();
        // As in libpq: where authorities are given they are asked, whatever the mode.
        let verifier: Arc<dyn ServerCertVerifier> = match (&files.authorities, mode) {
            (Some(path), _) => {
                let (roots, pinned) = authorities(path)?;
                let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
                    .build()
                    .map_err(|error| super::files::file_error(path, error.to_string()))?;
                Arc::new(Known { chain, pinned, by_name })
            }
            (None, SslMode::VerifyCa | SslMode::VerifyFull) => {
                return Err(TlsError::Setting(
                    "sslmode verify-ca and verify-full need sslrootcert, the authority of the server's certificate",
                ));
            }
            (None, SslMode::Disable | SslMode::Prefer | SslMode::Require) => Arc::new(Anybody(provider())),
        };
        let builder = builder.with_custom_certificate_verifier(verifier);
        let mut config = match (&files.certificate, &files.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(chain), Some(key_file)) => builder
                .with_client_auth_cert(certificates(chain)?, key(key_file)?)
                .map_err(|cause| TlsError::Rustls {
                    path: chain.clone(),
                    cause,
                })?,
            (Some(_), None) | (None, Some(_)) => return Err(TlsError::Setting("sslcert and sslkey go together")),
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Some(Self {
            connector: TlsConnector::from(Arc::new(config)),
        }))
    }

    /// Does the handshake with the server of that name; with the connection, what a login over it may be bound to.
    /// Where nobody asked the server (`direct`) it must say that it speaks PostgreSQL.
    ///
    /// # Errors
    /// It failed, or the name cannot be in a certificate.
    pub async fn connect(
        &self,
        host: &str,
        socket: TcpStream,
        direct: bool,
    ) -> std::io::Result<(TlsStream<TcpStream>, Option<Vec<u8>>)> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error))?;
        let stream = self.connector.connect(name, socket).await?;
        let (_, connection) = stream.get_ref();
        if direct && connection.alpn_protocol() != Some(ALPN) {
            let message = "the server's TLS does not say that it is PostgreSQL's";
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, message));
        }
        let shown = connection.peer_certificates().and_then(<[_]>::first);
        let end_point = shown.and_then(certificate::end_point);
        Ok((TlsStream::Client(stream), end_point))
    }
}

/// The server may be anybody: `require` and `prefer` without authorities.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, shown, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, shown, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The server's certificate is one of those in `sslrootcert`, or signed by one; `verify-full`: for its name.
#[derive(Debug)]
struct Known {
    chain: Arc<WebPkiServerVerifier>,
    /// The certificates of the file. webpki takes none that may sign others for a server's own, and the self-signed
    /// ones that `openssl req -x509` makes may.
    pinned: Vec<CertificateDer<'static>>,
    by_name: bool,
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.pinned.iter().any(|p| p == shown) {
            if !certificate::is_valid_at(shown, now.as_secs()) {
                return Err(CertificateError::Expired.into());
            }
            if self.by_name {
                rustls::client::verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        match self.chain.verify_server_cert(shown, between, name, ocsp, now) {
            // The name is looked at last, when the chain was found good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.by_name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, shown, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
