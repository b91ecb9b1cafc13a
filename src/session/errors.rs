//! PostgreSQL's errors and notices as the client may see them.
//!
//! The one place where server text reaches a client: every text is rebuilt from an allow-list
//! (`rewrite::errors`), positions lead back to the client's own text, and the failure of a check that
//! a statement carries is told as the refusal that it is.

use crate::pipeline;
<<<<<<< HEAD
use crate::policy::Code;
=======
use crate::rewrite::errors::{Known, ServerError, rebuild as rebuild_known};
>>>>>>> main
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
    /// Names that the client sent outside of SQL: user, database, statement, portal.
    pub names: [Option<&'a str>; 2],
}

/// The fields of an error, rebuilt.
pub fn rebuild(fields: &ErrorFields, about: About<'_>) -> ErrorFields {
<<<<<<< HEAD
    let sqlstate = fields.sqlstate();
    if let Some(refused) = failed_check(fields) {
        return refused;
    }
    let protected = about.planned.and_then(Planned::statement).is_some_and(|s| s.protected);
    let message = match generic(sqlstate, protected) {
        Some(message) => message.to_owned(),
        None => fields.get(b'M').unwrap_or("unknown error").to_owned(),
=======
    let names: Vec<&str> = about.names.into_iter().flatten().collect();
    let known = Known {
        statement: about.text.map_or("", |t| t.sql.text()),
        names: &names,
        protected: about.planned.and_then(Planned::statement).is_some_and(|s| s.protected),
>>>>>>> main
    };
    let told = rebuild_known(&ServerError::from_fields(fields.iter()), &known);
    let position = match (told.position, about.planned, about.text) {
        (Some(position), Some(planned), Some(text)) => {
            let outgoing = byte_offset(planned.outgoing(), position);
            Some(text.position(planned.plan.positions.to_source(outgoing)).to_string())
        }
        (Some(_) | None, _, _) => None,
    };
    told.fields()
        .into_iter()
        .filter(|(code, _)| !matches!(code, b'S' | b'V' | b'C' | b'M' | b'P'))
        .fold(
            ErrorFields::new(told.severity, &told.sqlstate, told.message.clone()).with_some(b'P', position),
            |fields, (code, text)| fields.with(code, text),
        )
}

<<<<<<< HEAD
/// A check of ours that failed in the statement is a refusal.
fn failed_check(fields: &ErrorFields) -> Option<ErrorFields> {
    let code = pipeline::failed_check(fields.sqlstate(), fields.get(b'M')?)?;
    let why = match code {
        Code::ChildData => "personal data of a child cannot be stored",
        _ => "this data can be stored only with the person's consent",
    };
    let message = format!("{why} ({code})");
    let refused = ErrorFields::new(fields.severity(), "42501", message);
    Some(refused.with_some(b'n', Some(code.as_str())))
}

/// A message without names and values, for the classes whose messages hold them.
fn generic(sqlstate: &str, protected: bool) -> Option<&'static str> {
    match sqlstate.get(..2).unwrap_or_default() {
        "22" => Some(match sqlstate {
            "22003" => "numeric value out of range",
            "22007" => "invalid datetime format",
            "22008" => "datetime field overflow",
            "22012" => "division by zero",
            "22P02" => "invalid text representation",
            "22P03" => "invalid binary representation",
            "22001" => "value too long for its type",
            "22023" => "invalid parameter value",
            "22021" => "character not in repertoire",
            _ => "data exception",
        }),
        "23" if protected => Some(match sqlstate {
            "23502" => "null value violates a not-null constraint",
            "23503" => "violation of a foreign key constraint",
            "23505" => "duplicate key value violates a unique constraint",
            "23514" => "violation of a check constraint",
            "23P01" => "violation of an exclusion constraint",
            _ => "integrity constraint violation",
        }),
        "P0" => Some("error raised in a function"),
        "XX" => Some("internal error of the server"),
        _ => None,
    }
}

/// The fields of a notice, rebuilt; none where it can hold anything.
pub fn rebuild_notice(fields: &ErrorFields, about: About<'_>) -> Option<ErrorFields> {
    let severity = fields.severity();
    let may_be_raised = fields.sqlstate() == "00000" && matches!(severity, "INFO" | "LOG" | "DEBUG");
    let of_ddl = matches!(
        about.planned.and_then(Planned::command),
        Some(crate::sql::Command::Ddl) | None
=======
/// The refusal that a server's error stands for, where a check of ours in the statement failed.
pub fn check_failed(fields: &ErrorFields, contact: Option<&str>) -> Option<ErrorFields> {
    let code = pipeline::failed_check(fields.sqlstate(), fields.get(b'M').unwrap_or_default())?;
    let refusal = super::refusal::own(
        code,
        "what would be stored is not allowed",
        None,
        super::refusal::unread(pipeline::Outcome::Refuse, Some(code)),
>>>>>>> main
    );
    Some(super::refusal::fields(&refusal, None, contact))
}

/// The fields of a notice, rebuilt; none where it may be a function's own words.
pub fn rebuild_notice(fields: &ErrorFields, about: About<'_>) -> Option<ErrorFields> {
    const UNKNOWN: &str = "successful completion"; // the generic text of SQLSTATE 00000
    let known = matches!(fields.severity(), "WARNING" | "NOTICE");
    known
        .then(|| rebuild(fields, about))
        .filter(|told| told.get(b'M') != Some(UNKNOWN))
}
