//! Masks with a key: `pseudonym` and `hash`, and the keyed numbers that others draw from.
//!
//! HMAC-SHA-256 out of PostgreSQL's own `sha256`. The two padded keys are session settings, set in
//! the start-up packet, so that no statement holds a key. A key that is not there hides the value.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::kind::Kind;
use super::{Site, op};
use crate::rewrite::quote;

/// The pads of HMAC, inner and outer, each with the suffix of its setting.
const PADS: [(&str, u8); 2] = [("i", 0x36), ("o", 0x5c)];

/// How many bytes of a padded key are not the key's: the block of SHA-256 less the length of a key.
const PADDING: usize = 64 - 32;

/// The length of a key in base64.
const ENCODED: usize = 44;

/// The session settings, name and value, that the start-up packet must carry for `setting`: the key under each pad, in
/// base64. The rest of the block is a constant of the expressions, since a start-up packet has room for 10,000 bytes.
pub fn key_settings(setting: &str, key: &[u8; 32]) -> [(String, String); 2] {
    PADS.map(|(suffix, pad)| {
        let padded = key.map(|byte| byte ^ pad);
        (format!("{setting}_{suffix}"), STANDARD.encode(padded))
    })
}

/// One value in place of another, the same for the same: text as 32 hex digits, uuid as uuid,
/// integers as another of their type's range (a keyed permutation).
pub(super) fn pseudonym(setting: &str, site: &Site<'_>) -> Result<String, String> {
    let shown = match site.kind {
        Kind::Text | Kind::Varchar(_) | Kind::Bpchar(_) | Kind::Name => {
            format!("({})::{}", digest_hex(setting, "text", &site.text()), site.bare_cast)
        }
        // Equal is equal whatever the case, so the pseudonym is too.
        Kind::Citext => {
            let folded = format!("pg_catalog.lower({} COLLATE pg_catalog.\"default\")", site.text());
            site.typed(&digest_hex(setting, "text", &folded))
        }
        Kind::Uuid => site.typed(&digest_hex(setting, "uuid", &site.text())),
        Kind::Int2 => permuted(setting, "int2", 8, site),
        Kind::Int4 => permuted(setting, "int4", 16, site),
        Kind::Int8 => permuted(setting, "int8", 32, site),
        Kind::Bool
        | Kind::Numeric(_)
        | Kind::Float4
        | Kind::Float8
        | Kind::Date
        | Kind::Timestamp
        | Kind::Timestamptz
        | Kind::Inet
        | Kind::Cidr
        | Kind::Json
        | Kind::Jsonb
        | Kind::Other => return Err("it needs a text, uuid or integer column".into()),
    };
    Ok(guarded(setting, &shown))
}

/// `expression` where both settings hold a whole key, else NULL.
pub(super) fn guarded(setting: &str, expression: &str) -> String {
    let is_whole = |suffix| {
        let length = format!("pg_catalog.length({})", current(setting, suffix));
        op(&length, "=", &ENCODED.to_string())
    };
    format!(
        "(CASE WHEN {} AND {} THEN {expression} END)",
        is_whole("i"),
        is_whole("o")
    )
}

/// An unsigned number of so many bytes (at most four) as bigint, drawn from `text` and the key.
pub(super) fn number(setting: &str, label: &str, text: &str, bytes: u32) -> String {
    let head = format!("pg_catalog.substr({}, 1, {bytes})", hmac(setting, label, text));
    let hex = op(
        "'x'::pg_catalog.text",
        "||",
        &format!("pg_catalog.encode({head}, 'hex')"),
    );
    format!("{hex}::pg_catalog.bit({})::pg_catalog.int8", bytes * 8)
}

/// Byte number `index` of the keyed digest of `text`, from 0 to 255.
pub(super) fn byte(setting: &str, label: &str, text: &str, index: u32) -> String {
    format!("pg_catalog.get_byte({}, {index})", hmac(setting, label, text))
}

/// The first 128 bits of the keyed digest as 32 hex digits.
fn digest_hex(setting: &str, label: &str, text: &str) -> String {
    format!(
        "pg_catalog.encode(pg_catalog.substr({}, 1, 16), 'hex')",
        hmac(setting, label, text)
    )
}

/// HMAC-SHA-256 of `label:text`. The label keeps the uses of one key apart.
fn hmac(setting: &str, label: &str, text: &str) -> String {
    let message = op(&format!("'{label}:'::pg_catalog.text"), "||", text);
    // Into the database's own encoding, which is no conversion and cannot fail.
    let bytes = format!("pg_catalog.convert_to({message}, pg_catalog.getdatabaseencoding())");
    let [inner, outer] = PADS.map(|(suffix, pad)| padded_key(setting, suffix, pad));
    let digest = format!("pg_catalog.sha256({})", op(&inner, "||", &bytes));
    format!("pg_catalog.sha256({})", op(&outer, "||", &digest))
}

fn padded_key(setting: &str, suffix: &str, pad: u8) -> String {
    let key = format!("pg_catalog.decode({}, 'base64')", current(setting, suffix));
    let padding = format!("pg_catalog.decode('{}', 'hex')", format!("{pad:02x}").repeat(PADDING));
    op(&key, "||", &padding)
}

fn current(setting: &str, suffix: &str) -> String {
    let name = quote::literal(&format!("{setting}_{suffix}"));
    format!("pg_catalog.current_setting({name}, true)")
}

/// Four Feistel rounds over halves of `half` bits: a permutation of the type's whole range.
fn permuted(setting: &str, label: &str, half: u32, site: &Site<'_>) -> String {
    let mask = (1_u64 << half) - 1;
    let value = format!("{}::pg_catalog.int8", site.value);
    let low = |sql: &str| op(sql, "&", &format!("{mask}::pg_catalog.int8"));
    let mut left = low(&op(&value, ">>", &half.to_string()));
    let mut right = low(&value);
    for round in 1..=4 {
        let label = format!("{label}.{round}");
        let drawn = number(setting, &label, &format!("{right}::pg_catalog.text"), half / 8);
        (left, right) = (right, op(&left, "#", &drawn));
    }
    let joined = op(&op(&left, "<<", &half.to_string()), "|", &right);
    let signed = match site.kind {
        // All 64 bits are there already, the sign among them.
        Kind::Int8 => joined,
        _ => op(&joined, "-", &format!("{}::pg_catalog.int8", 1_u64 << (2 * half - 1))),
    };
    site.typed(&signed)
}
