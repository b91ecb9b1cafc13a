//! TLS towards clients: our certificate, and what theirs must be.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsStream};

use super::files::{authorities, certificates, file_error, key};
use super::{ALPN, TlsError, certificate, provider};

/// Where things lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerFiles {
    /// Our certificate, and what leads to its authority.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Authorities of clients' certificates; none: clients are not asked for one.
    pub client_authorities: Option<PathBuf>,
    /// Which role a certificate's common name may be: lines `common-name role`; none: the one of that name.
    pub client_map: Option<PathBuf>,
    /// Every client must have a certificate.
    pub client_required: bool,
}

/// Which roles the holder of a certificate may log in as.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ClientCertificates {
    /// The one that its common name names.
    SameName,
    /// Those that the map gives to its common name.
    Mapped(HashMap<String, Vec<String>>),
}

/// TLS towards clients.
pub struct ServerTls {
    acceptor: TlsAcceptor,
    end_point: Option<Vec<u8>>,
    roles: ClientCertificates,
}

/// A connection after its handshake.
#[derive(Debug)]
pub struct Secured {
    /// The connection.
    pub stream: TlsStream<TcpStream>,
    /// What a client that binds its login to this connection binds it to.
    pub end_point: Option<Vec<u8>>,
    /// The client named our protocol (ALPN).
    pub named_protocol: bool,
    /// The client's certificate, which one of our authorities signed, with the roles that its holder may be.
    pub client: Option<ClientCertificate>,
}

/// What is known of a client by its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Its common name.
    pub name: String,
    /// The roles that it may log in as.
    pub roles: Vec<String>,
}

impl ServerTls {
    /// Reads the files; none: there is no certificate, and so no TLS.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(files: &ServerFiles) -> Result<Option<Self>, TlsError> {
        let (chain_file, key_file) = match (&files.certificate, &files.key) {
            (Some(chain), Some(key)) => (chain, key),
            (None, None) if files.client_authorities.is_none() => return Ok(None),
            (None, None) => return Err(TlsError::Setting("--tls-client-ca needs --tls-cert and --tls-key")),
            (Some(_), None) | (None, Some(_)) => {
                return Err(TlsError::Setting("--tls-cert and --tls-key go together"));
            }
        };
        if files.client_authorities.is_none() && (files.client_map.is_some() || files.client_required) {
            return Err(TlsError::Setting(
                "--tls-client-map and --tls-client-required need --tls-client-ca",
            ));
        }
        let chain = certificates(chain_file)?;
        let end_point = chain.first().and_then(certificate::end_point);
        let wrong = |cause| TlsError::Rustls {
            path: chain_file.clone(),
            cause,
        };
        let builder = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(wrong)?;
        let builder = match &files.client_authorities {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let (roots, _) = authorities(path)?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
                let verifier = match files.client_required {
                    true => verifier,
                    false => verifier.allow_unauthenticated(),
                };
                let verifier = verifier.build().map_err(|error| file_error(path, error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key(key_file)?).map_err(wrong)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        let roles = match &files.client_map {
            None => ClientCertificates::SameName,
            Some(path) => ClientCertificates::Mapped(read_map(path)?),
        };
        Ok(Some(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            end_point,
            roles,
        }))
    }

    /// Does the handshake on a connection of which nothing more has been read.
    ///
    /// # Errors
    /// It failed, or the client's certificate has no name that could be a role.
    pub async fn accept(&self, socket: TcpStream) -> std::io::Result<Secured> {
        let stream = self.acceptor.accept(socket).await?;
        let (_, connection) = stream.get_ref();
        let client = match connection.peer_certificates().and_then(<[_]>::first) {
            None => None,
            Some(shown) => {
                let name = certificate::common_name(shown).ok_or_else(|| {
                    std::io::Error::new(
                        std::io::ErrorKind::InvalidData,
                        "a client's certificate has no common name",
                    )
                })?;
                let roles = self.roles.of(&name);
                Some(ClientCertificate { name, roles })
            }
        };
        Ok(Secured {
            named_protocol: connection.alpn_protocol() == Some(ALPN),
            end_point: self.end_point.clone(),
            client,
            stream: TlsStream::Server(stream),
        })
    }
}

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerTls")
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

impl ClientCertificates {
    fn of(&self, name: &str) -> Vec<String> {
        match self {
            Self::SameName => vec![name.to_owned()],
            Self::Mapped(map) => map.get(name).cloned().unwrap_or_default(),
        }
    }
}

fn read_map(path: &Path) -> Result<HashMap<String, Vec<String>>, TlsError> {
    let text = std::fs::read_to_string(path).map_err(|error| file_error(path, format!("cannot be read: {error}")))?;
    parse_map(&text).map_err(|line| file_error(path, format!("line {line}: expected common-name role")))
}

/// `common-name role` a line, either in double quotes where it holds spaces, `#` before a comment; else the line's
/// number.
fn parse_map(text: &str) -> Result<HashMap<String, Vec<String>>, usize> {
    let mut map: HashMap<String, Vec<String>> = HashMap::new();
    for (index, line) in text.lines().enumerate() {
        let mut words = Vec::new();
        let mut rest = line.trim();
        while !rest.is_empty() && !rest.starts_with('#') {
            let (word, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or(index + 1)?,
                None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
            };
            words.push(word.to_owned());
            rest = after.trim_start();
        }
        match <[String; 2]>::try_from(words) {
            Ok([name, role]) => map.entry(name).or_default().push(role),
            Err(words) if words.is_empty() => {}
            Err(_) => return Err(index + 1),
        }
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_gives_roles_to_common_names() {
        let map = parse_map("# who is who\ncrm support_app\n\n\"Ada L.\" quality # her\ncrm quality\n").unwrap();
        let roles = ClientCertificates::Mapped(map);
        assert_eq!(roles.of("crm"), ["support_app", "quality"]);
        assert_eq!(roles.of("Ada L."), ["quality"]);
        assert!(roles.of("support_app").is_empty(), "a map speaks alone");
        assert_eq!(ClientCertificates::SameName.of("crm"), ["crm"]);
        for (text, line) in [("a", 1), ("a b\na b c", 2), ("\"a b", 1)] {
            assert_eq!(parse_map(text), Err(line), "{text:?}");
        }
    }
}
