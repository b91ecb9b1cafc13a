//! Logging in at the server by ourselves: with a password of our own, or with what a client's proof taught us.

use bytes::{BufMut, Bytes, BytesMut};
use zeroize::Zeroizing;

use super::{Upstream, UpstreamError};
use crate::password::{Client, Key, MECHANISM, MECHANISM_PLUS, ScramError, Secret, Verifier, md5, nonce};
use crate::wire::backend::Authentication;
use crate::wire::{BackendKind, ErrorFields, ProtocolError, encode};

/// What we can prove.
pub enum Credential {
    /// A password.
    Password(Zeroizing<String>),
    /// The key that a client's SCRAM exchange taught us, and the verifier that it belongs to.
    ClientKey(Key, Verifier),
    /// `md5` and the MD5 hash of password and role, as PostgreSQL stores it: as good as the password.
    Md5(Zeroizing<String>),
    /// Nothing: the server is expected not to ask, because it knows our address or our certificate.
    Nothing,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password",
            Self::ClientKey(..) => "ClientKey",
            Self::Md5(_) => "Md5",
            Self::Nothing => "Nothing",
        })
    }
}

/// Why the server did not let us in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The connection ended, or the server broke the protocol.
    #[error(transparent)]
    Connection(#[from] UpstreamError),
    /// The server refused.
    #[error("the server refuses the login: {}", .0.get(b'M').unwrap_or("unknown error"))]
    Server(ErrorFields),
    /// It asks for what we cannot give.
    #[error("the server asks for {0}, which cannot be given")]
    Asks(&'static str),
    /// SCRAM failed on our side.
    #[error(transparent)]
    Scram(#[from] ScramError),
}

impl From<ProtocolError> for LoginError {
    fn from(error: ProtocolError) -> Self {
        Self::Connection(error.into())
    }
}

/// After the start-up packet: answers what the server asks until it is content.
///
/// # Errors
/// See [`LoginError`].
pub async fn authenticate(upstream: &mut Upstream, role: &str, credential: &Credential) -> Result<(), LoginError> {
    loop {
        match question(upstream).await? {
            (Authentication::Ok, _) => return Ok(()),
            (Authentication::Password, _) => match credential {
                Credential::Password(password) => answer(upstream, &ended(password)),
                Credential::ClientKey(..) | Credential::Md5(_) | Credential::Nothing => {
                    return Err(LoginError::Asks("the password in clear text"));
                }
            },
            (Authentication::Md5, body) => {
                let salt = body.get(4..8).ok_or(ProtocolError::MalformedBackend('R'))?;
                let stored = match credential {
                    Credential::Password(password) => md5::stored(password, role),
                    Credential::Md5(stored) => stored.clone(),
                    Credential::ClientKey(..) | Credential::Nothing => {
                        return Err(LoginError::Asks("an MD5 hash of the password"));
                    }
                };
                answer(upstream, &ended(&md5::answer(&stored, salt)));
            }
            (Authentication::Sasl(offered), _) => scram(upstream, &offered, credential).await?,
            (Authentication::SaslContinue | Authentication::SaslFinal, _) => {
                return Err(ProtocolError::Unexpected.into());
            }
            (Authentication::Unsupported(_), _) => return Err(LoginError::Asks("a way of authentication")),
        }
    }
}

async fn scram(upstream: &mut Upstream, offered: &[String], credential: &Credential) -> Result<(), LoginError> {
    let secret = match credential {
        Credential::Password(password) => Secret::Password(password),
        Credential::ClientKey(key, verifier) => Secret::Key(key, verifier),
        Credential::Md5(_) | Credential::Nothing => return Err(LoginError::Asks("a SCRAM proof of the password")),
    };
    let offers = |mechanism: &str| offered.iter().any(|o| o == mechanism);
    let end_point = upstream.end_point.clone().filter(|_| offers(MECHANISM_PLUS));
    let mechanism = match &end_point {
        Some(_) => MECHANISM_PLUS,
        None if offers(MECHANISM) => MECHANISM,
        None => return Err(LoginError::Asks("a SASL mechanism")),
    };
    let client = Client::new(secret, end_point.as_deref(), nonce(rand::random()));
    let first = client.first();
    let mut initial = BytesMut::new();
    encode::string(&mut initial, mechanism.as_bytes());
    initial.put_i32(i32::try_from(first.len()).unwrap_or(i32::MAX));
    initial.put_slice(first.as_bytes());
    answer(upstream, &initial);
    let server_first = sasl_text(question(upstream).await?, &Authentication::SaslContinue)?;
    let finish = client.finish(&server_first)?;
    answer(upstream, finish.client_final.as_bytes());
    let server_final = sasl_text(question(upstream).await?, &Authentication::SaslFinal)?;
    Ok(finish.check(&server_final)?)
}

fn sasl_text((kind, body): (Authentication, Bytes), expected: &Authentication) -> Result<String, LoginError> {
    if kind != *expected {
        return Err(ProtocolError::Unexpected.into());
    }
    let data = body.get(4..).unwrap_or_default();
    String::from_utf8(data.to_vec()).map_err(|_| ScramError::Malformed.into())
}

fn answer(upstream: &mut Upstream, bytes: &[u8]) {
    upstream.sender.answer(bytes);
}

/// The next question, with its body.
async fn question(upstream: &mut Upstream) -> Result<(Authentication, Bytes), LoginError> {
    loop {
        let frame = upstream.exchange().await?;
        match BackendKind::of(frame.tag)? {
            BackendKind::Authentication => {
                let body = frame.body();
                return Ok((Authentication::read(body.clone())?, body));
            }
            BackendKind::ErrorResponse => return Err(LoginError::Server(ErrorFields::read(frame.body())?)),
            // Of the version of the protocol: what we speak is the same in all that we may be led down to.
            BackendKind::NoticeResponse | BackendKind::NegotiateProtocolVersion => {}
            other => {
                tracing::warn!(kind = ?other, "unexpected message during login");
                return Err(ProtocolError::Unexpected.into());
            }
        }
    }
}

/// A text and the NUL byte behind it.
fn ended(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([text.as_bytes(), &[0]].concat())
}
