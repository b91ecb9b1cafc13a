//! What proves that somebody has a password: SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL speaks it, its verifiers,
//! the server's side of an exchange with a client, the client's side of one with a server; and MD5.
//!
//! Pure: nonces come from outside. Knows no message frame and no role. The server's side learns the `ClientKey` of who
//! proved to have the password; with it, and without the password, the client's side can log in at any server that has
//! the same verifier.

mod client;
pub mod md5;
mod server;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use client::{Client, Secret};
pub use server::{Binding, Proof, Server};

/// `SCRAM-SHA-256`
pub const MECHANISM: &str = "SCRAM-SHA-256";
/// The same, bound to the TLS connection that it runs over.
pub const MECHANISM_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// A key of SHA-256's length, wiped when it is dropped.
pub type Key = Zeroizing<[u8; 32]>;

/// How often a password is hashed at most on the word of a server that we log in at: a hostile one could ask for hours
/// of work (PostgreSQL's default is 4096).
const MOST_ITERATIONS: u32 = 1_000_000;

/// Why an exchange failed. Clients and servers are told no more than PostgreSQL tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// A message is not of its form.
    #[error("malformed SCRAM message")]
    Malformed,
    /// The client bound itself to another connection, or believes that we cannot be bound to.
    #[error("SCRAM channel binding check failed")]
    Binding,
    /// The proof is wrong.
    #[error("the SCRAM proof is wrong")]
    Proof,
    /// The server has another verifier than we were given: it would need another proof.
    #[error("the server's SCRAM verifier is another than the one that the client was authenticated against")]
    OtherVerifier,
}

/// What a server keeps of a password: `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
#[derive(Clone)]
pub struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: [u8; 32],
    server_key: Key,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier")
    }
}

impl Verifier {
    /// Reads the form that `pg_authid.rolpassword` has; none: it is of another.
    pub fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("SCRAM-SHA-256$")?;
        let (parameters, keys) = rest.split_once('$')?;
        let (iterations, salt) = parameters.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        Some(Self {
            iterations: iterations.parse().ok().filter(|&n| n > 0)?,
            salt: STANDARD.decode(salt).ok().filter(|s| !s.is_empty())?,
            stored_key: key(stored_key)?,
            server_key: Zeroizing::new(key(server_key)?),
        })
    }

    /// The verifier of nobody's password: whoever is unknown is asked as others are, with a salt that stays the same,
    /// and fails.
    pub fn of_nobody(secret: &[u8], name: &str) -> Self {
        let salt = keyed(secret, &[name.as_bytes()]);
        Self {
            iterations: 4096,
            salt: salt.get(..16).unwrap_or_default().to_vec(),
            stored_key: [0; 32],
            server_key: Zeroizing::new([0; 32]),
        }
    }

    /// Whether this is the `StoredKey`, told in constant time.
    fn stores(&self, stored_key: &[u8; 32]) -> bool {
        self.stored_key.ct_eq(stored_key).into()
    }

    fn server_signature(&self, auth_message: &str) -> [u8; 32] {
        keyed(&*self.server_key, &[auth_message.as_bytes()])
    }
}

fn key(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// HMAC-SHA-256
fn keyed(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(key) else {
        // HMAC takes keys of any length.
        return [0; 32];
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn xor(a: &[u8; 32], b: &[u8; 32]) -> Key {
    let mut out = Zeroizing::new([0; 32]);
    for ((to, a), b) in out.iter_mut().zip(a).zip(b) {
        *to = a ^ b;
    }
    out
}

/// The value of an attribute that must come next: `x=value`.
fn attribute<'a>(parts: &mut impl Iterator<Item = &'a str>, name: char) -> Result<&'a str, ScramError> {
    parts
        .next()
        .and_then(|part| part.strip_prefix(name)?.strip_prefix('='))
        .ok_or(ScramError::Malformed)
}

/// A nonce: printable, without a comma.
fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, 0x21..=0x7e) && b != b',')
}

/// A nonce out of random bytes.
pub fn nonce(random: [u8; 18]) -> String {
    STANDARD.encode(random)
}

/// A password as PostgreSQL prepares it: by SASLprep (RFC 4013), or as it is where that does not take it.
fn prepared(password: &str) -> Zeroizing<String> {
    Zeroizing::new(match stringprep::saslprep(password) {
        Ok(prepared) => prepared.into_owned(),
        Err(_) => password.to_owned(),
    })
}

/// `SaltedPassword`
fn salted(password: &str, salt: &[u8], iterations: u32) -> Key {
    let mut out = Zeroizing::new([0; 32]);
    pbkdf2::pbkdf2_hmac::<Sha256>(prepared(password).as_bytes(), salt, iterations, &mut *out);
    out
}

#[cfg(test)]
mod tests;
