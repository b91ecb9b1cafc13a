//! The keys of keyed masks, derived from the proxy's secret: PostgreSQL gets them as settings in the
//! start-up packet, and no client sees them.

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};

use crate::policy::{Mask, Policy, ReleaseEntry, ReleaseForm, within};
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

/// The settings for a role: the key of `hash`, and one for each purpose that it may act for; each where some mask could
/// use it, since a start-up packet has little room and what stands between may log what is in it.
pub fn settings(secret: &[u8], policy: &Policy, role: &str) -> Vec<(String, String)> {
    let granted = policy
        .roles
        .get(role)
        .map(|r| r.purposes.as_slice())
        .unwrap_or_default();
    let usable: Vec<&str> = policy
        .purposes
        .values()
        .filter(|p| !p.prohibited && granted.iter().any(|g| within(&p.name, g)))
        .map(|p| p.name.as_str())
        .collect();
    let hash = usable
        .iter()
        .any(|purpose| uses(policy, purpose, |key| key == Key::Common))
        .then(|| key_settings(HASH_SETTING, &derive(secret, "pgpurpose mask hash")));
    let pseudonyms = usable
        .iter()
        .filter(|purpose| uses(policy, purpose, |key| key == Key::OfPurpose))
        .map(|purpose| {
            let key = derive(secret, &format!("pgpurpose mask pseudonym {purpose}"));
            key_settings(&pseudonym_setting(purpose), &key)
        });
    hash.into_iter().chain(pseudonyms).flatten().collect()
}

/// The key that a mask is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    /// One for all purposes.
    Common,
    /// One of the purpose.
    OfPurpose,
}

const fn key_of(mask: &Mask) -> Option<Key> {
    match mask {
        Mask::Hash => Some(Key::Common),
        Mask::Pseudonym | Mask::Fake(_) | Mask::DateShift { .. } => Some(Key::OfPurpose),
        Mask::Null
        | Mask::Constant(_)
        | Mask::Partial { .. }
        | Mask::Email
        | Mask::Generalize(_)
        | Mask::Round(_)
        | Mask::IpPrefix { .. }
        | Mask::Json(_)
        | Mask::Sql(_) => None,
    }
}

/// Whether a form released for a purpose may need such a key. Own masks are looked at all together.
fn uses(policy: &Policy, purpose: &str, such: impl Fn(Key) -> bool) -> bool {
    let needs = |mask: &Mask| key_of(mask).is_some_and(&such);
    let speaks = |entry: &&ReleaseEntry| entry.purposes.iter().any(|p| within(purpose, p));
    policy.release.iter().filter(speaks).any(|entry| match &entry.form {
        ReleaseForm::Raw | ReleaseForm::Hidden | ReleaseForm::Refuse => false,
        ReleaseForm::Mask(mask) => needs(mask),
        ReleaseForm::OwnMask => own_masks(policy).any(needs),
    })
}

fn own_masks(policy: &Policy) -> impl Iterator<Item = &Mask> {
    let of_categories = policy.categories.values().filter_map(|c| c.mask.as_ref());
    let columns = policy
        .tables
        .values()
        .flat_map(|t| t.columns.values().chain(&t.all_columns));
    of_categories.chain(columns.filter_map(|c| c.mask.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_purposes_fit_into_a_start_up_packet() {
        let all = (0..50).flat_map(|n| key_settings(&pseudonym_setting(&format!("purpose.number_{n}")), &[n; 32]));
        let length: usize = all.map(|(name, value)| name.len() + value.len() + 2).sum();
        assert!(length < 9_500, "{length} bytes");
    }

    #[test]
    fn keys_are_sent_where_a_mask_uses_them() {
        let rules = "
version: 1
purposes: {care: {}, research: {}, research.old: {}, audit: {}, other: {}}
data_categories: {user: {sensitivity: personal, mask: {hash: {}}}}
roles: {app: {purposes: [care, research, audit]}, clerk: {purposes: [care]}}
release:
  - {purposes: [care], data_categories: [user], as: raw}
  - {purposes: [research], data_categories: [user], as: {mask: {pseudonym: {}}}}
  - {purposes: [audit], data_categories: [user], as: {mask: {}}}
  - {purposes: [other], data_categories: [user], as: {mask: {pseudonym: {}}}}
";
        let set = crate::rules::load(&[("rules.yaml".into(), rules.into())]).unwrap();
        let (_, policy) = set.policies().next().unwrap();
        let names = |role| -> Vec<String> {
            let all = settings(b"secret", policy, role);
            all.into_iter()
                .filter_map(|(name, _)| name.strip_suffix("_i").map(str::to_owned))
                .collect()
        };
        let of = |purpose| pseudonym_setting(purpose);
        assert_eq!(
            names("app"),
            [HASH_SETTING.to_owned(), of("research"), of("research.old")]
        );
        assert!(names("clerk").is_empty());
    }

    #[test]
    fn keys_differ_by_use_and_by_secret() {
        let key = derive(b"secret", "a");
        assert_eq!(key, derive(b"secret", "a"));
        assert_ne!(key, derive(b"secret", "b"));
        assert_ne!(key, derive(b"other", "a"));
    }
}
