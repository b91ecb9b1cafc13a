//! What a script for psql holds besides SQL: commands that begin with a backslash, and the rows behind
//! `COPY … FROM stdin`. Blanked out, so that offsets and lines stay.

/// The text with everything that is no SQL replaced by blanks of the same length.
pub(super) fn statements_only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rows = false;
    // A backslash begins a command only between statements; inside one it may stand in a string.
    let mut between = true;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_end_matches(['\n', '\r']);
        if rows {
            rows = trimmed != "\\.";
            blank(line, &mut out);
            continue;
        }
        let start = trimmed.trim_start();
        if between && start.starts_with('\\') {
            blank(line, &mut out);
            continue;
        }
        out.push_str(line);
        rows = between && is_copy_in(start);
        if !start.is_empty() && !start.starts_with("--") {
            between = trimmed.trim_end().ends_with(';') || start.ends_with("*/");
        }
    }
    out
}

fn is_copy_in(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.starts_with("copy ") && line.contains(" from stdin") && line.trim_end().ends_with(';')
}

fn blank(line: &str, out: &mut String) {
    out.extend(
        line.bytes()
            .map(|b| if b == b'\n' || b == b'\r' { b as char } else { ' ' }),
    );
}

/// The line of the first word at or behind `offset`, comments aside.
pub(super) fn line_of_first_word(text: &str, offset: usize) -> usize {
    let rest = text.get(offset..).unwrap_or_default();
    let first = crate::sql::lexer::Lexer::new(rest)
        .map_while(Result::ok)
        .find(|token| !token.kind.is_comment());
    let at = offset + first.map_or(0, |token| token.start);
    text.get(..at).unwrap_or_default().matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_rows_are_blanked_and_lines_stay() {
        let script =
            "\\set QUIET on\nSELECT 'a\n\\b';\nCOPY t (a) FROM stdin;\n1\tä;\n\\.\n/* x */\n\\c db;\nSELECT 2;\n";
        let sql = statements_only(script);
        assert_eq!(sql.len(), script.len());
        assert_eq!(sql.matches('\n').count(), script.matches('\n').count());
        let kept: Vec<&str> = sql.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        assert_eq!(
            kept,
            ["SELECT 'a", "\\b';", "COPY t (a) FROM stdin;", "/* x */", "SELECT 2;"]
        );
        assert_eq!(line_of_first_word(&sql, sql.find("/*").unwrap()), 9);
    }
}
