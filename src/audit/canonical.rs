//! JSON as the audit writes it: fields in the order given, no white space, one spelling for each
//! value.
//!
//! Every text goes through one escaper, so that a record is always one line of valid UTF-8 that a
//! terminal may show: control characters, line separators, bidirectional controls and invisible
//! characters stand as `\uXXXX`. Knows no event and no chain.

use uuid::Uuid;

/// How many characters of a text that a client wrote are kept.
pub(super) const CLIENT_TEXT_CHARS: usize = 256;

/// Writes the fields of one object, without its braces.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Fields<'a> {
    /// Fields that follow others: each starts with a comma.
    pub(super) fn following(out: &'a mut Vec<u8>) -> Self {
        Self { out, first: false }
    }

    /// A key is a word of ours: there is nothing in it to escape.
    fn key(&mut self, key: &'static str) {
        self.out.extend_from_slice(if self.first { b"\"" } else { b",\"" });
        self.first = false;
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// `"key":"text"`, of which at most `limit` characters are kept.
    pub(super) fn bounded(&mut self, key: &'static str, text: &str, limit: usize) {
        self.key(key);
        quoted(self.out, text, limit);
    }

    /// `"key":"text"`, or `null`, of which at most `limit` characters are kept.
    pub(super) fn bounded_or_null(&mut self, key: &'static str, text: Option<&str>, limit: usize) {
        match text {
            Some(text) => self.bounded(key, text, limit),
            None => self.null(key),
        }
    }

    /// `"key":"text"`, whole: for what we wrote ourselves.
    pub(super) fn text(&mut self, key: &'static str, text: &str) {
        self.bounded(key, text, usize::MAX);
    }

    /// `"key":"text"`, or `null`.
    pub(super) fn text_or_null(&mut self, key: &'static str, text: Option<&str>) {
        self.bounded_or_null(key, text, usize::MAX);
    }

    /// `"key":17`
    pub(super) fn number(&mut self, key: &'static str, number: u64) {
        self.key(key);
        decimal(self.out, number);
    }

    /// `"key":17`, or `null`.
    pub(super) fn number_or_null(&mut self, key: &'static str, number: Option<u64>) {
        match number {
            Some(number) => self.number(key, number),
            None => self.null(key),
        }
    }

    /// `"key":true`
    pub(super) fn truth(&mut self, key: &'static str, truth: bool) {
        self.key(key);
        self.out.extend_from_slice(if truth { b"true" } else { b"false" });
    }

    /// `"key":"<id>"`
    pub(super) fn id(&mut self, key: &'static str, id: Uuid) {
        self.key(key);
        self.out.push(b'"');
        let mut digits = [0; uuid::fmt::Hyphenated::LENGTH];
        self.out
            .extend_from_slice(id.hyphenated().encode_lower(&mut digits).as_bytes());
        self.out.push(b'"');
    }

    /// Fields that were written before, each with a comma before it.
    pub(super) fn written(&mut self, fields: &[u8]) {
        self.out.extend_from_slice(fields);
    }

    /// `"key":null`
    pub(super) fn null(&mut self, key: &'static str) {
        self.key(key);
        self.out.extend_from_slice(b"null");
    }

    /// `"key":{…}`
    pub(super) fn object(&mut self, key: &'static str, fill: impl FnOnce(&mut Fields<'_>)) {
        self.key(key);
        braces(self.out, fill);
    }

    /// `"key":[{…},{…}]`
    pub(super) fn objects<T>(
        &mut self,
        key: &'static str,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Fields<'_>, T),
    ) {
        self.key(key);
        self.out.push(b'[');
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            braces(self.out, |fields| fill(fields, item));
        }
        self.out.push(b']');
    }

    /// `"key":["…","…"]`
    pub(super) fn texts<'t>(&mut self, key: &'static str, items: impl IntoIterator<Item = &'t str>) {
        self.key(key);
        self.out.push(b'[');
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            quoted(self.out, item, usize::MAX);
        }
        self.out.push(b']');
    }
}

fn braces(out: &mut Vec<u8>, fill: impl FnOnce(&mut Fields<'_>)) {
    out.push(b'{');
    fill(&mut Fields { out, first: true });
    out.push(b'}');
}

/// Writes a JSON string of at most `limit` characters of `text`; `…` stands for what was cut off.
fn quoted(out: &mut Vec<u8>, text: &str, limit: usize) {
    out.push(b'"');
    if text.len() <= limit && is_all_plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    // What needs no escape is copied in runs.
    let mut copied = 0;
    let mut copy_to = |out: &mut Vec<u8>, end: usize, next: usize| {
        out.extend_from_slice(text.get(copied..end).unwrap_or_default().as_bytes());
        copied = next;
    };
    for (i, (at, c)) in text.char_indices().enumerate() {
        if i == limit {
            copy_to(out, at, text.len());
            out.extend_from_slice("…".as_bytes());
            break;
        }
        if matches!(c, '"' | '\\') {
            copy_to(out, at, at);
            out.push(b'\\');
        } else if is_unprintable(c) {
            copy_to(out, at, at + c.len_utf8());
            escape(out, c);
        }
    }
    copy_to(out, text.len(), text.len());
    out.push(b'"');
}

/// Of printable ASCII characters that stand for themselves. Looks at blocks whole: that is faster than a look at
/// each byte before the next.
fn is_all_plain(text: &[u8]) -> bool {
    text.chunks(32)
        .all(|block| block.iter().fold(true, |plain, &byte| plain & is_plain(byte)))
}

/// A printable ASCII character that stands for itself.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// Writes a number.
pub(super) fn decimal(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut left = number;
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
        used += 1;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

fn escape(out: &mut Vec<u8>, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
    }
}

/// Whether a terminal, or a reader of lines, could take `c` for something else than a sign.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str, limit: usize) -> String {
        let mut out = Vec::new();
        quoted(&mut out, text, limit);
        String::from_utf8(out).expect("always UTF-8")
    }

    #[test]
    fn every_character_survives_and_none_harms_a_terminal() {
        let all: String = (0..=0x10ffff_u32).filter_map(char::from_u32).collect();
        let written = json(&all, usize::MAX);
        assert!(!written.chars().any(is_unprintable));
        assert_eq!(serde_json::from_str::<String>(&written).expect("valid JSON"), all);
    }

    #[test]
    fn hostile_texts() {
        for (text, expected) in [
            ("a\nb\u{1b}[2J", r#""a\u000ab\u001b[2J""#),
            (r#"","hash":""#, r#""\",\"hash\":\"""#),
            ("\u{202e}gpj.exe\u{2028}", r#""\u202egpj.exe\u2028""#),
            ("\\u0000", r#""\\u0000""#),
            ("\u{e0041}", r#""\udb40\udc41""#),
            ("Zoë 🙂", "\"Zoë 🙂\""),
        ] {
            assert_eq!(json(text, usize::MAX), expected);
        }
    }

    #[test]
    fn a_bound_counts_characters_and_shows_the_cut() {
        assert_eq!(json("ääää", 4), "\"ääää\"");
        assert_eq!(json("äääää", 4), "\"ääää…\"");
        assert_eq!(json("", 4), "\"\"");
    }

    #[test]
    fn numbers() {
        for number in [0, 1, 9, 10, 12_345, u64::MAX] {
            let mut out = Vec::new();
            decimal(&mut out, number);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }

    #[test]
    fn nested_values() {
        let mut out = b"{\"seq\":1".to_vec();
        let mut fields = Fields::following(&mut out);
        fields.text_or_null("a", None);
        fields.number_or_null("n", Some(3));
        fields.object("o", |o| {
            o.truth("t", true);
            o.null("x");
        });
        fields.objects("l", [1, 2], |o, i| o.number("i", i));
        fields.texts("s", ["p", "q"]);
        out.push(b'}');
        assert_eq!(
            String::from_utf8(out).expect("UTF-8"),
            r#"{"seq":1,"a":null,"n":3,"o":{"t":true,"x":null},"l":[{"i":1},{"i":2}],"s":["p","q"]}"#
        );
    }
}
