//! The text form of `search_path`, read as PostgreSQL's `SplitIdentifierString` reads it.

/// PostgreSQL's `NAMEDATALEN` less one.
const NAME_BYTES: usize = 63;

/// A name, cut as PostgreSQL cuts it: to 63 bytes, not within a character.
pub fn cut(mut name: String) -> String {
    if name.len() > NAME_BYTES {
        let mut end = NAME_BYTES;
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
    }
    name
}

/// The entries of a list of names; `None` where PostgreSQL says that its syntax is invalid.
pub fn split(text: &str) -> Option<Vec<String>> {
    let space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c');
    let mut rest = text.trim_start_matches(space);
    let mut names = Vec::new();
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_name(quoted)?,
            None => {
                let end = rest.find(|c| c == ',' || space(c)).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                if word.is_empty() {
                    return None;
                }
                (word.to_ascii_lowercase(), after)
            }
        };
        names.push(cut(name));
        rest = after.trim_start_matches(space);
        match rest.strip_prefix(',') {
            Some(next) => rest = next.trim_start_matches(space),
            None if rest.is_empty() => return Some(names),
            None => return None,
        }
    }
}

fn quoted_name(quoted: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names() {
        let cases: [(&str, Option<&[&str]>); 11] = [
            ("", Some(&[])),
            ("  ", Some(&[])),
            ("\"$user\", public", Some(&["$user", "public"])),
            ("A,b ,\"C\"", Some(&["a", "b", "C"])),
            ("\"a\"\"b\"", Some(&["a\"b"])),
            ("\"\"", Some(&[""])),
            ("a,", None),
            (",a", None),
            ("a b", None),
            ("\"a", None),
            ("\"a\"b", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|names| names.iter().map(|n| n.to_string()).collect::<Vec<_>>());
            assert_eq!(split(text), expected, "{text:?}");
        }
    }

    #[test]
    fn names_are_cut_between_characters() {
        assert_eq!(cut("x".repeat(70)).len(), 63);
        assert_eq!(cut("é".repeat(40)), "é".repeat(31));
    }
}
