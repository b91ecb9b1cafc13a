//! Names, literals and type names as SQL text.
//!
//! Assumes `standard_conforming_strings = on` (the session pins it). Knows no statement.

use std::collections::HashSet;
use std::sync::OnceLock;

use crate::catalog::QualifiedName;

/// Every keyword of PostgreSQL 15 to 18, reserved or not.
const KEYWORDS: &str = include_str!("quote/keywords.txt");

/// First words of the types that the grammar itself knows: it resolves them to `pg_catalog`,
/// whatever the search_path says.
const GRAMMAR_TYPES: [&str; 16] = [
    "bigint",
    "bit",
    "boolean",
    "char",
    "character",
    "dec",
    "decimal",
    "double",
    "float",
    "integer",
    "interval",
    "numeric",
    "real",
    "smallint",
    "time",
    "timestamp",
];

/// `name` as an identifier: as it is where that is safe, else in double quotes.
pub fn ident(name: &str) -> String {
    if is_plain(name) {
        return name.to_owned();
    }
    delimited(name, '"')
}

/// `text` as a string constant.
pub fn literal(text: &str) -> String {
    delimited(text, '\'')
}

/// `texts` as a constant array, `ARRAY['a', 'b']::pg_catalog.text[]`.
pub fn text_array<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let items: Vec<String> = texts.into_iter().map(literal).collect();
    format!("ARRAY[{}]::pg_catalog.text[]", items.join(", "))
}

/// `schema.name`, each quoted where it needs it.
pub fn qualified(name: &QualifiedName) -> String {
    format!("{}.{}", ident(&name.schema), ident(&name.name))
}

/// A type as `format_type` printed it under an empty search_path, with `pg_catalog.` where it
/// would otherwise be looked up along the session's search_path.
pub fn type_name(type_sql: &str) -> String {
    let first_end = identifier_end(type_sql);
    let (first, rest) = type_sql.split_at_checked(first_end).unwrap_or((type_sql, ""));
    if rest.starts_with('.') || GRAMMAR_TYPES.contains(&first) {
        return type_sql.to_owned();
    }
    format!("pg_catalog.{type_sql}")
}

/// Where the first identifier, quoted or not, of `text` ends.
fn identifier_end(text: &str) -> usize {
    if text.starts_with('"') {
        let mut inside = true;
        for (i, c) in text.char_indices().skip(1) {
            match c {
                '"' => inside = !inside,
                _ if !inside => return i,
                _ => {}
            }
        }
        return text.len();
    }
    text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .unwrap_or(text.len())
}

fn is_plain(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !is_keyword(name)
}

/// Whether the word, in small letters, is a keyword of any kind.
pub(super) fn is_keyword(word: &str) -> bool {
    static SET: OnceLock<HashSet<&'static str>> = OnceLock::new();
    SET.get_or_init(|| KEYWORDS.lines().collect()).contains(word)
}

/// In `mark`s, inner ones doubled. NUL, which would end the message on the wire and which no name
/// or value in PostgreSQL can hold, becomes U+FFFD, which matches nothing that was meant.
fn delimited(text: &str, mark: char) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(mark);
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{FFFD}'),
            c if c == mark => {
                out.push(mark);
                out.push(mark);
            }
            c => out.push(c),
        }
    }
    out.push(mark);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_quoted_unless_plain() {
        for (name, sql) in [
            ("email", "email"),
            ("_x1", "_x1"),
            ("Email", "\"Email\""),
            ("1st", "\"1st\""),
            ("a b", "\"a b\""),
            ("a\"b", "\"a\"\"b\""),
            ("", "\"\""),
            ("user", "\"user\""),
            ("select", "\"select\""),
            ("name", "\"name\""),
            ("json_table", "\"json_table\""),
            ("größe", "\"größe\""),
            ("a$b", "\"a$b\""),
            ("x\0y", "\"x\u{FFFD}y\""),
        ] {
            assert_eq!(ident(name), sql);
        }
    }

    #[test]
    fn literals_double_quotes_and_leave_backslashes() {
        for (text, sql) in [
            ("", "''"),
            ("it's", "'it''s'"),
            ("'", "''''"),
            ("\\' OR 1=1 --", "'\\'' OR 1=1 --'"),
            ("a\0b", "'a\u{FFFD}b'"),
        ] {
            assert_eq!(literal(text), sql);
        }
    }

    #[test]
    fn literals_are_one_constant_to_postgres() {
        for text in ["\\'; SELECT 1 --", "a\nb", "$$", "/*", "''", "\\"] {
            let sql = format!("SELECT {}", literal(text));
            let tokens = pg_query::scan(&sql).expect("scans").tokens;
            assert_eq!(tokens.len(), 2, "{sql}");
        }
    }

    #[test]
    fn qualified_names_quote_each_part() {
        assert_eq!(qualified(&QualifiedName::new("Care", "order")), "\"Care\".\"order\"");
        assert_eq!(qualified(&QualifiedName::new("care", "customers")), "care.customers");
    }

    #[test]
    fn types_never_depend_on_the_search_path() {
        for (printed, sql) in [
            ("text", "pg_catalog.text"),
            ("text[]", "pg_catalog.text[]"),
            ("bpchar", "pg_catalog.bpchar"),
            ("\"char\"", "pg_catalog.\"char\""),
            ("character varying(40)", "character varying(40)"),
            ("character(3)[]", "character(3)[]"),
            ("numeric(10,2)", "numeric(10,2)"),
            ("timestamp(3) with time zone", "timestamp(3) with time zone"),
            ("double precision", "double precision"),
            ("public.citext", "public.citext"),
            ("\"My Schema\".\"t.x\"", "\"My Schema\".\"t.x\""),
            ("\"a\"\"b\".t", "\"a\"\"b\".t"),
            ("integer", "integer"),
            ("timestamptz_custom", "pg_catalog.timestamptz_custom"),
        ] {
            assert_eq!(type_name(printed), sql);
        }
    }
}
