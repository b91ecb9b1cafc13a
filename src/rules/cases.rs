//! `*.test.yaml`: cases of rules, a statement with what is expected of it (policy.md section 12). Read as
//! strictly as rules: unknown keys and words are errors with their place.
//!
//! Knows no decision; whoever runs the cases says what was not met, at the place that expects it.

use time::OffsetDateTime;

use crate::pipeline::Outcome;
use crate::policy::{Code, Place};

use super::diagnostic::{Diagnostic, DiagnosticCode, Diagnostics};
use super::fields::{Fields, choice, date, entries, list, scalar, text, texts};
use super::node::{Node, Value};
use super::shape::{Form, Key, Mapping, Shape};
use super::source::{Sp, Span};

/// One file of cases.
#[derive(Debug)]
pub struct TestFile {
    /// The schema file or snapshot, as written: relative to the folder of this file.
    pub schema: At<String>,
    /// Which database's rules; found by the schema's tables where it is left out.
    pub database: Option<At<String>>,
    /// `search_path` of all cases.
    pub search_path: Option<Vec<String>>,
    /// The cases, in order.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug)]
pub struct Case {
    /// What it shows.
    pub name: At<String>,
    /// The database role.
    pub role: At<String>,
    /// What is declared.
    pub declared: crate::policy::Declaration,
    /// On which day; today where it is left out.
    pub on: Option<OffsetDateTime>,
    /// The statement.
    pub when: At<String>,
    /// What is expected.
    pub then: Then,
}

/// What is expected. What is left out may be as it likes.
#[derive(Debug, Default)]
pub struct Then {
    /// `outcome`
    pub outcome: Option<At<Outcome>>,
    /// `code`
    pub code: Option<At<Code>>,
    /// `fields`: a column, as precisely named as it needs, and its form.
    pub fields: Vec<(At<String>, String)>,
    /// `row_filters`: all that apply, in any order.
    pub row_filters: Option<At<Vec<String>>>,
}

/// Something that stands in a file of cases.
#[derive(Debug, Clone)]
pub struct At<T> {
    /// What.
    pub value: T,
    span: Span,
}

impl<T> At<T> {
    fn new(value: T, span: &Span) -> Self {
        let span = span.clone();
        Self { value, span }
    }

    /// Where.
    pub fn place(&self) -> Place {
        self.span.place()
    }

    /// That this is not met, and why.
    pub fn unmet(&self, message: impl Into<String>, why: Option<String>) -> Diagnostic {
        let finding = Diagnostic::new(DiagnosticCode::Unmet, &self.span, message);
        match why {
            Some(why) => finding.help(why),
            None => finding,
        }
    }

    /// That this names nothing that can be read.
    pub fn not_found(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(DiagnosticCode::UnknownFile, &self.span, message)
    }
}

impl From<Sp<String>> for At<String> {
    fn from(sp: Sp<String>) -> Self {
        Self {
            value: sp.value,
            span: sp.span,
        }
    }
}

const OUTCOMES: [(&str, Outcome); 6] = [
    ("allow", Outcome::Allow),
    ("mask", Outcome::Mask),
    ("filter", Outcome::Filter),
    ("refuse", Outcome::Refuse),
    ("gap", Outcome::Gap),
    ("error", Outcome::Error),
];

/// The forms of columns: those of the audit.
const FORMS: [&str; 16] = [
    "raw",
    "hidden",
    "refuse",
    "null",
    "constant",
    "partial",
    "email",
    "generalize",
    "round",
    "pseudonym",
    "hash",
    "fake",
    "date_shift",
    "ip_prefix",
    "json",
    "sql",
];

/// Kinds of row filters: those of the audit.
const FILTERS: [&str; 7] = [
    "row_filters",
    "one_subject",
    "retention",
    "children",
    "transfers",
    "consent",
    "min_group_size",
];

static TEST_FILE: Mapping = Mapping {
    what: "a file of cases",
    keys: &[
        Key {
            name: "schema",
            shape: Shape::Text,
            required: true,
            about: "A file of CREATE statements, or a snapshot of pgpurpose catalog",
        },
        Key {
            name: "database",
            shape: Shape::Text,
            required: false,
            about: "Whose rules, where the schema does not tell",
        },
        Key {
            name: "search_path",
            shape: Shape::Texts,
            required: false,
            about: "Where unqualified names are searched",
        },
        Key {
            name: "cases",
            shape: Shape::List(&Shape::Map(&CASE)),
            required: true,
            about: "The cases",
        },
    ],
};

static CASE: Mapping = Mapping {
    what: "a case",
    keys: &[
        Key {
            name: "name",
            shape: Shape::Text,
            required: true,
            about: "What it shows",
        },
        Key {
            name: "given",
            shape: Shape::Map(&GIVEN),
            required: true,
            about: "Who asks, for what",
        },
        Key {
            name: "when",
            shape: Shape::Text,
            required: true,
            about: "The statement",
        },
        Key {
            name: "then",
            shape: Shape::Map(&THEN),
            required: true,
            about: "What is expected",
        },
    ],
};

static GIVEN: Mapping = Mapping {
    what: "given",
    keys: &[
        Key {
            name: "role",
            shape: Shape::Text,
            required: true,
            about: "The database role",
        },
        Key {
            name: "purpose",
            shape: Shape::Scalar,
            required: false,
            about: "The access purpose; else the role's default",
        },
        Key {
            name: "reason",
            shape: Shape::Scalar,
            required: false,
            about: "The declared reason",
        },
        Key {
            name: "subject",
            shape: Shape::Scalar,
            required: false,
            about: "The declared data subject",
        },
        Key {
            name: "actor",
            shape: Shape::Scalar,
            required: false,
            about: "The declared actor",
        },
        Key {
            name: "on",
            shape: Shape::Day,
            required: false,
            about: "The day on which it is asked; else today",
        },
    ],
};

static THEN: Mapping = Mapping {
    what: "then",
    keys: &[
        Key {
            name: "outcome",
            shape: Shape::Text,
            required: false,
            about: "allow, mask, filter, refuse, gap or error",
        },
        Key {
            name: "code",
            shape: Shape::Text,
            required: false,
            about: "The code of a refusal",
        },
        Key {
            name: "fields",
            shape: Shape::Named(Form::Any, &Shape::Text),
            required: false,
            about: "Columns and the form in which each is released",
        },
        Key {
            name: "row_filters",
            shape: Shape::Texts,
            required: false,
            about: "All kinds of row filters that apply",
        },
    ],
};

/// Reads a file of cases.
///
/// # Errors
/// All that is wrong with it, in order of place.
pub fn read(name: &str, text: &str) -> Result<TestFile, Diagnostics> {
    let mut findings = Diagnostics::default();
    let file = match super::node::parse(&super::source::Source::new(name, text)) {
        Ok(node) => file(&node, &mut findings),
        Err(finding) => {
            findings.push(*finding);
            None
        }
    };
    match file {
        Some(file) if findings.is_empty() => Ok(file),
        Some(_) | None => Err(findings.sorted()),
    }
}

fn file(node: &Node, findings: &mut Diagnostics) -> Option<TestFile> {
    let fields = Fields::read(node, &TEST_FILE, findings)?;
    let schema = fields
        .require("schema", findings)
        .and_then(|node| text(node, "schema", findings));
    let database = fields.get("database").and_then(|node| text(node, "database", findings));
    let search_path = fields
        .get("search_path")
        .and_then(|node| texts(node, "search_path", findings));
    let cases = fields
        .require("cases", findings)
        .and_then(|node| list(node, "cases", findings));
    let cases: Vec<Case> = cases
        .unwrap_or_default()
        .iter()
        .filter_map(|node| case(node, findings))
        .collect();
    Some(TestFile {
        schema: schema?.into(),
        database: database.map(At::from),
        search_path: search_path.map(|path| path.into_iter().map(|s| s.value).collect()),
        cases,
    })
}

fn case(node: &Node, findings: &mut Diagnostics) -> Option<Case> {
    let fields = Fields::read(node, &CASE, findings)?;
    let name = fields
        .require("name", findings)
        .and_then(|node| text(node, "name", findings));
    let given = fields.require("given", findings).and_then(|node| given(node, findings));
    let when = fields
        .require("when", findings)
        .and_then(|node| text(node, "when", findings));
    let then = fields.require("then", findings).and_then(|node| then(node, findings));
    let (role, declared, on) = given?;
    Some(Case {
        name: name?.into(),
        role,
        declared,
        on,
        when: when?.into(),
        then: then?,
    })
}

type Given = (At<String>, crate::policy::Declaration, Option<OffsetDateTime>);

fn given(node: &Node, findings: &mut Diagnostics) -> Option<Given> {
    let fields = Fields::read(node, &GIVEN, findings)?;
    let role = fields
        .require("role", findings)
        .and_then(|node| text(node, "role", findings));
    let mut said = |key: &str| {
        let node = fields.get(key)?;
        // A subject is often a number, and reads as well without quotes.
        scalar(node, key, findings).map(|sp| sp.value)
    };
    let declared = crate::policy::Declaration {
        purpose: said("purpose"),
        reason: said("reason"),
        subject: said("subject"),
        actor: said("actor"),
    };
    let on = fields.get("on").and_then(|node| date(node, "on", findings));
    Some((role?.into(), declared, on.map(|day| day.midnight().assume_utc())))
}

fn then(node: &Node, findings: &mut Diagnostics) -> Option<Then> {
    let fields = Fields::read(node, &THEN, findings)?;
    if let Value::Map(entries) = &node.value
        && entries.is_empty()
    {
        let message = "this case expects nothing";
        findings.push(Diagnostic::new(DiagnosticCode::MissingKey, &node.span, message));
    }
    let outcome = fields.get("outcome").and_then(|node| {
        let outcome = choice(node, "outcome", &OUTCOMES, findings)?;
        Some(At::new(outcome, &node.span))
    });
    let codes = Code::ALL.map(|code| (code.as_str(), code));
    let code = fields.get("code").and_then(|node| {
        let code = choice(node, "code", &codes, findings)?;
        Some(At::new(code, &node.span))
    });
    let mut forms = Vec::new();
    for (column, node) in fields
        .get("fields")
        .and_then(|node| entries(node, "fields", findings))
        .unwrap_or_default()
    {
        let known = FORMS.map(|form| (form, form));
        // `null` without quotes is YAML's nothing, and the mask's name here.
        let form = match &node.value {
            Value::Null => Some("null"),
            _ => choice(node, "fields", &known, findings),
        };
        forms.extend(form.map(|form| (At::from(column.clone()), form.to_owned())));
    }
    let row_filters = fields.get("row_filters").and_then(|node| {
        let known = FILTERS.map(|filter| (filter, filter));
        let items = list(node, "row_filters", findings)?;
        let names = items
            .iter()
            .filter_map(|item| choice(item, "row_filters", &known, findings));
        let names: Vec<String> = names.map(str::to_owned).collect();
        Some(At::new(names, &node.span))
    });
    Some(Then {
        outcome,
        code,
        fields: forms,
        row_filters,
    })
}
