//! The server's side: a client proves that it has the password.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Key, ScramError, Verifier, attribute, hash, is_nonce, keyed, xor};

/// What the client's login may be bound to: our side of its connection.
#[derive(Debug, Clone, Copy)]
pub enum Binding<'a> {
    /// The client chose the mechanism that binds, to this.
    Required(&'a [u8]),
    /// We offered the mechanism that binds, and the client chose the other one.
    Declined,
    /// We did not offer it.
    None,
}

/// An exchange of which the client's first message has been read.
#[derive(Debug)]
pub struct Server<'v> {
    verifier: &'v Verifier,
    /// `gs2-header` and channel binding, as the client must repeat them.
    binding: String,
    client_first_bare: String,
    server_first: String,
    nonce: String,
}

/// What a right proof brings.
pub struct Proof {
    /// The last message for the client, by which it knows the server.
    pub server_final: String,
    /// What logs in wherever the same verifier is: who holds it needs no password.
    pub client_key: Key,
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proof")
    }
}

impl<'v> Server<'v> {
    /// Reads the client's first message; `nonce` is ours, for this exchange alone.
    ///
    /// # Errors
    /// It is malformed, or binds itself in another way than the mechanism allows.
    pub fn begin(
        verifier: &'v Verifier,
        client_first: &str,
        binding: Binding<'_>,
        nonce: &str,
    ) -> Result<Self, ScramError> {
        // gs2-header = flag "," [ "a=" authzid ] ","
        let mut parts = client_first.splitn(3, ',');
        let flag = parts.next().ok_or(ScramError::Malformed)?;
        let authzid = parts.next().ok_or(ScramError::Malformed)?;
        let bare = parts.next().ok_or(ScramError::Malformed)?;
        if !authzid.is_empty() {
            return Err(ScramError::Malformed);
        }
        let bound: &[u8] = match (flag, binding) {
            ("p=tls-server-end-point", Binding::Required(end_point)) => end_point,
            // "y": the client can bind and thinks that we cannot. Where we offered it, somebody took our offer off.
            ("n", Binding::Declined | Binding::None) | ("y", Binding::None) => &[],
            ("y", Binding::Declined) => return Err(ScramError::Binding),
            _ => return Err(ScramError::Malformed),
        };
        let mut attributes = bare.split(',');
        // The name is that of the start-up packet; what stands here is not looked at, as in PostgreSQL.
        attribute(&mut attributes, 'n')?;
        let theirs = attribute(&mut attributes, 'r')?;
        if !is_nonce(theirs) {
            return Err(ScramError::Malformed);
        }
        let nonce = format!("{theirs}{nonce}");
        let salt = STANDARD.encode(&verifier.salt);
        let iterations = verifier.iterations;
        Ok(Self {
            verifier,
            binding: STANDARD.encode([flag.as_bytes(), b",,", bound].concat()),
            client_first_bare: bare.to_owned(),
            server_first: format!("r={nonce},s={salt},i={iterations}"),
            nonce,
        })
    }

    /// Our first message.
    pub fn first(&self) -> &str {
        &self.server_first
    }

    /// Reads the client's last message.
    ///
    /// # Errors
    /// It is malformed, bound elsewhere, or its proof is wrong.
    pub fn finish(self, client_final: &str) -> Result<Proof, ScramError> {
        let (without_proof, proof) = client_final.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = attribute(&mut attributes, 'c')?;
        let nonce = attribute(&mut attributes, 'r')?;
        if binding != self.binding {
            return Err(ScramError::Binding);
        }
        if nonce != self.nonce {
            return Err(ScramError::Malformed);
        }
        let proof: [u8; 32] = STANDARD
            .decode(proof)
            .ok()
            .and_then(|p| p.try_into().ok())
            .ok_or(ScramError::Malformed)?;
        let auth_message = format!("{},{},{without_proof}", self.client_first_bare, self.server_first);
        let signature = keyed(&self.verifier.stored_key, &[auth_message.as_bytes()]);
        let client_key = xor(&proof, &signature);
        if !self.verifier.stores(&hash(&*client_key)) {
            return Err(ScramError::Proof);
        }
        let signature = STANDARD.encode(self.verifier.server_signature(&auth_message));
        Ok(Proof {
            server_final: format!("v={signature}"),
            client_key,
        })
    }
}
