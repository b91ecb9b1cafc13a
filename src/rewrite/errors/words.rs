//! The words that a client's own text holds, and so may be shown to it.
//!
//! A scanner that cannot fail: an error's text is rebuilt also where the statement is broken. It
//! only ever widens what is shown by pieces of the client's own text.

use std::collections::HashSet;
use std::sync::OnceLock;

use super::Known;
use super::template::Placeholder;

const OWN_WORDS: &str = include_str!("words.txt");

const OPERATOR_CHARACTERS: &str = "+-*/<>=~!@#%^&|`?";

/// PostgreSQL cuts names to this many bytes.
const LONGEST_NAME: usize = 63;

pub(super) struct Words(HashSet<String>);

impl Words {
    /// Tokens of the statement, as written and as PostgreSQL reads them, and the other names.
    pub(super) fn of(known: &Known<'_>) -> Self {
        let mut words = Self(HashSet::new());
        for name in known.names {
            words.0.insert((*name).to_owned());
        }
        let mut rest = known.statement;
        while let Some(after) = words.take_token(rest) {
            rest = after;
        }
        words
    }

    /// The content as it may be shown: `None` where nothing of it may.
    pub(super) fn shown(&self, placeholder: Placeholder, content: &str) -> Option<String> {
        match placeholder {
            Placeholder::Quoted => self.knows(placeholder, content).then(|| content.to_owned()),
            Placeholder::Words => self.shown_words(content),
            Placeholder::Count => Some(content.to_owned()),
        }
    }

    /// Whether all of the content may be shown.
    pub(super) fn knows(&self, placeholder: Placeholder, content: &str) -> bool {
        match placeholder {
            Placeholder::Quoted => {
                self.has(content) || is_type(content) || content.split('.').all(|part| self.has(part))
            }
            Placeholder::Words => self.shown_words(content).as_deref() == Some(content),
            Placeholder::Count => true,
        }
    }

    fn has(&self, word: &str) -> bool {
        self.0.contains(word)
    }

    /// Word by word: names, operators and numbers of the client's, words of PostgreSQL's own.
    fn shown_words(&self, content: &str) -> Option<String> {
        let mut out = String::new();
        let mut rest = content;
        while let Some(c) = rest.chars().next() {
            let end = match c {
                '"' => rest
                    .char_indices()
                    .skip(1)
                    .find(|(_, c)| *c == '"')
                    .map(|(i, _)| i + 1)?,
                c if is_name_character(c) => run(rest, is_name_character),
                c if OPERATOR_CHARACTERS.contains(c) => run(rest, |c| OPERATOR_CHARACTERS.contains(c)),
                ' ' | '(' | ')' | '[' | ']' | ',' | '.' | '\'' => c.len_utf8(),
                _ => return None,
            };
            let (word, after) = rest.split_at_checked(end)?;
            let is_separator = matches!(c, ' ' | '(' | ')' | '[' | ']' | ',' | '.' | '\'');
            let unquoted = word.trim_matches('"');
            if is_separator || self.has(unquoted) || is_own(word) {
                out.push_str(word);
            } else {
                out.push('…');
            }
            rest = after;
        }
        Some(out)
    }

    /// Takes the first token off; `None` at the end.
    fn take_token<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let first = text.chars().next()?;
        let end = match first {
            c if c.is_whitespace() => run(text, char::is_whitespace),
            '-' if text.starts_with("--") => text.find(['\n', '\r']).unwrap_or(text.len()),
            '/' if text.starts_with("/*") => self.comment_end(text),
            '\'' | '"' => self.add_delimited(text, first),
            '$' => self.add_dollar(text),
            c if is_name_character(c) => self.add_name(text),
            c if OPERATOR_CHARACTERS.contains(c) => {
                let end = run(text, |c| OPERATOR_CHARACTERS.contains(c));
                self.add(text.get(..end));
                end
            }
            c => {
                self.add(text.get(..c.len_utf8()));
                c.len_utf8()
            }
        };
        text.get(end..)
    }

    fn add(&mut self, word: Option<&str>) {
        if let Some(word) = word {
            self.0.insert(word.to_owned());
        }
    }

    /// As written, folded, and cut.
    fn add_name(&mut self, text: &str) -> usize {
        let end = run(text, is_name_character);
        if let Some(name) = text.get(..end) {
            self.add(Some(name));
            let folded = name.to_ascii_lowercase();
            self.add(Some(cut(&folded)));
            self.add(Some(&folded));
        }
        end
    }

    /// A string constant or quoted name: as written, its content, and the content cut.
    fn add_delimited(&mut self, text: &str, mark: char) -> usize {
        let mut content = String::new();
        let mut characters = text.char_indices().skip(1).peekable();
        let mut end = text.len();
        while let Some((i, c)) = characters.next() {
            if c == mark {
                match characters.peek() {
                    Some((_, next)) if *next == mark => {
                        characters.next();
                    }
                    Some(_) | None => {
                        end = i + 1;
                        break;
                    }
                }
            }
            content.push(c);
        }
        self.add(text.get(..end));
        self.add(Some(cut(&content)));
        self.add(Some(&content));
        end
    }

    /// `$1`, or a dollar-quoted string.
    fn add_dollar(&mut self, text: &str) -> usize {
        let tag_end = text
            .char_indices()
            .skip(1)
            .find(|(_, c)| !is_name_character(*c) || *c == '$');
        if let Some((i, '$')) = tag_end
            && let Some((tag, inside)) = text.split_at_checked(i + 1)
            && !tag
                .get(1..2)
                .is_some_and(|c| c.starts_with(|c: char| c.is_ascii_digit()))
        {
            let content = inside.split(tag).next().unwrap_or(inside);
            self.add(Some(content));
            return (tag.len() * 2 + content.len()).min(text.len());
        }
        let end = run(text, is_name_character);
        self.add(text.get(..end));
        end
    }

    /// Comments nest; one without an end is shown as the client wrote it.
    fn comment_end(&mut self, text: &str) -> usize {
        let mut depth = 0_usize;
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            if rest.starts_with("/*") {
                depth += 1;
                at += 2;
            } else if rest.starts_with("*/") {
                depth = depth.saturating_sub(1);
                at += 2;
                if depth == 0 {
                    return at;
                }
            } else {
                at += rest.chars().next().map_or(1, char::len_utf8);
            }
        }
        self.add(Some(text));
        text.len()
    }
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

/// The length of the run of such characters at the start.
fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// As PostgreSQL cuts a name: whole characters, at most 63 bytes.
fn cut(name: &str) -> &str {
    let mut end = LONGEST_NAME.min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or(name)
}

/// PostgreSQL's own words, and its keywords where they are written large, as its messages do.
fn is_own(word: &str) -> bool {
    let is_large = word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    own_words().contains(word) || (is_large && crate::rewrite::quote::is_keyword(&word.to_ascii_lowercase()))
}

fn is_type(word: &str) -> bool {
    !word.is_empty() && word.split(' ').all(|part| own_words().contains(part))
}

fn own_words() -> &'static HashSet<&'static str> {
    static SET: OnceLock<HashSet<&'static str>> = OnceLock::new();
    SET.get_or_init(|| {
        let lines = OWN_WORDS.lines().filter(|line| !line.starts_with("# "));
        lines.flat_map(str::split_whitespace).collect()
    })
}
