//! PostgreSQL's errors and notices as the client may see them.
//!
//! The one place where server text reaches a client: every text is rebuilt from an allow-list
//! (`rewrite::errors`), positions lead back to the client's own text, and the failure of a check that
//! a statement carries is told as the refusal that it is.

use crate::pipeline;
use crate::rewrite::errors::{Known, ServerError, rebuild as rebuild_known};
use crate::wire::ErrorFields;

use super::prepared::Planned;
use super::text::{Text, byte_offset};

/// What is known of the statement that an error is about.
#[derive(Debug, Default, Clone, Copy)]
pub struct About<'a> {
    /// The client's text.
    pub text: Option<&'a Text>,
    /// The statement.
    pub planned: Option<&'a Planned>,
    /// The rules protect nothing in the database: errors have nothing to hide.
    pub bare: bool,
    /// Names that the client sent outside of SQL: user, database, statement, portal.
    pub names: [Option<&'a str>; 2],
}

/// The fields of an error, rebuilt.
pub fn rebuild(fields: &ErrorFields, about: About<'_>) -> ErrorFields {
    if about.bare {
        return as_said(fields, about);
    }
    let names: Vec<&str> = about.names.into_iter().flatten().collect();
    let known = Known {
        statement: about.text.map_or("", |t| t.sql.text()),
        names: &names,
        protected: about.planned.and_then(Planned::statement).is_some_and(|s| s.protected),
    };
    let told = rebuild_known(&ServerError::from_fields(fields.iter()), &known);
    let position = in_source(told.position, about);
    let rebuilt = told
        .fields()
        .into_iter()
        .filter(|(code, _)| !matches!(code, b'S' | b'V' | b'C' | b'M' | b'P'))
        .fold(
            ErrorFields::new(told.severity, &told.sqlstate, told.message.clone()).with_some(b'P', position),
            |fields, (code, text)| fields.with(code, text),
        );
    SOURCE.into_iter().fold(rebuilt, |all, code| {
        all.with_some(code, fields.get(code).filter(|text| is_of_the_source(text)))
    })
}

/// A position of the text that went out, in the client's own.
fn in_source(position: Option<usize>, about: About<'_>) -> Option<String> {
    match (position, about.planned, about.text) {
        (Some(position), Some(planned), Some(text)) => {
            let outgoing = byte_offset(planned.outgoing(), position);
            Some(text.position(planned.plan.positions.to_source(outgoing)).to_string())
        }
        (Some(_) | None, _, _) => None,
    }
}

/// An error as the server said it, but for its position.
fn as_said(fields: &ErrorFields, about: About<'_>) -> ErrorFields {
    let position = fields.get(b'P').and_then(|position| position.parse().ok());
    fields
        .iter()
        .filter(|(code, _)| *code != b'P')
        .fold(ErrorFields::default(), |all, (code, text)| all.with(code, text))
        .with_some(b'P', in_source(position, about))
}

/// File, line and function of PostgreSQL's source that an error comes from: drivers know a cached plan that must be made
/// anew by `RevalidateCachedQuery`.
const SOURCE: [u8; 3] = *b"FLR";

/// A name or number, as PostgreSQL's source has them, and nothing that a function could have put there.
fn is_of_the_source(text: &str) -> bool {
    text.len() <= 63
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
}

/// The refusal that a server's error stands for, where a check of ours in the statement failed.
pub fn check_failed(fields: &ErrorFields, contact: Option<&str>) -> Option<ErrorFields> {
    let code = pipeline::failed_check(fields.sqlstate(), fields.get(b'M').unwrap_or_default())?;
    let refusal = super::refusal::own(
        code,
        "what would be stored is not allowed",
        None,
        super::refusal::unread(pipeline::Outcome::Refuse, Some(code)),
    );
    Some(super::refusal::fields(&refusal, None, contact))
}

/// The fields of a notice, rebuilt; none where it may be a function's own words.
pub fn rebuild_notice(fields: &ErrorFields, about: About<'_>) -> Option<ErrorFields> {
    const UNKNOWN: &str = "successful completion"; // the generic text of SQLSTATE 00000
    let known = about.bare || matches!(fields.severity(), "WARNING" | "NOTICE");
    known
        .then(|| rebuild(fields, about))
        .filter(|told| told.get(b'M') != Some(UNKNOWN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where_in_postgresql_it_comes_from() {
        let sent = ErrorFields::new("ERROR", "0A000", "cached plan must not change result type")
            .with(b'F', "plancache.c")
            .with(b'L', "718")
            .with(b'R', "RevalidateCachedQuery");
        let told = rebuild(&sent, About::default());
        let source: Vec<_> = SOURCE.into_iter().map(|code| told.get(code)).collect();
        assert_eq!(
            source,
            [Some("plancache.c"), Some("718"), Some("RevalidateCachedQuery")]
        );
        assert_eq!(told.get(b'M'), sent.get(b'M'));
        let odd = rebuild(&sent.with(b'R', "x y"), About::default());
        assert!(
            odd.iter()
                .all(|(code, text)| code != b'R' || text == "RevalidateCachedQuery")
        );
    }
}
