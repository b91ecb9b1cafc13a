//! The data subjects that a statement names, as the audit may know them: keyed hashes, made here of values
//! that are kept nowhere.

use crate::audit::SubjectHash;
use crate::pipeline::{KeySpelling, SubjectPin};
use crate::sql::lexer::{self, TokenKind};
use crate::wire::frontend::Bind;

/// Of the values at these places of `text`, parameters out of `bind`. What cannot be read as a key is left out.
pub fn hashes(pins: &[SubjectPin], text: &str, bind: Option<&Bind>, key: &[u8]) -> Vec<SubjectHash> {
    if pins.is_empty() {
        return Vec::new();
    }
    let Ok(tokens) = lexer::significant(text) else {
        return Vec::new();
    };
    let hash = |pin: &SubjectPin| {
        let token = tokens.get(pin.token)?;
        let spelt = token.text(text);
        let value = match token.kind {
            TokenKind::Number => spelt.to_owned(),
            TokenKind::String => constant(spelt)?,
            TokenKind::Parameter => parameter(pin.spelling, spelt.strip_prefix('$')?.parse().ok()?, bind?)?,
            _ => return None,
        };
        let value = match pin.spelling {
            KeySpelling::Integer => value.trim().parse::<i64>().ok()?.to_string(),
            KeySpelling::Uuid => uuid::Uuid::try_parse(value.trim()).ok()?.to_string(),
            KeySpelling::Text => value,
        };
        Some(SubjectHash::new(key, &format!("{}{value}", pin.prefix)))
    };
    let mut hashes: Vec<SubjectHash> = pins.iter().filter_map(hash).collect();
    hashes.dedup();
    hashes
}

/// The text of `'…'`; none where the constant goes on on another line.
fn constant(spelt: &str) -> Option<String> {
    let inner = spelt.strip_prefix('\'')?.strip_suffix('\'')?;
    let quotes = inner.matches('\'').count();
    (quotes == 2 * inner.matches("''").count()).then(|| inner.replace("''", "'"))
}

/// The text of the n-th parameter, from 1, whichever format it came in.
fn parameter(spelling: KeySpelling, number: usize, bind: &Bind) -> Option<String> {
    let index = number.checked_sub(1)?;
    let value = bind.values.get(index)?.as_ref()?;
    if bind.format(index) == 0 || spelling == KeySpelling::Text {
        return String::from_utf8(value.to_vec()).ok();
    }
    match (spelling, value.as_ref()) {
        (KeySpelling::Integer, &[a, b]) => Some(i16::from_be_bytes([a, b]).to_string()),
        (KeySpelling::Integer, &[a, b, c, d]) => Some(i32::from_be_bytes([a, b, c, d]).to_string()),
        (KeySpelling::Integer, bytes) => Some(i64::from_be_bytes(bytes.try_into().ok()?).to_string()),
        (KeySpelling::Uuid, bytes) => Some(uuid::Uuid::from_slice(bytes).ok()?.to_string()),
        (KeySpelling::Text, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(token: usize, spelling: KeySpelling) -> SubjectPin {
        SubjectPin {
            prefix: "s.people:".into(),
            token,
            spelling,
        }
    }

    fn bind(format: i16, value: &'static [u8]) -> Bind {
        Bind {
            portal: String::new(),
            statement: String::new(),
            formats: vec![format],
            values: vec![Some(bytes::Bytes::from_static(value))],
            rest: bytes::Bytes::new(),
        }
    }

    #[test]
    fn constants_and_parameters_of_either_format_give_the_hash_of_the_key() {
        let expected = vec![SubjectHash::new(b"k", "s.people:42")];
        let integer = [pin(2, KeySpelling::Integer)];
        assert_eq!(hashes(&integer, "id = 42", None, b"k"), expected);
        assert_eq!(hashes(&integer, "id = '42'", None, b"k"), expected);
        for parameter in [
            bind(0, b"42"),
            bind(1, b"\0*"),
            bind(1, b"\0\0\0*"),
            bind(1, b"\0\0\0\0\0\0\0*"),
        ] {
            assert_eq!(hashes(&integer, "id = $1", Some(&parameter), b"k"), expected);
        }
        let text = [pin(2, KeySpelling::Text)];
        assert_eq!(hashes(&text, "id = '42'", None, b"k"), expected);
        assert_ne!(hashes(&text, "id = '042'", None, b"k"), expected);
        let id = uuid::Uuid::from_u128(7);
        let uuid = [pin(2, KeySpelling::Uuid)];
        let expected = vec![SubjectHash::new(b"k", &format!("s.people:{id}"))];
        assert_eq!(hashes(&uuid, &format!("id = '{}'", id.simple()), None, b"k"), expected);
    }

    #[test]
    fn what_is_no_key_is_left_out() {
        let integer = [pin(2, KeySpelling::Integer), pin(9, KeySpelling::Integer)];
        for text in ["id = 'x'", "id = $1", "id = other", "id = 4.5"] {
            assert_eq!(hashes(&integer, text, None, b"k"), [], "{text}");
        }
        assert_eq!(hashes(&integer, "id = $1", Some(&bind(1, b"\0\0\0")), b"k"), []);
    }
}
