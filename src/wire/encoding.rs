//! In which encoding a client's texts come and go: UTF-8, one of PostgreSQL's encodings of one byte a character, or
//! another, of which only ASCII is read.
//!
//! PostgreSQL converts; what passes through here undecoded, parameters and results, is its own business. Texts of
//! statements and names are read here, so they must be read as PostgreSQL reads them, and be sent back in the same bytes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use super::Malformed;

/// An encoding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// What all is here.
    #[default]
    Utf8,
    /// One byte, one character.
    SingleByte(&'static Table),
    /// Another. All that PostgreSQL knows read ASCII alike.
    Other,
}

/// What the bytes of an encoding stand for.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    names: Vec<&'static str>,
    /// Of the bytes from 128 on.
    characters: HashMap<u8, char>,
    bytes: HashMap<char, u8>,
}

static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| read(include_str!("encodings.txt")));

/// Characters beyond ASCII begin here.
const ASCII: u8 = 0x80;

impl Encoding {
    /// The encoding of a client's texts, by the names that client and server have for theirs. Where PostgreSQL converts
    /// between two that are both not UTF-8, or cannot convert, nothing is known of it here.
    pub fn of(client: &str, server: &str) -> Self {
        let (client, server) = (cleaned(client), cleaned(server));
        // As a client's encoding it means no conversion: the server's own.
        let client = if client == "sqlascii" { &server } else { &client };
        match named(client) {
            Self::SingleByte(table) if named(&server) == Self::Utf8 || *client == server => Self::SingleByte(table),
            Self::SingleByte(_) | Self::Other => Self::Other,
            Self::Utf8 => Self::Utf8,
        }
    }

    /// A client's bytes as text.
    ///
    /// # Errors
    /// They stand for nothing, or are not read here.
    pub fn decode(self, bytes: &[u8]) -> Result<Cow<'_, str>, Malformed> {
        match (self, std::str::from_utf8(bytes)) {
            (_, Ok(text)) if text.is_ascii() => Ok(text.into()),
            (Self::Utf8, text) => text.map(Cow::from).map_err(|_| Malformed::Encoding),
            (Self::SingleByte(table), _) => bytes
                .iter()
                .map(|byte| table.character(*byte))
                .collect::<Option<String>>()
                .map(Cow::from)
                .ok_or(Malformed::NoEquivalent),
            (Self::Other, _) => Err(Malformed::NotRead),
        }
    }

    /// A text in this encoding; none: it has characters that are not in it, or not known to be.
    pub fn encode(self, text: &str) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Utf8 => Some(text.as_bytes().into()),
            Self::SingleByte(_) | Self::Other if text.is_ascii() => Some(text.as_bytes().into()),
            Self::SingleByte(table) => text
                .chars()
                .map(|c| table.byte(c))
                .collect::<Option<Vec<u8>>>()
                .map(Cow::from),
            Self::Other => None,
        }
    }

    /// A text in this encoding, with `?` for what is not in it.
    pub fn encode_most(self, text: &str) -> Cow<'_, [u8]> {
        self.encode(text).unwrap_or_else(|| {
            let one = |c: char| {
                self.encode(c.encode_utf8(&mut [0; 4]))
                    .and_then(|bytes| bytes.first().copied())
            };
            text.chars().map(|c| one(c).unwrap_or(b'?')).collect::<Vec<u8>>().into()
        })
    }

    /// The server's words, with a replacement character for what is not read.
    pub fn decode_most(self, bytes: &[u8]) -> Cow<'_, str> {
        self.decode(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes))
    }
}

impl Table {
    fn character(&self, byte: u8) -> Option<char> {
        if byte < ASCII {
            Some(char::from(byte))
        } else {
            self.characters.get(&byte).copied()
        }
    }

    fn byte(&self, character: char) -> Option<u8> {
        match u8::try_from(character) {
            Ok(byte) if byte < ASCII => Some(byte),
            Ok(_) | Err(_) => self.bytes.get(&character).copied(),
        }
    }
}

/// By a cleaned name.
fn named(name: &str) -> Encoding {
    match name {
        "utf8" | "unicode" => Encoding::Utf8,
        name => TABLES
            .iter()
            .find(|table| table.names.contains(&name))
            .map_or(Encoding::Other, Encoding::SingleByte),
    }
}

/// `clean_encoding_name`: lower case, without what is neither letter nor digit.
fn cleaned(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// A line of names, then indented lines of what bytes stand for. What is not of that form is left out, and so stands
/// for nothing.
fn read(text: &'static str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        match (line.strip_prefix("  "), tables.last_mut()) {
            (None, _) => tables.push(Table {
                names: line.split_whitespace().collect(),
                characters: HashMap::new(),
                bytes: HashMap::new(),
            }),
            (Some(runs), Some(table)) => {
                let pairs = runs.split_whitespace().filter_map(run).flatten();
                for (byte, character) in pairs {
                    table.characters.insert(byte, character);
                    table.bytes.insert(character, byte);
                }
            }
            (Some(_), None) => {}
        }
    }
    tables
}

/// `a1-ac:401`, or `a1:401`.
fn run(text: &str) -> Option<impl Iterator<Item = (u8, char)>> {
    let (bytes, first) = text.split_once(':')?;
    let (from, to) = bytes.split_once('-').unwrap_or((bytes, bytes));
    let number = |text: &str| u8::from_str_radix(text, 16).ok();
    let first = char::from_u32(u32::from_str_radix(first, 16).ok()?)?;
    Some((number(from)?..=number(to)?).zip(first..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_postgresqls_and_conversions_that_are_not_known_are_left() {
        let is_table = |client: &str, server: &str| matches!(Encoding::of(client, server), Encoding::SingleByte(_));
        assert!(
            ["LATIN1", "iso-8859-15", "'Windows 1252'", "KOI8", "Win1251"]
                .iter()
                .all(|name| is_table(name, "UTF8"))
        );
        assert!(is_table("LATIN1", "LATIN1") && is_table("SQL_ASCII", "LATIN2"));
        assert_eq!(Encoding::of("SQL_ASCII", "UTF8"), Encoding::Utf8);
        assert_eq!(Encoding::of("utf-8", "SJIS"), Encoding::Utf8);
        for (client, server) in [
            ("SJIS", "UTF8"),
            ("KOI8R", "WIN1251"),
            ("LATIN1", "SQL_ASCII"),
            ("", "UTF8"),
        ] {
            assert_eq!(Encoding::of(client, server), Encoding::Other, "{client} {server}");
        }
    }

    #[test]
    fn what_is_read_goes_out_in_the_same_bytes() {
        for table in TABLES.iter() {
            let encoding = Encoding::SingleByte(table);
            assert_eq!(table.characters.len(), table.bytes.len(), "{:?}", table.names);
            assert!(table.characters.len() >= 80, "{:?}", table.names);
            for byte in 0..=255 {
                if let Ok(text) = encoding.decode(&[byte]) {
                    assert_eq!(encoding.encode(&text).as_deref(), Some(&[byte][..]));
                }
            }
        }
    }

    #[test]
    fn what_is_not_in_an_encoding_is_told_with_a_question_mark_and_never_sent() {
        let latin9 = Encoding::of("LATIN9", "UTF8");
        assert_eq!(latin9.decode(b"a\xa4"), Ok("a€".into()));
        assert_eq!(latin9.encode("a€").as_deref(), Some(&b"a\xa4"[..]));
        assert_eq!(latin9.encode("a¤"), None);
        assert_eq!(&*latin9.encode_most("¤€"), b"?\xa4");
        assert_eq!(
            Encoding::of("WIN1252", "UTF8").decode(b"\x81"),
            Err(Malformed::NoEquivalent)
        );
        assert_eq!(Encoding::Other.decode("é".as_bytes()), Err(Malformed::NotRead));
        assert_eq!(
            (Encoding::Other.encode("é"), &*Encoding::Other.encode_most("é")),
            (None, &b"?"[..])
        );
        assert_eq!(Encoding::Utf8.decode_most(b"\xff"), "\u{fffd}");
    }
}
