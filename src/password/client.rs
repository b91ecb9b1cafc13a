//! The client's side: we log in at a server, with a password or with the key of somebody who proved to have one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Key, MOST_ITERATIONS, ScramError, Verifier, attribute, hash, is_nonce, keyed, salted, xor};

/// What proves who we are.
pub enum Secret<'a> {
    /// A password.
    Password(&'a str),
    /// The `ClientKey` that belongs to this verifier.
    Key(&'a Key, &'a Verifier),
}

/// An exchange, from our first message on.
pub struct Client<'a> {
    secret: Secret<'a>,
    /// `gs2-header` and channel binding.
    bound: Vec<u8>,
    header: &'static str,
    nonce: String,
}

/// An exchange whose last message the server owes.
#[derive(Debug)]
pub struct Finish {
    /// Our last message.
    pub client_final: String,
    expected: [u8; 32],
}

impl<'a> Client<'a> {
    /// Begins; with `end_point`, bound to the TLS connection that has it.
    pub fn new(secret: Secret<'a>, end_point: Option<&[u8]>, nonce: String) -> Self {
        let header = match end_point {
            Some(_) => "p=tls-server-end-point,,",
            None => "n,,",
        };
        Self {
            secret,
            bound: [header.as_bytes(), end_point.unwrap_or_default()].concat(),
            header,
            nonce,
        }
    }

    /// Our first message.
    pub fn first(&self) -> String {
        format!("{}{}", self.header, self.first_bare())
    }

    fn first_bare(&self) -> String {
        format!("n=,r={}", self.nonce)
    }

    /// Reads the server's first message.
    ///
    /// # Errors
    /// It is malformed, or asks for a proof that our key does not give.
    pub fn finish(self, server_first: &str) -> Result<Finish, ScramError> {
        let mut attributes = server_first.split(',');
        let nonce = attribute(&mut attributes, 'r')?;
        let salt = attribute(&mut attributes, 's')?;
        let iterations = attribute(&mut attributes, 'i')?;
        let salt = STANDARD.decode(salt).map_err(|_| ScramError::Malformed)?;
        let iterations: u32 = iterations.parse().map_err(|_| ScramError::Malformed)?;
        let theirs = nonce.strip_prefix(&self.nonce).ok_or(ScramError::Malformed)?;
        if !is_nonce(theirs) || !(1..=MOST_ITERATIONS).contains(&iterations) {
            return Err(ScramError::Malformed);
        }
        let (client_key, server_key) = match &self.secret {
            Secret::Password(password) => {
                let salted = salted(password, &salt, iterations);
                let key = |label: &[u8]| Zeroizing::new(keyed(&*salted, &[label]));
                (key(b"Client Key"), key(b"Server Key"))
            }
            Secret::Key(key, verifier) if verifier.salt == salt && verifier.iterations == iterations => {
                ((*key).clone(), verifier.server_key.clone())
            }
            Secret::Key(..) => return Err(ScramError::OtherVerifier),
        };
        let without_proof = format!("c={},r={nonce}", STANDARD.encode(&self.bound));
        let auth_message = format!("{},{server_first},{without_proof}", self.first_bare());
        let signature = keyed(&hash(&*client_key), &[auth_message.as_bytes()]);
        let proof = STANDARD.encode(*xor(&client_key, &signature));
        Ok(Finish {
            client_final: format!("{without_proof},p={proof}"),
            expected: keyed(&*server_key, &[auth_message.as_bytes()]),
        })
    }
}

impl Finish {
    /// Reads the server's last message: whether it has the verifier too.
    ///
    /// # Errors
    /// It is malformed, or from somebody else.
    pub fn check(&self, server_final: &str) -> Result<(), ScramError> {
        let mut attributes = server_final.split(',');
        let signature = STANDARD
            .decode(attribute(&mut attributes, 'v')?)
            .map_err(|_| ScramError::Malformed)?;
        match self.expected.ct_eq(&signature).into() {
            true => Ok(()),
            false => Err(ScramError::Proof),
        }
    }
}
