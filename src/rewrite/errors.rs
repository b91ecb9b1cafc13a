//! PostgreSQL's errors and notices as clients may see them: rebuilt out of an allow-list.
//!
//! PostgreSQL prints values into messages, details and contexts. Here a message is kept where it
//! is one of the known templates, and what fills it only where the client's own text holds it;
//! any other becomes the name of its SQLSTATE's condition. Details, contexts, inner queries and
//! source places are never kept. Knows no session: positions are those of the text that was sent.

mod template;
mod words;

use std::collections::HashMap;
use std::sync::OnceLock;

use words::Words;

const CONDITIONS: &str = include_str!("errors/conditions.txt");

/// What PL functions raise with texts and names of their own: never kept.
const RAISING_ROUTINES: [&str; 9] = [
    "exec_stmt_raise",
    "exec_stmt_assert",
    "do_util_elog",
    "plperl_call_perl_func",
    "PLy_elog",
    "PLy_elog_impl",
    "PLy_output",
    "pltcl_elog",
    "throw_tcl_error",
];

/// The routines whose integrity errors name catalog objects and nothing else. A routine's name is
/// compiled in, so no function that a user wrote can borrow it.
const CONSTRAINT_ROUTINES: [&str; 16] = [
    "ATRewriteTable",
    "ExecConstraints",
    "ExecEvalConstraintCheck",
    "ExecEvalConstraintNotNull",
    "ExecFindPartition",
    "ExecPartitionCheckEmitError",
    "NotNullImageEnforce",
    "ReportNotNullViolationError",
    "_bt_check_unique",
    "check_exclusion_or_unique_constraint",
    "comparetup_index_btree",
    "comparetup_index_btree_tiebreak",
    "domain_check_input",
    "ri_ReportViolation",
    "validateDomainConstraint",
    "validateForeignKeyConstraint",
];

/// The fields of an ErrorResponse or NoticeResponse.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerError {
    /// `V` where sent, else `S`.
    pub severity: String,
    /// `C`
    pub sqlstate: String,
    /// `M`
    pub message: String,
    /// `D`
    pub detail: Option<String>,
    /// `H`
    pub hint: Option<String>,
    /// `P`
    pub position: Option<String>,
    /// `p`
    pub internal_position: Option<String>,
    /// `q`
    pub internal_query: Option<String>,
    /// `W`
    pub context: Option<String>,
    /// `s`
    pub schema: Option<String>,
    /// `t`
    pub table: Option<String>,
    /// `c`
    pub column: Option<String>,
    /// `d`
    pub datatype: Option<String>,
    /// `n`
    pub constraint: Option<String>,
    /// `F`
    pub file: Option<String>,
    /// `L`
    pub line: Option<String>,
    /// `R`
    pub routine: Option<String>,
}

impl ServerError {
    /// From the message's fields as they stand on the wire.
    pub fn from_fields<'a>(fields: impl IntoIterator<Item = (u8, &'a str)>) -> Self {
        let mut error = Self::default();
        let mut localized = String::new();
        for (code, value) in fields {
            let value = value.to_owned();
            match code {
                b'S' => localized = value,
                b'V' => error.severity = value,
                b'C' => error.sqlstate = value,
                b'M' => error.message = value,
                b'D' => error.detail = Some(value),
                b'H' => error.hint = Some(value),
                b'P' => error.position = Some(value),
                b'p' => error.internal_position = Some(value),
                b'q' => error.internal_query = Some(value),
                b'W' => error.context = Some(value),
                b's' => error.schema = Some(value),
                b't' => error.table = Some(value),
                b'c' => error.column = Some(value),
                b'd' => error.datatype = Some(value),
                b'n' => error.constraint = Some(value),
                b'F' => error.file = Some(value),
                b'L' => error.line = Some(value),
                b'R' => error.routine = Some(value),
                // The protocol may add fields; what is not known is not kept.
                _ => {}
            }
        }
        if error.severity.is_empty() {
            error.severity = localized;
        }
        error
    }

    fn is_from(&self, routines: &[&str]) -> bool {
        self.routine.as_deref().is_some_and(|r| routines.contains(&r))
    }
}

/// What the client knows already, and what it may learn.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The client's own text, tags taken off.
    pub statement: &'a str,
    /// Names that the client sent otherwise: user, database, statement, portal.
    pub names: &'a [&'a str],
    /// The statement names a protected relation: of a violated constraint nothing is told.
    pub protected: bool,
}

/// What the client gets. Every text in it comes from our files, the client's own text, or the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientError {
    /// One of PostgreSQL's severities.
    pub severity: &'static str,
    /// Five characters.
    pub sqlstate: String,
    /// The rebuilt message.
    pub message: String,
    /// One of the known details.
    pub detail: Option<String>,
    /// One of the known hints.
    pub hint: Option<String>,
    /// In characters from 1, in the text that was sent.
    pub position: Option<usize>,
    /// Of a constraint of a table that is not protected.
    pub schema: Option<String>,
    /// Likewise.
    pub table: Option<String>,
    /// Likewise.
    pub column: Option<String>,
    /// Likewise.
    pub datatype: Option<String>,
    /// Likewise.
    pub constraint: Option<String>,
}

impl ClientError {
    /// The fields in the order in which PostgreSQL sends them.
    pub fn fields(&self) -> Vec<(u8, String)> {
        let position = self.position.map(|p| p.to_string());
        let optional = [
            (b'D', &self.detail),
            (b'H', &self.hint),
            (b'P', &position),
            (b's', &self.schema),
            (b't', &self.table),
            (b'c', &self.column),
            (b'd', &self.datatype),
            (b'n', &self.constraint),
        ];
        let mut fields = vec![
            (b'S', self.severity.to_owned()),
            (b'V', self.severity.to_owned()),
            (b'C', self.sqlstate.clone()),
            (b'M', self.message.clone()),
        ];
        fields.extend(
            optional
                .into_iter()
                .filter_map(|(code, value)| value.clone().map(|v| (code, v))),
        );
        fields
    }
}

/// The error or notice as the client may see it.
pub fn rebuild(error: &ServerError, known: &Known<'_>) -> ClientError {
    let sqlstate = checked_sqlstate(&error.sqlstate);
    let plain = |message: String| ClientError {
        severity: checked_severity(&error.severity),
        sqlstate: sqlstate.clone(),
        message,
        detail: None,
        hint: None,
        position: position(error),
        schema: None,
        table: None,
        column: None,
        datatype: None,
        constraint: None,
    };
    if error.is_from(&RAISING_ROUTINES) || sqlstate == "P0001" {
        return plain(generic(&sqlstate));
    }
    if sqlstate.starts_with("23") {
        return violated(error, known, plain, &sqlstate);
    }
    let words = Words::of(known);
    let filled = template::fill(&sqlstate, &error.message, &|kind, content| words.shown(kind, content));
    let Some(message) = filled else {
        return plain(generic(&sqlstate));
    };
    let aside = |kind, text: &Option<String>| {
        let text = text.as_deref()?;
        template::fill_aside(&sqlstate, kind, text, &|placeholder, content| {
            words.knows(placeholder, content).then(|| content.to_owned())
        })
    };
    ClientError {
        detail: aside(template::Aside::Detail, &error.detail),
        hint: aside(template::Aside::Hint, &error.hint),
        ..plain(message)
    }
}

/// An integrity error: names of catalog objects where the statement names nothing protected.
fn violated(
    error: &ServerError,
    known: &Known<'_>,
    plain: impl Fn(String) -> ClientError,
    sqlstate: &str,
) -> ClientError {
    if known.protected {
        return plain("a constraint of a protected table was violated".into());
    }
    let filled = template::fill(sqlstate, &error.message, &|_, content| Some(content.to_owned()));
    match filled {
        Some(message) if error.is_from(&CONSTRAINT_ROUTINES) => ClientError {
            schema: error.schema.clone(),
            table: error.table.clone(),
            column: error.column.clone(),
            datatype: error.datatype.clone(),
            constraint: error.constraint.clone(),
            ..plain(message)
        },
        Some(_) | None => plain(generic(sqlstate)),
    }
}

/// A position in the client's statement, never one in a query that a function ran.
fn position(error: &ServerError) -> Option<usize> {
    if error.internal_query.is_some() {
        return None;
    }
    error.position.as_deref()?.parse().ok()
}

fn checked_sqlstate(sqlstate: &str) -> String {
    let is_valid = sqlstate.len() == 5 && sqlstate.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    if is_valid { sqlstate } else { "XX000" }.to_owned()
}

fn checked_severity(severity: &str) -> &'static str {
    const ALL: [&str; 8] = ["ERROR", "FATAL", "PANIC", "WARNING", "NOTICE", "DEBUG", "INFO", "LOG"];
    ALL.into_iter().find(|s| *s == severity).unwrap_or("ERROR")
}

/// The name of the SQLSTATE's condition, of its class where the condition is unknown.
fn generic(sqlstate: &str) -> String {
    static NAMES: OnceLock<HashMap<&'static str, &'static str>> = OnceLock::new();
    let names = NAMES.get_or_init(|| CONDITIONS.lines().filter_map(|line| line.split_once(' ')).collect());
    if sqlstate == "00000" {
        return "a message of the server was left out".into();
    }
    let class = sqlstate.get(..2).map(|class| format!("{class}000"));
    let name = names.get(sqlstate).or_else(|| names.get(class.as_deref()?));
    name.copied().unwrap_or("an error of the server").to_owned()
}

#[cfg(test)]
mod tests;
