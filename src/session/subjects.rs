//! The data subjects that a statement names, as the audit may know them: keyed hashes, made here of values
//! that are kept nowhere.

use crate::audit::{SubjectHash, SubjectKey};
use crate::pipeline::{KeySpelling, PinnedValue, SubjectPin};
use crate::sql::lexer::{Lexer, TokenKind};
use crate::wire::frontend::Bind;

/// Of the values at these places of `text`, parameters out of `bind`. What cannot be read as a key is left out.
pub fn hashes(pins: &[SubjectPin], text: &str, bind: Option<&Bind>, key: &SubjectKey) -> Vec<SubjectHash> {
    let hash = |pin: &SubjectPin| {
        let value = match pin.value {
            PinnedValue::Token(index) => constant(text, index)?,
            PinnedValue::Parameter(number) => parameter(pin.spelling, number, bind?)?,
        };
        let value = match pin.spelling {
            KeySpelling::Integer => value.trim().parse::<i64>().ok()?.to_string(),
            KeySpelling::Uuid => uuid::Uuid::try_parse(value.trim()).ok()?.to_string(),
            KeySpelling::Text => value,
        };
        Some(key.hash(&format!("{}{value}", pin.prefix)))
    };
    let mut hashes: Vec<SubjectHash> = pins.iter().filter_map(hash).collect();
    hashes.dedup();
    hashes
}

/// The value of that token, if it is a constant.
fn constant(text: &str, index: usize) -> Option<String> {
    let tokens = Lexer::new(text).filter_map(Result::ok);
    let token = tokens.filter(|token| !token.kind.is_comment()).nth(index)?;
    let spelt = token.text(text);
    match token.kind {
        TokenKind::Number => Some(spelt.to_owned()),
        TokenKind::String => unquoted(spelt),
        _ => None,
    }
}

/// The text of `'…'`; none where the constant goes on on another line.
fn unquoted(spelt: &str) -> Option<String> {
    let inner = spelt.strip_prefix('\'')?.strip_suffix('\'')?;
    let quotes = inner.matches('\'').count();
    (quotes == 2 * inner.matches("''").count()).then(|| inner.replace("''", "'"))
}

/// The text of the n-th parameter, from 1, whichever format it came in.
fn parameter(spelling: KeySpelling, number: usize, bind: &Bind) -> Option<String> {
    let index = number.checked_sub(1)?;
    let value = bind.values.get(index)?.as_ref()?;
    if bind.format(index) == 0 || spelling == KeySpelling::Text {
        return bind.text(index);
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

    fn pin(value: PinnedValue, spelling: KeySpelling) -> SubjectPin {
        SubjectPin {
            prefix: "s.people:".into(),
            value,
            spelling,
        }
    }

    fn bind(format: i16, value: &'static [u8]) -> Bind {
        Bind {
            portal: String::new(),
            statement: String::new(),
            formats: vec![format],
            values: vec![Some(bytes::Bytes::from_static(value))],
            encoding: crate::wire::Encoding::Utf8,
            rest: bytes::Bytes::new(),
        }
    }

    fn found(pins: &[SubjectPin], text: &str, bind: Option<&Bind>) -> Vec<SubjectHash> {
        hashes(pins, text, bind, &SubjectKey::new(b"k"))
    }

    fn hash(subject: &str) -> Vec<SubjectHash> {
        vec![SubjectKey::new(b"k").hash(subject)]
    }

    #[test]
    fn constants_and_parameters_of_either_format_give_the_hash_of_the_key() {
        let place = PinnedValue::Token(2);
        let expected = hash("s.people:42");
        for text in ["id = 42", "id = '42'", "id /* x */ = '42'"] {
            assert_eq!(found(&[pin(place, KeySpelling::Integer)], text, None), expected);
        }
        let parameter = [pin(PinnedValue::Parameter(1), KeySpelling::Integer)];
        for bound in [
            bind(0, b"42"),
            bind(1, b"\0*"),
            bind(1, b"\0\0\0*"),
            bind(1, b"\0\0\0\0\0\0\0*"),
        ] {
            assert_eq!(found(&parameter, "id = $1", Some(&bound)), expected);
        }
        let text = [pin(place, KeySpelling::Text)];
        assert_eq!(found(&text, "id = '42'", None), expected);
        assert_ne!(found(&text, "id = '042'", None), expected);
        let id = uuid::Uuid::from_u128(7);
        let uuid = [pin(place, KeySpelling::Uuid)];
        let spelt = format!("id = '{}'", id.simple());
        assert_eq!(found(&uuid, &spelt, None), hash(&format!("s.people:{id}")));
    }

    #[test]
    fn what_is_no_key_is_left_out() {
        let places = [PinnedValue::Token(2), PinnedValue::Token(9), PinnedValue::Parameter(2)];
        let pins = places.map(|place| pin(place, KeySpelling::Integer));
        for text in ["id = 'x'", "id = $1", "id = other", "id = 4.5"] {
            assert_eq!(found(&pins, text, Some(&bind(0, b"42"))), [], "{text}");
        }
        let parameter = [pin(PinnedValue::Parameter(1), KeySpelling::Integer)];
        assert_eq!(found(&parameter, "id = $1", Some(&bind(1, b"\0\0\0"))), []);
        assert_eq!(found(&parameter, "id = $1", None), []);
    }
}
