//! The whole core in two functions: [`parse`] and [`examine`].
//!
//! Pure: a function of text, context, rules and catalog.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::catalog::{Catalog, SearchPath};
use crate::policy::{Admission, Code, Declaration, Denial, Place, Policy};
use crate::sql::{ClientSql, Command, PositionMap};
use crate::verify::Verified;

pub use crate::examine::explanation::Explanation;

pub use crate::examine::Template;
pub use crate::rewrite::aggregate::{Groups, LEFT_OUT_SOURCE};

/// Where one statement of a message stands as to its purpose.
#[derive(Debug, Clone, Copy)]
pub enum Standing<'a> {
    /// Admitted: it may be planned under this purpose.
    Admitted(Admission<'a>),
    /// No purpose declared: only what reads no relation or allowed catalog columns is served.
    Undeclared(&'a Denial),
    /// An inadmissible purpose: only what needs no admission is served; else this denial.
    Inadmissible(&'a Denial),
}

/// The names under which PostgreSQL knows prepared statements that were planned again.
pub trait PreparedNames {
    /// The upstream's name for the client's prepared statement; `None`: it does not exist.
    fn upstream_name(&self, client_name: &str) -> Option<String>;
}

/// All that a plan depends on, besides the text.
pub struct Context<'a> {
    /// The rules in force.
    pub policy: &'a Policy,
    /// What exists.
    pub catalog: &'a Catalog,
    /// The database role.
    pub role: &'a str,
    /// The purpose.
    pub standing: Standing<'a>,
    /// The resolved search_path.
    pub search_path: &'a SearchPath,
    /// Names of prepared statements.
    pub prepared: &'a dyn PreparedNames,
}

/// A message's text as read: its statements and what each does to the session.
pub struct Parsed {
    /// The text, tags taken off.
    pub sql: Arc<ClientSql>,
    /// One for each statement, in order. Empty for an empty query.
    pub commands: Vec<Command>,
    pub(crate) statements: Vec<crate::sql::ParsedStatement>,
    pub(crate) parameters: Vec<u32>,
}

/// `outcome` of the audit, in order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// PostgreSQL or the proxy failed.
    Error,
    /// Refused by a rule, or not understood.
    Refuse,
    /// No rule speaks of something it names.
    Gap,
    /// Rows were left out.
    Filter,
    /// Values were masked or hidden.
    Mask,
    /// As it is.
    Allow,
}

impl Outcome {
    /// The text of the audit.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Refuse => "refuse",
            Self::Gap => "gap",
            Self::Filter => "filter",
            Self::Mask => "mask",
            Self::Allow => "allow",
        }
    }
}

/// `position` of a field in the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Position {
    /// In the result.
    Output,
    /// WHERE, HAVING, FILTER, CASE WHEN.
    Filter,
    /// ON, USING, NATURAL.
    Join,
    /// GROUP BY, PARTITION BY, DISTINCT.
    Group,
    /// ORDER BY.
    Order,
    /// SET, INSERT.
    Write,
}

impl Position {
    /// The text of the audit.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::Filter => "filter",
            Self::Join => "join",
            Self::Group => "group",
            Self::Order => "order",
            Self::Write => "write",
        }
    }
}

/// One column of a table as a statement uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldUse {
    /// `schema.table.column`
    pub column: String,
    /// Its category.
    pub data_category: Option<String>,
    /// Where it is used.
    pub position: Position,
    /// `raw`, `hidden` or the mask's name.
    pub form: &'static str,
    /// The rule that decided.
    pub rule: Option<Place>,
    /// `opt_in` or `opt_out`: only in rows whose person consented, or did not object. Not for the audit.
    pub condition: Option<&'static str>,
}

/// A row filter as it applies to one table. For explanations and tests, not for the audit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilterUse {
    /// `schema.table`
    pub table: String,
    /// Its kind, as in [`Facts::row_filters`].
    pub filter: &'static str,
    /// The rule that asks for it.
    pub rule: Option<Place>,
}

/// What the audit says of one statement. Holds no literal, parameter or row value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The first that applies.
    pub outcome: Outcome,
    /// The reason of a refusal.
    pub code: Option<Code>,
    /// The text with literals as `$n`, comments off, unknown names replaced; `None`: not parsed.
    pub statement: Option<String>,
    /// Of the statement's shape, 16 hex digits.
    pub fingerprint: Option<String>,
    /// The rule behind a refusal.
    pub rule: Option<Place>,
    /// Tables and columns that no rule speaks of.
    pub gaps: Vec<String>,
    /// Columns used.
    pub fields: Vec<FieldUse>,
    /// Which kinds of row filter apply.
    pub row_filters: Vec<&'static str>,
    /// `mode: observe`: all this would be, and is not; the statement ran as it came.
    pub observed: bool,
    /// The same with their tables and rules.
    pub filters: Vec<FilterUse>,
}

/// Facts that all executions of one plan share, and how the audit writes them, made once.
#[derive(Debug, Clone)]
pub struct SharedFacts(Arc<(Facts, OnceLock<Box<[u8]>>)>);

impl SharedFacts {
    /// How the audit writes them: what `render` made of them the first time.
    pub fn rendered(&self, render: impl FnOnce(&Facts) -> Box<[u8]>) -> &[u8] {
        let (facts, rendered) = &*self.0;
        rendered.get_or_init(|| render(facts))
    }
}

/// What was made of them follows from them.
impl PartialEq for SharedFacts {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for SharedFacts {}

impl From<Facts> for SharedFacts {
    fn from(facts: Facts) -> Self {
        Self(Arc::new((facts, OnceLock::new())))
    }
}

impl std::ops::Deref for SharedFacts {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0.0
    }
}

/// An output column that must come back with this origin, or with none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HiddenOrigin {
    /// `pg_class.oid` of a table.
    pub table: u32,
    /// A column of it that must never be the origin of an output column.
    pub column: i16,
}

/// How keys of a type are spelt, so that one key has one hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySpelling {
    /// `int2`, `int4`, `int8`
    Integer,
    /// `uuid`
    Uuid,
    /// Any other: as it is written.
    Text,
}

/// Where the value stands that names a data subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinnedValue {
    /// It is this token of the text, from 0.
    Token(usize),
    /// It is this parameter, from 1.
    Parameter(usize),
}

/// A data subject that a statement names: its key is compared with a constant or a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectPin {
    /// What stands before the key in `pgpurpose.subject`: `schema.table:`, or nothing where there is one root.
    pub prefix: String,
    /// Where the value is.
    pub value: PinnedValue,
    /// How the key is spelt.
    pub spelling: KeySpelling,
}

/// One statement of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStatement {
    /// What it does to the session when it completes.
    pub command: Command,
    /// For the audit.
    pub facts: SharedFacts,
    /// It writes: the audit record must be on disk before it is sent.
    pub writes: bool,
    /// Names a protected relation: integrity errors are answered without names.
    pub protected: bool,
    /// Origins that stop the session when a RowDescription shows them.
    pub hidden_origins: Vec<HiddenOrigin>,
    /// `max_rows`: past so many rows of its result (of its portal, over all fetches; of a COPY) the session
    /// ends the statement as `too_many_rows`. Where it can, the text carries a LIMIT of one row more.
    pub max_rows: Option<u64>,
    /// Statistics only: how its groups are kept from being too small.
    pub groups: Option<Groups>,
    /// Data subjects that it names.
    pub subjects: Vec<SubjectPin>,
    /// Parameters that name a setting which it reads: their values are looked at before it runs.
    pub setting_names: Vec<u16>,
    /// What PREPARE prepares.
    pub prepares: Option<Prepares>,
}

/// The statement that a PREPARE carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepares {
    /// Its bytes in the text without tags.
    pub range: Range<usize>,
    /// Those of the whole PREPARE.
    pub statement: Range<usize>,
    /// Types of its parameters: oids of `pg_type`.
    pub parameters: Vec<u32>,
}

/// A whole message as it goes out.
#[derive(Debug)]
pub struct Plan {
    /// Proof that the text passed the gate.
    pub verified: Arc<Verified>,
    /// From positions in the outgoing text to positions in the text without tags.
    pub positions: PositionMap,
    /// One for each statement.
    pub statements: Arc<[PlannedStatement]>,
}

/// A refusal of one statement.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Its code.
    pub code: Code,
    /// SQLSTATE: 42501, or PostgreSQL's own where the statement would fail there too.
    pub sqlstate: &'static str,
    /// What happened, lower case, without the code.
    pub message: String,
    /// Which column, purpose, rule.
    pub detail: Option<String>,
    /// What would be allowed.
    pub hint: Option<String>,
    /// Byte offset in the text without tags.
    pub position: Option<usize>,
    /// For the audit; its `outcome` is refuse, gap or error.
    pub facts: Box<Facts>,
    /// Something does not exist in the catalog that the text names: worth loading it anew.
    pub stale_catalog: bool,
}

/// Admits a request: the policy's admission, and that a data subject it names can be one.
///
/// # Errors
/// As [`Policy::admit`]; `subject_missing` where the subject is no key.
pub fn admit<'p>(
    policy: &'p Policy,
    catalog: &Catalog,
    role: &str,
    declared: &Declaration,
    now: time::OffsetDateTime,
) -> Result<Admission<'p>, Denial> {
    let admission = policy.admit(role, declared, now)?;
    if !admission.purpose().one_subject {
        return Ok(admission);
    }
    let subject = declared.subject.as_deref().unwrap_or_default();
    match crate::rewrite::obligation::subject_key(subject, policy, catalog) {
        Some(_) => Ok(admission),
        None => Err(Denial {
            code: Code::SubjectMissing,
            message: "pgpurpose.subject is no key of a data subject".to_owned(),
            detail: None,
            hint: Some("set it to a key, or to root:key where there are several kinds of people".to_owned()),
            rule: None,
        }),
    }
}

/// The fixed text with which a check in a write fails (children, consent to collection): PostgreSQL reports
/// it as [`CHECK_SQLSTATE`], `invalid input syntax for type integer: "pgpurpose: child_data"`.
pub const fn check_marker(code: Code) -> &'static str {
    match code {
        Code::ChildData => "pgpurpose: child_data",
        _ => "pgpurpose: write_not_allowed",
    }
}

/// `invalid_text_representation`
pub const CHECK_SQLSTATE: &str = "22P02";

/// Which check of ours a server's error is, if it is one: the client gets it as a refusal of that code.
pub fn failed_check(sqlstate: &str, message: &str) -> Option<Code> {
    let codes = [Code::ChildData, Code::WriteNotAllowed];
    codes
        .into_iter()
        .find(|code| sqlstate == CHECK_SQLSTATE && message.contains(check_marker(*code)))
}

/// Reads a message's text: tags already taken off, statements split, commands told apart.
///
/// # Errors
/// Syntax errors (with PostgreSQL's SQLSTATE and position) and what is too large to examine.
pub fn parse(sql: Arc<ClientSql>) -> Result<Parsed, Refusal> {
    match crate::sql::parsed::parse(sql.text()) {
        Ok(statements) => {
            let commands = statements.iter().map(|s| s.command.clone()).collect();
            Ok(Parsed {
                sql,
                commands,
                statements,
                parameters: Vec::new(),
            })
        }
        Err(error) => Err(Refusal {
            code: Code::NotUnderstood,
            sqlstate: error.sqlstate,
            message: error.message,
            detail: None,
            hint: None,
            position: error.position,
            facts: Box::new(Facts::unread()),
            stale_catalog: false,
        }),
    }
}

impl Parsed {
    /// With the parameter types of its Parse message: oids of `pg_type`, 0 where none is given.
    pub fn with_parameters(self, types: &[u32]) -> Self {
        let parameters = types.to_vec();
        Self { parameters, ..self }
    }

    /// The catalog as the statement behind the n-th finds it, where that makes or changes relations.
    pub fn catalog_after(&self, index: usize, catalog: &Catalog, search_path: &[String]) -> Option<Catalog> {
        match self.commands.get(index) {
            Some(Command::Ddl | Command::CreateAs | Command::Discard(_)) => {
                let text = self.sql.text().get(self.span(index))?;
                crate::sql::schema::after(text, catalog, search_path)
            }
            Some(_) | None => None,
        }
    }

    /// The bytes of the n-th statement in the text without tags: tells which tags are its own.
    pub fn span(&self, index: usize) -> std::ops::Range<usize> {
        self.statements.get(index).map(|s| s.span.clone()).unwrap_or_default()
    }
}

impl Facts {
    /// Of a text that could not be read.
    pub fn unread() -> Self {
        Self {
            outcome: Outcome::Refuse,
            code: Some(Code::NotUnderstood),
            statement: None,
            fingerprint: None,
            rule: None,
            gaps: Vec::new(),
            fields: Vec::new(),
            row_filters: Vec::new(),
            observed: false,
            filters: Vec::new(),
        }
    }
}

/// Plans a message: one context for each statement.
///
/// # Errors
/// The first statement that is refused refuses the message.
pub fn examine(parsed: &Parsed, contexts: &[Context<'_>]) -> Result<Plan, Refusal> {
    crate::examine::examine(parsed, contexts)
}
