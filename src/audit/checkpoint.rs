//! Checkpoints: all records up to one, signed with Ed25519 (RFC 8032).
//!
//! What is signed is the number and the hash of the record before: through the chain, all records
//! before it. Whoever rewrites the chain without the private key cannot sign it; a checkpoint that was
//! sent elsewhere shows a tail that was cut off. Pure: knows keys as PEM, and no file.

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use super::canonical::Fields;
use super::chain::{Digest, Head};

/// A private key.
#[derive(Clone)]
pub struct Signer(SigningKey);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Signer").field(&self.public()).finish()
    }
}

impl Signer {
    /// A key out of 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Reads a key of PKCS#8 in PEM (RFC 8410), `-----BEGIN PRIVATE KEY-----`.
    pub fn from_pem(pem: &str) -> Option<Self> {
        SigningKey::from_pkcs8_pem(pem.trim()).ok().map(Self)
    }

    /// Writes one.
    pub fn to_pem(&self) -> Option<Zeroizing<String>> {
        self.0.to_pkcs8_pem(LineEnding::LF).ok()
    }

    /// The key by which others check what it signed.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs all records up to `head`.
    pub(super) fn sign(&self, head: Head) -> Checkpoint {
        Checkpoint {
            head,
            key: self.0.verifying_key().to_bytes(),
            signature: self.0.sign(&message(head)).to_bytes(),
        }
    }
}

/// A public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads `-----BEGIN PUBLIC KEY-----` (RFC 8410).
    pub fn from_pem(pem: &str) -> Option<Self> {
        VerifyingKey::from_public_key_pem(pem.trim()).ok().map(Self)
    }

    /// Writes one.
    pub fn to_pem(&self) -> Option<String> {
        self.0.to_public_key_pem(LineEnding::LF).ok()
    }

    /// 64 hex digits, as a checkpoint names it.
    pub fn to_hex(&self) -> String {
        hex(self.0.as_bytes())
    }
}

/// A signature over all records up to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last record under it.
    pub head: Head,
    key: [u8; 32],
    signature: [u8; 64],
}

impl Checkpoint {
    /// Its name among events.
    pub const EVENT: &str = "checkpoint";

    pub(super) fn write(&self, f: &mut Fields<'_>) {
        f.object("head", |f| {
            f.number("seq", self.head.seq);
            f.text("hash", &self.head.hash.to_string());
        });
        f.text("key", &hex(&self.key));
        f.text("signature", &hex(&self.signature));
    }

    /// Whether a record is a checkpoint, by the place where only its kind can stand.
    pub fn is_one(line: &[u8]) -> bool {
        const TIME: usize = r#","time":"2026-11-24T06:41:05.000120Z""#.len();
        const KIND: &[u8] = br#","event":"checkpoint","#;
        let comma = line.iter().take(32).position(|&c| c == b',');
        comma.is_some_and(|comma| line.get(comma + TIME..).is_some_and(|rest| rest.starts_with(KIND)))
    }

    /// Reads a record that is one.
    pub fn read(line: &[u8]) -> Option<Self> {
        if !Self::is_one(line) {
            return None;
        }
        let value: serde_json::Value = serde_json::from_slice(line).ok()?;
        let head = value.get("head")?;
        Some(Self {
            head: Head {
                seq: head.get("seq")?.as_u64()?,
                hash: Digest::from_hex(head.get("hash")?.as_str()?.as_bytes())?,
            },
            key: from_hex(value.get("key")?.as_str()?)?,
            signature: from_hex(value.get("signature")?.as_str()?)?,
        })
    }

    /// The key that it says it is signed with, 64 hex digits.
    pub fn key(&self) -> String {
        hex(&self.key)
    }

    /// Whether it is signed with the key that it names, and that is `expected` where one is.
    pub fn is_signed(&self, expected: Option<&PublicKey>) -> bool {
        let Ok(key) = VerifyingKey::from_bytes(&self.key) else {
            return false;
        };
        expected.is_none_or(|expected| expected.0 == key)
            && key
                .verify_strict(&message(self.head), &Signature::from_bytes(&self.signature))
                .is_ok()
    }
}

/// What is signed. Its first line keeps a signature from meaning anything elsewhere.
fn message(head: Head) -> Vec<u8> {
    format!("pgpurpose audit checkpoint\n{}:{}\n", head.seq, head.hash).into_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let lower = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 2 * N || !text.bytes().all(lower) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}
