//! What makes a file no YAML, in words for somebody who writes rules rather than parsers.

/// The parser's words in ours, and what to write; `at` is the byte that it points at.
pub(super) fn explain(parser: &str, text: &str, at: usize) -> (String, Option<String>) {
    let said = |message: &str, help: &str| (message.to_owned(), Some(help.to_owned()));
    let line = line_of(text, at);
    if parser.contains("tabs disallowed") {
        return said(
            "this line is indented with a tab",
            "indent with spaces: YAML takes no tabs there",
        );
    }
    if parser.contains("mapping values are not allowed") {
        return second_colon(text, at);
    }
    if parser.contains("did not find expected key") {
        return said(
            "this line is indented otherwise than the entries before it",
            "let the keys of one mapping begin in one column, and what belongs to a key stand deeper than the key",
        );
    }
    if parser.contains("did not find expected '-'") {
        return said(
            "this line stands in the column of a list's items, and does not begin with `- `",
            "indent it as the other keys of its item",
        );
    }
    if parser.contains("did not find expected ',' or") {
        return said(
            "a `{` or `[` before this is not closed, or a `,` is missing",
            "put `,` between entries and a closing bracket at the end; a text that holds `: ` needs quotes",
        );
    }
    if parser.contains("unknown value") {
        return unknown_anchor(text.get(at..).unwrap_or_default());
    }
    if let Some(character) = between(parser, "unexpected character: `", "'") {
        return unexpected(character);
    }
    if parser.contains("multiple found") {
        return said(
            "a second document begins here",
            "take the `---` away: a file is one document",
        );
    }
    if parser.contains("unclosed quote") {
        let quote = line.get(..1).unwrap_or("\"");
        return (
            "this quote is not closed".to_owned(),
            Some(format!("end the text with {quote}")),
        );
    }
    if let Some(open) = between(parser, "unclosed bracket '", "'") {
        return (
            format!("`{open}` is not closed"),
            Some(format!("end it with `{}`", closing(open))),
        );
    }
    if let Some((open, close)) = between(parser, "mismatched bracket '", "'").zip(between(parser, "closed by '", "'")) {
        return (
            format!("`{open}` is closed by `{close}`"),
            Some(format!("close it with `{}` before this", closing(open))),
        );
    }
    if parser.contains("merge value") {
        return said(
            "`<<` takes a mapping, or a list of mappings",
            "name one by its anchor: `<<: *name`, or leave `<<` out",
        );
    }
    (parser.to_owned(), None)
}

/// The rest of the line that begins with this byte.
fn line_of(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default().lines().next().unwrap_or_default()
}

fn between<'t>(text: &'t str, before: &str, behind: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(behind).map(|(found, _)| found)
}

fn closing(open: &str) -> &'static str {
    if open == "[" { "]" } else { "}" }
}

/// A `:` where no key can end: a text holds one, the line above lacks one, or the line is too deep.
fn second_colon(text: &str, at: usize) -> (String, Option<String>) {
    let before = text.get(..at).unwrap_or_default();
    let (above, own) = before.rsplit_once('\n').unwrap_or(("", before));
    if let Some((key, rest)) = own.split_once(": ") {
        let value = format!("{rest}{}", line_of(text, at));
        return (
            "a text that holds `: ` needs quotes".to_owned(),
            Some(format!("write {}: \"{}\"", key.trim(), value.trim())),
        );
    }
    let above = above
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    if !above.contains(':') && !above.is_empty() {
        return (
            format!("the line above, `{}`, is no key", above.trim()),
            Some(format!("write `{}:` there", above.trim())),
        );
    }
    (
        "this line is indented deeper than the entries before it".to_owned(),
        Some("let the keys of one mapping begin in one column".to_owned()),
    )
}

fn unknown_anchor(rest: &str) -> (String, Option<String>) {
    let name: String = rest
        .strip_prefix('*')
        .unwrap_or(rest)
        .chars()
        .take_while(|c| !c.is_whitespace() && !",[]{}:".contains(*c))
        .collect();
    if name.is_empty() {
        return (
            "`*` needs quotes".to_owned(),
            Some("write \"*\", which stands for all other columns".to_owned()),
        );
    }
    (
        format!("nothing before this is named `&{name}`"),
        Some(format!(
            "put `&{name}` before what is meant, above this; or quotes around a text that begins with `*`"
        )),
    )
}

fn unexpected(character: &str) -> (String, Option<String>) {
    if character.starts_with('\\') {
        return (
            format!("the character {character} may not stand in YAML"),
            Some("take it away".to_owned()),
        );
    }
    (
        format!("a text cannot begin with `{character}`"),
        Some("put it in quotes".to_owned()),
    )
}
