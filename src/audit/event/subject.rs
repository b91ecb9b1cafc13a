//! How the audit names a data subject: by a keyed hash.
//!
//! Knows no event, and not which secret it is given.

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::super::chain::hex;

/// A data subject as the audit knows it: a keyed hash, which cannot be undone by trying all keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubjectHash([u8; 16]);

/// Under what data subjects are hashed: made once of a secret that never leaves the proxy.
#[derive(Clone)]
pub struct SubjectKey(Hmac<Sha256>);

impl SubjectKey {
    /// Of a secret.
    pub fn new(secret: &[u8]) -> Self {
        // A key of exactly one block makes a keyed hash that cannot fail.
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        for (to, from) in block.iter_mut().zip(Sha256::digest(secret)) {
            *to = from;
        }
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&block);
        mac.update(b"pgpurpose audit subject\0");
        Self(mac)
    }

    /// The hash of `subject` (`key`, or `root:key`).
    pub fn hash(&self, subject: &str) -> SubjectHash {
        let mut mac = self.0.clone();
        mac.update(subject.as_bytes());
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        let mut short = [0; 16];
        for (to, from) in short.iter_mut().zip(full) {
            *to = from;
        }
        SubjectHash(short)
    }
}

impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SubjectKey")
    }
}

impl SubjectHash {
    /// A key as it is hashed: integers in their shortest form, uuids in PostgreSQL's, all else as it is; what
    /// stands before the first colon is a root's name.
    pub fn canonical(subject: &str) -> String {
        let (root, key) = match subject.split_once(':') {
            Some((root, key)) => (format!("{root}:"), key),
            None => (String::new(), subject),
        };
        let trimmed = key.trim();
        if let Ok(number) = trimmed.parse::<i128>() {
            return format!("{root}{number}");
        }
        match Uuid::try_parse(trimmed) {
            Ok(id) => format!("{root}{id}"),
            Err(_) => subject.to_owned(),
        }
    }

    /// The forms in which a key may have been hashed: its canonical one, and as it was given.
    pub fn spellings(subject: &str) -> Vec<String> {
        let mut spellings = vec![Self::canonical(subject), subject.to_owned()];
        spellings.dedup();
        spellings
    }
}

impl std::fmt::Display for SubjectHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::str::from_utf8(&hex::<16, 32>(&self.0)).unwrap_or_default())
    }
}
