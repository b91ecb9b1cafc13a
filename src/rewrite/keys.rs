//! Names of the session settings that carry the keys of keyed masks to PostgreSQL.
//!
//! The keys themselves are derived and sent by the shell, in the start-up packet only; no statement
//! ever holds one, and clients may not read these settings.

/// The setting of the key that `hash` masks use for all purposes.
pub const HASH_SETTING: &str = "pgpurpose.key_hash";

/// The setting of the key of one purpose.
pub fn pseudonym_setting(purpose: &str) -> String {
    format!("pgpurpose.key_purpose_{}", purpose.replace('.', "__"))
}
