//! Masks of text: `partial`, `email`, and the rules' own `sql`.

use super::{Site, op, text_literal};

/// The longest run of fill characters. A column of a length that could reach PostgreSQL's limit of
/// one gigabyte must not make `repeat` fail.
const LONGEST_FILL: u32 = 1_000_000;

/// A host name or address as it may stand after the `@`: no white space, controls or ASCII
/// punctuation but `.`, `-` and `_`. What does not look so is no address, and is not shown.
const DOMAIN: &str = r"^@[^\u0001-\u002c\u002f\u003a-\u0040\u005b-\u005e\u0060\u007b-\u00a0]+$";

/// First and last characters kept; a text that is not longer than what would be kept is filled whole.
pub(super) fn partial(prefix: u32, suffix: u32, fill: &str, site: &Site<'_>) -> Result<String, String> {
    if !site.kind.is_text() {
        return Err("it needs a text column".into());
    }
    if prefix.saturating_add(suffix) > 10_000 {
        return Err("prefix and suffix must not exceed 10000 characters together".into());
    }
    if fill.chars().count() > 16 {
        return Err("fill must not exceed 16 characters".into());
    }
    let text = site.text();
    let length = format!("pg_catalog.length({text})");
    let kept = prefix.saturating_add(suffix);
    let filled = |count: &str| {
        format!(
            "pg_catalog.repeat({}, LEAST({count}, {LONGEST_FILL}))",
            text_literal(fill)
        )
    };
    let masked = op(
        &op(
            &format!("pg_catalog.left({text}, {prefix})"),
            "||",
            &filled(&op(&length, "-", &kept.to_string())),
        ),
        "||",
        &format!("pg_catalog.right({text}, {suffix})"),
    );
    let is_short = op(&length, "<=", &kept.to_string());
    let whole = filled(&length);
    Ok(site.typed_unless_null(&format!("CASE WHEN {is_short} THEN {whole} ELSE {masked} END")))
}

/// The first character and the domain kept: `j***@example.com`. A local part of one character is
/// not shown, since that would be all of it. What has no `@` is replaced whole.
pub(super) fn email(site: &Site<'_>) -> Result<String, String> {
    if !site.kind.is_text() {
        return Err("it needs a text column".into());
    }
    let text = site.text();
    // Counted from the end: a local part in quotes may hold an @. With the C collation, since
    // searching fails under a non-deterministic one.
    let at = format!("pg_catalog.strpos(pg_catalog.reverse({text}) COLLATE pg_catalog.\"C\", '@')");
    let domain = format!("pg_catalog.right({text}, {at})");
    let is_absent = format!("{} OR {}", op(&at, "<=", "1"), op(&at, ">", "256"));
    let is_domain = op(
        &format!("({domain} COLLATE pg_catalog.\"C\")"),
        "~",
        &text_literal(DOMAIN),
    );
    let local_length = op(&format!("pg_catalog.length({text})"), "-", &at);
    let stars = text_literal("***");
    let starred_domain = op(&stars, "||", &domain);
    let first = format!("pg_catalog.left({text}, 1)");
    Ok(site.typed_unless_null(&format!(
        "CASE WHEN {is_absent} THEN {stars} WHEN NOT {is_domain} THEN {stars} WHEN {} THEN {} ELSE {starred_domain} END",
        op(&local_length, ">", "1"),
        op(&first, "||", &starred_domain),
    )))
}

/// The rules' own expression, `{}` standing for the value. Whether it is total is its author's care.
pub(super) fn custom(expression: &str, site: &Site<'_>) -> Result<String, String> {
    let expression = fill_in(expression, &format!("({})", site.value));
    let parsed = pg_query::parse(&format!("SELECT ({expression}\n)"), pg_query::ParserOptions::DEFAULT)
        .map_err(|e| e.to_string())?;
    if parsed.protobuf.stmts.len() != 1 {
        return Err("it is not one expression".into());
    }
    // The line break ends a comment that the expression may end with.
    Ok(site.typed_unless_null(&format!("{expression}\n")))
}

/// Replaces `{}` outside of single quotes (`'{}'::jsonb` is an honest constant).
fn fill_in(expression: &str, value: &str) -> String {
    let quoted_or_not = expression.split('\'').enumerate().map(|(i, part)| {
        if i % 2 == 0 {
            part.replace("{}", value)
        } else {
            part.to_owned()
        }
    });
    quoted_or_not.collect::<Vec<_>>().join("'")
}
