//! The keys of keyed masks, derived from the proxy's secret: PostgreSQL gets them as settings in the
//! start-up packet, and no client sees them.

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};

use crate::policy::{Policy, within};
use crate::rewrite::keys::{HASH_SETTING, pseudonym_setting};
use crate::rewrite::mask::key_settings;

/// The use of the key under which data subjects are hashed for the audit.
pub const AUDIT_SUBJECT: &str = "pgpurpose audit subject";

/// A key that only the holder of `secret` can derive, for one use.
pub fn derive(secret: &[u8], label: &str) -> [u8; 32] {
    // A key of exactly one block makes a keyed hash that cannot fail.
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    for (to, from) in block.iter_mut().zip(Sha256::digest(secret)) {
        *to = from;
    }
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block);
    mac.update(label.as_bytes());
    mac.finalize().into_bytes().into()
}

/// The settings for a role: the key of `hash`, and one for each purpose that it may act for.
pub fn settings(secret: &[u8], policy: &Policy, role: &str) -> Vec<(String, String)> {
    let granted = policy
        .roles
        .get(role)
        .map(|r| r.purposes.as_slice())
        .unwrap_or_default();
    let usable = policy
        .purposes
        .values()
        .filter(|p| !p.prohibited && granted.iter().any(|g| within(&p.name, g)));
    let hash = key_settings(HASH_SETTING, &derive(secret, "pgpurpose mask hash"));
    let pseudonyms = usable.flat_map(|purpose| {
        let key = derive(secret, &format!("pgpurpose mask pseudonym {}", purpose.name));
        key_settings(&pseudonym_setting(&purpose.name), &key)
    });
    hash.into_iter().chain(pseudonyms).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_by_use_and_by_secret() {
        let key = derive(b"secret", "a");
        assert_eq!(key, derive(b"secret", "a"));
        assert_ne!(key, derive(b"secret", "b"));
        assert_ne!(key, derive(b"other", "a"));
    }
}
