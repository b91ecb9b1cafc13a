//! PostgreSQL's MD5 method, for old set-ups: who has the hash that is stored can log in with it.

use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What PostgreSQL stores of a password under `password_encryption = md5`.
pub fn stored(password: &str, role: &str) -> Zeroizing<String> {
    Zeroizing::new(format!("md5{}", hex(&[password.as_bytes(), role.as_bytes()])))
}

/// What a client answers for that salt.
pub fn answer(stored: &str, salt: &[u8]) -> Zeroizing<String> {
    let hashed = stored.strip_prefix("md5").unwrap_or(stored);
    Zeroizing::new(format!("md5{}", hex(&[hashed.as_bytes(), salt])))
}

/// Whether an answer is right, told in constant time.
pub fn is_right(given: &[u8], stored: &str, salt: &[u8]) -> bool {
    answer(stored, salt).as_bytes().ct_eq(given).into()
}

fn hex(parts: &[&[u8]]) -> String {
    let mut digest = Md5::new();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_postgresql_hashes() {
        // SET password_encryption = md5; ALTER ROLE app PASSWORD 'open sesame'
        let stored = stored("open sesame", "app");
        assert_eq!(stored.len(), 35);
        let given = answer(&stored, &[1, 2, 3, 4]);
        assert!(is_right(given.as_bytes(), &stored, &[1, 2, 3, 4]));
        assert!(!is_right(given.as_bytes(), &stored, &[1, 2, 3, 5]));
        assert!(!is_right(b"", &stored, &[1, 2, 3, 4]));
    }
}
