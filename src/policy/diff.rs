//! What other rules change, and for whom: for each role, purpose, table and column the released form
//! before and after; besides, who is admitted, which rows exist, what may be written.
//!
//! Decides nothing itself: what it compares are admissions and decisions like those of statements.
//! "More" is said unless less, or the same, is certain.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use crate::catalog::QualifiedName;

use super::matrix::Cell;
use super::{
    Admission, Code, ColumnDecision, Condition, ConsentTable, DateGrain, Denial, Form, Mask, Mode, Policy, RowFilter,
    TableDecision, UnclassifiedForm, Verb,
};

/// What an entry of a diff is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changed {
    /// The rules as a whole: `mode`, `unclassified`, `functions`, `consent`, `contact`; `default_purpose` of a
    /// role. Holds the key.
    Rules(&'static str),
    /// Whether the role may act for the purpose, and on which terms.
    Admission,
    /// The released form of a column: a cell of the matrix.
    Column(QualifiedName, String),
    /// Which rows of a table exist.
    Rows(QualifiedName),
    /// What may be written into a table.
    Writes(QualifiedName),
}

impl Changed {
    /// What kind of thing: `rules`, `admission`, `column`, `rows`, `writes`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Rules(_) => "rules",
            Self::Admission => "admission",
            Self::Column(..) => "column",
            Self::Rows(_) => "rows",
            Self::Writes(_) => "writes",
        }
    }

    /// Which one: a key of the rules, `schema.table.column`, a table; an admission has no name of its own.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Rules(key) => Some((*key).to_owned()),
            Self::Admission => None,
            Self::Column(table, column) => Some(format!("{table}.{column}")),
            Self::Rows(table) | Self::Writes(table) => Some(table.to_string()),
        }
    }
}

/// One difference between two policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whom it concerns; `None`: all roles.
    pub role: Option<String>,
    /// For which purpose; `None`: all purposes.
    pub purpose: Option<String>,
    /// What is different.
    pub what: Changed,
    /// How it was, as the matrix writes it.
    pub before: String,
    /// How it is.
    pub after: String,
    /// More may be seen, or done, than before.
    pub sees_more: bool,
}

/// What `new` changes at `now`. No policy stands for a database that nobody can log in to. In order of role,
/// purpose and table, what concerns all first.
pub fn diff(old: Option<&Policy>, new: Option<&Policy>, now: OffsetDateTime) -> Vec<Change> {
    let nothing = Policy::nothing();
    let comparing = Comparing {
        old: old.unwrap_or(&nothing),
        new: new.unwrap_or(&nothing),
        now,
        changes: Vec::new(),
    };
    comparing.run()
}

/// How one side of a comparison stands.
struct Side {
    text: String,
    /// What it grants, each in words; fewer is less.
    grants: BTreeSet<String>,
    /// What restricts it, each in words, with how strict it is; fewer or laxer is more.
    limits: BTreeMap<String, i64>,
}

impl Side {
    fn new(text: String) -> Self {
        Self {
            text,
            grants: BTreeSet::new(),
            limits: BTreeMap::new(),
        }
    }

    fn limit(&mut self, words: impl Into<String>, strictness: i64) {
        self.limits.insert(words.into(), strictness);
    }

    /// Whether it grants or shows what `before` does not.
    fn exceeds(&self, before: &Self) -> bool {
        let freed = |(words, strict): (&String, &i64)| self.limits.get(words).is_none_or(|now| now < strict);
        !self.grants.is_subset(&before.grants) || before.limits.iter().any(freed)
    }
}

struct Comparing<'p> {
    old: &'p Policy,
    new: &'p Policy,
    now: OffsetDateTime,
    changes: Vec<Change>,
}

impl Comparing<'_> {
    fn run(mut self) -> Vec<Change> {
        self.rules();
        let roles: BTreeSet<&String> = self.old.roles.keys().chain(self.new.roles.keys()).collect();
        let purposes: BTreeSet<&String> = self.old.purposes.keys().chain(self.new.purposes.keys()).collect();
        let tables: BTreeSet<&QualifiedName> = self.old.tables.keys().chain(self.new.tables.keys()).collect();
        for role in roles {
            self.default_purpose(role);
            for purpose in &purposes {
                if self.admission(role, purpose) {
                    for table in &tables {
                        self.table(role, purpose, table);
                    }
                }
            }
        }
        self.changes
    }

    /// Notes a difference, if there is one.
    fn note(
        &mut self,
        whom: (Option<&str>, Option<&str>),
        what: Changed,
        before: String,
        after: String,
        sees_more: bool,
    ) {
        if before != after {
            self.changes.push(Change {
                role: whom.0.map(str::to_owned),
                purpose: whom.1.map(str::to_owned),
                what,
                before,
                after,
                sees_more,
            });
        }
    }

    fn rules(&mut self) {
        for (key, text, more) in RULES {
            let sees_more = more(self.old, self.new);
            let (before, after) = (text(self.old), text(self.new));
            self.note((None, None), Changed::Rules(key), before, after, sees_more);
        }
    }

    /// For which purpose a role acts that declares none.
    fn default_purpose(&mut self, role: &str) {
        let of = |policy: &Policy| policy.roles.get(role).and_then(|role| role.default_purpose.clone());
        let (before, after) = (of(self.old), of(self.new));
        let sees_more = after.is_some();
        let text = |purpose: Option<String>| purpose.unwrap_or_else(|| "none".to_owned());
        let what = Changed::Rules("default_purpose");
        self.note((Some(role), None), what, text(before), text(after), sees_more);
    }

    /// Compares admissions; whether either side admits.
    fn admission(&mut self, role: &str, purpose: &str) -> bool {
        let now = self.now;
        let side = |policy: &Policy| match policy.assume(role, None, purpose, now) {
            Ok(admission) => (true, terms(&admission)),
            Err(denial) => (false, Side::new(denial.code.as_str().to_owned())),
        };
        let ((was, before), (is, after)) = (side(self.old), side(self.new));
        let sees_more = is && (!was || after.exceeds(&before));
        // Why somebody is not admitted is no difference to anybody.
        if was || is {
            let what = Changed::Admission;
            self.note((Some(role), Some(purpose)), what, before.text, after.text, sees_more);
        }
        was || is
    }

    fn table(&mut self, role: &str, purpose: &str, table: &QualifiedName) {
        let columns: BTreeSet<&str> = [self.old, self.new]
            .into_iter()
            .filter_map(|policy| policy.tables.get(table))
            .flat_map(|rule| {
                let others = rule.all_columns.as_ref().map(|_| "*");
                rule.columns.keys().map(String::as_str).chain(others)
            })
            .collect();
        let columns: Vec<&str> = columns.into_iter().collect();
        let now = self.now;
        let decide = |policy: &Policy| decide(policy, role, purpose, table, &columns, now);
        let (before, after) = (decide(self.old), decide(self.new));
        let whom = (Some(role), Some(purpose));
        for (index, column) in columns.iter().enumerate() {
            let (was, is) = (before.cell(index), after.cell(index));
            let what = Changed::Column(table.clone(), (*column).to_owned());
            let sees_more = shows_more(&was, &is);
            self.note(whom, what, cell_text(&was), cell_text(&is), sees_more);
        }
        if let (Released::As(before), Released::As(after)) = (&before, &after) {
            let (before, after) = (rows(&before.filters), rows(&after.filters));
            let sees_more = after.exceeds(&before);
            self.note(whom, Changed::Rows(table.clone()), before.text, after.text, sees_more);
        }
        let (before, after) = [self.old, self.new]
            .map(|policy| writes(policy, role, purpose, table, &columns, now))
            .into();
        let sees_more = !after.grants.is_empty() && after.exceeds(&before);
        self.note(whom, Changed::Writes(table.clone()), before.text, after.text, sees_more);
    }
}

/// The released relation of a table on one side.
enum Released {
    As(TableDecision),
    Denied(Code),
    /// No entry: `unclassified.table` speaks.
    Unclassified(UnclassifiedForm),
}

impl Released {
    fn cell(&self, index: usize) -> Cell {
        match self {
            Self::Denied(code) => Cell::Denied(*code),
            Self::Unclassified(UnclassifiedForm::Refuse) => Cell::Denied(Code::TableUnclassified),
            Self::Unclassified(UnclassifiedForm::Hidden) => Cell::Column(Box::new(unclassified(Form::Hidden))),
            Self::Unclassified(UnclassifiedForm::Raw) => Cell::Column(Box::new(unclassified(Form::Raw))),
            Self::As(decision) => match decision.columns.get(index) {
                Some(column) => Cell::Column(Box::new(column.clone())),
                // Each column was asked about.
                None => Cell::Denied(Code::ColumnUnclassified),
            },
        }
    }
}

fn unclassified(form: Form) -> ColumnDecision {
    ColumnDecision {
        column: String::new(),
        category: None,
        sensitivity: super::Sensitivity::Sensitive,
        form,
        conditions: Vec::new(),
        predicates_refused: false,
        unclassified: true,
        rule: None,
    }
}

fn decide(
    policy: &Policy,
    role: &str,
    purpose: &str,
    table: &QualifiedName,
    columns: &[&str],
    now: OffsetDateTime,
) -> Released {
    let decided = policy
        .assume(role, policy.tables.get(table), purpose, now)
        .and_then(|admission| match policy.decide(&admission, table, columns) {
            Some(decision) => decision.map(Released::As),
            None => Ok(Released::Unclassified(policy.unclassified.table)),
        });
    decided.unwrap_or_else(|denial: Denial| Released::Denied(denial.code))
}

/// The cell as the matrix writes it, with what a mask's parameters and a condition's records are: a change of
/// those is a change too.
fn cell_text(cell: &Cell) -> String {
    match cell {
        Cell::Denied(_) => cell.text(),
        Cell::Column(column) => {
            let parameters = match &column.form {
                Form::Masked(mask) => mask_parameters(mask),
                Form::Raw | Form::Hidden | Form::Refuse => String::new(),
            };
            let records: BTreeSet<String> = column.conditions.iter().map(condition_text).collect();
            let mut text = format!("{}{parameters}", column.form.name());
            for record in records {
                text.push_str(", ");
                text.push_str(&record);
            }
            if column.predicates_refused {
                text.push_str(", no predicates");
            }
            text
        }
    }
}

fn condition_text(condition: &Condition) -> String {
    let kind = if condition.opt_in { "opt_in" } else { "opt_out" };
    let purposes = condition.purposes.join(" or ");
    format!("{kind} of {} by {} ({purposes})", condition.root, condition.key)
}

fn mask_parameters(mask: &Mask) -> String {
    match mask {
        Mask::Null | Mask::Email | Mask::Pseudonym | Mask::Hash => String::new(),
        Mask::Constant(value) => format!(" {value:?}"),
        Mask::Partial { prefix, suffix, fill } => format!(" {prefix} {fill:?} {suffix}"),
        Mask::Generalize(grain) => format!(
            " {}",
            match grain {
                DateGrain::Month => "month",
                DateGrain::Quarter => "quarter",
                DateGrain::Year => "year",
                DateGrain::Decade => "decade",
            }
        ),
        Mask::Round(to) => format!(" {to}"),
        Mask::Fake(kind) => format!(" {kind}"),
        Mask::DateShift { days } => format!(" {days} days"),
        Mask::IpPrefix { v4, v6 } => format!(" {v4} {v6}"),
        Mask::Json(paths) => {
            let paths: Vec<String> = paths.iter().map(|path| path.0.join(".")).collect();
            format!(" {}", paths.join(", "))
        }
        Mask::Sql(sql) => format!(" {sql}"),
    }
}

/// Whether `is` may show what `was` does not.
fn shows_more(was: &Cell, is: &Cell) -> bool {
    let Cell::Column(is) = is else {
        return false;
    };
    if is.form.shows_nothing() {
        return false;
    }
    let Cell::Column(was) = was else {
        return true;
    };
    let form = match (&was.form, &is.form) {
        (Form::Hidden | Form::Refuse, _) => true,
        (Form::Raw, _) => false,
        (Form::Masked(_), Form::Raw) => true,
        (Form::Masked(was), Form::Masked(is)) => !is_coarser(is, was),
        (Form::Masked(_), Form::Hidden | Form::Refuse) => false,
    };
    let freed = was
        .conditions
        .iter()
        .any(|condition| !is.conditions.contains(condition));
    form || freed || (was.predicates_refused && !is.predicates_refused)
}

impl Form {
    fn shows_nothing(&self) -> bool {
        matches!(self, Self::Hidden | Self::Refuse | Self::Masked(Mask::Null))
    }
}

/// Whether `mask` certainly tells no more than `than`. A constant, or a NULL, tells nothing.
fn is_coarser(mask: &Mask, than: &Mask) -> bool {
    match (mask, than) {
        (Mask::Null | Mask::Constant(_), _) => true,
        (Mask::Generalize(mask), Mask::Generalize(than)) => mask.months() >= than.months(),
        (
            Mask::Partial { prefix, suffix, .. },
            Mask::Partial {
                prefix: p, suffix: s, ..
            },
        ) => prefix <= p && suffix <= s,
        (Mask::IpPrefix { v4, v6 }, Mask::IpPrefix { v4: a, v6: b }) => v4 <= a && v6 <= b,
        (Mask::Json(paths), Mask::Json(than)) => paths.iter().all(|path| than.contains(path)),
        (mask, than) => mask == than,
    }
}

impl DateGrain {
    const fn months(self) -> u32 {
        match self {
            Self::Month => 1,
            Self::Quarter => 3,
            Self::Year => 12,
            Self::Decade => 120,
        }
    }
}

/// On which terms somebody may act.
fn terms(admission: &Admission<'_>) -> Side {
    let purpose = admission.purpose();
    let mut side = Side::new(String::new());
    let mut texts: Vec<String> = Vec::new();
    let mut term = |text: String, words: &str, strictness: i64| {
        texts.push(text);
        side.limit(words, strictness);
    };
    if let Some(recipient) = admission.recipient() {
        let assured = if admission.recipient_assured() { ", assured" } else { "" };
        let text = format!("for recipient {}{assured}", recipient.name);
        term(text.clone(), &text, 0);
    }
    if purpose.aggregate {
        let size = purpose.min_group_size;
        term(format!("statistics over {size}"), "statistics", i64::from(size));
    }
    if purpose.one_subject {
        term("one subject".to_owned(), "one subject", 0);
    }
    if purpose.reason_required {
        term("with a reason".to_owned(), "reason", 0);
    }
    if let Some(glass) = purpose.break_glass {
        let minutes = glass.max_minutes;
        term(
            format!("break-glass for {minutes} minutes"),
            "break-glass",
            -i64::from(minutes),
        );
    }
    if let Some(rows) = purpose.max_rows {
        let strictness = i64::try_from(rows).map_or(i64::MIN, |rows| -rows);
        term(format!("at most {rows} rows"), "rows", strictness);
    }
    if let Some(queries) = purpose.max_queries_per_day {
        let strictness = i64::try_from(queries).map_or(i64::MIN, |queries| -queries);
        term(format!("at most {queries} queries a day"), "queries", strictness);
    }
    if let Some(end) = purpose.expires {
        term(format!("until {end}"), "until", -i64::from(end.to_julian_day()));
    }
    for (granted, name) in [(purpose.explain, "explain"), (purpose.ddl, "ddl")] {
        if granted {
            texts.push(name.to_owned());
            side.grants.insert(name.to_owned());
        }
    }
    side.text = match texts.is_empty() {
        true => "admitted".to_owned(),
        false => format!("admitted ({})", texts.join(", ")),
    };
    side
}

fn rows(filters: &[RowFilter]) -> Side {
    let mut side = Side::new(String::new());
    let mut texts = BTreeSet::new();
    for filter in filters {
        let text = filter_text(filter);
        match filter {
            RowFilter::Children {
                under,
                key,
                root,
                birth_date,
                unknown_is_child,
                ..
            } => {
                side.limit(format!("children: {key} of {root}.{birth_date}"), i64::from(*under));
                if *unknown_is_child {
                    side.limit(format!("unknown: {key} of {root}.{birth_date}"), 0);
                }
            }
            RowFilter::Where { .. }
            | RowFilter::OneSubject { .. }
            | RowFilter::Retention { .. }
            | RowFilter::Transfer { .. }
            | RowFilter::Consent(_) => side.limit(text.clone(), 0),
        }
        texts.insert(text);
    }
    side.text = match texts.is_empty() {
        true => "all rows".to_owned(),
        false => texts.into_iter().collect::<Vec<String>>().join("; "),
    };
    side
}

fn filter_text(filter: &RowFilter) -> String {
    let name = filter.name();
    match filter {
        RowFilter::Where { sql, .. } => format!("{name}: {sql}"),
        RowFilter::OneSubject { key } => format!("{name}: {key}"),
        RowFilter::Retention { column, keep, .. } => format!("{name}: {column}, {keep}"),
        RowFilter::Children {
            key,
            root,
            birth_date,
            under,
            unknown_is_child,
            ..
        } => {
            let unknown = if *unknown_is_child { ", unknown too" } else { "" };
            format!("{name}: under {under} by {root}.{birth_date} of {key}{unknown}")
        }
        RowFilter::Transfer {
            key,
            root,
            region,
            restricted,
            ..
        } => format!("{name}: not {} by {root}.{region} of {key}", restricted.join(", ")),
        RowFilter::Consent(condition) => format!("{name}: {}", condition_text(condition)),
    }
}

/// What may be written into a table, and what of it only with consent.
fn writes(
    policy: &Policy,
    role: &str,
    purpose: &str,
    table: &QualifiedName,
    columns: &[&str],
    now: OffsetDateTime,
) -> Side {
    let mut side = Side::new(String::new());
    if let Ok(admission) = policy.assume(role, policy.tables.get(table), purpose, now) {
        for (verb, name) in [
            (Verb::Insert, "insert"),
            (Verb::Update, "update"),
            (Verb::Delete, "delete"),
        ] {
            if let Some(entry) = policy.write_entry(&admission, table, verb) {
                side.grants.insert(name.to_owned());
                let masked = entry.columns.iter().filter(|_| verb == Verb::Update);
                side.grants.extend(masked.map(|column| format!("update of {column}")));
            }
        }
        if !side.grants.is_empty() {
            let asked = columns
                .iter()
                .filter(|column| policy.collection_condition(&admission, table, column).is_some());
            side.limits
                .extend(asked.map(|column| (format!("{column} with consent"), 0)));
        }
    }
    let words: Vec<&str> = side
        .grants
        .iter()
        .chain(side.limits.keys())
        .map(String::as_str)
        .collect();
    side.text = match words.is_empty() {
        true => "nothing".to_owned(),
        false => words.join(", "),
    };
    side
}

/// A key of the rules as a whole, how it reads, and whether a change of it shows more.
type RulesKey = (&'static str, fn(&Policy) -> String, fn(&Policy, &Policy) -> bool);

const RULES: [RulesKey; 5] = [
    (
        "mode",
        |policy| {
            if policy.mode == Mode::Observe {
                "observe"
            } else {
                "enforce"
            }
            .to_owned()
        },
        |_, new| new.mode == Mode::Observe,
    ),
    (
        "contact",
        |policy| policy.contact.clone().unwrap_or_default(),
        |_, _| false,
    ),
    ("unclassified", unclassified_text, |old, new| {
        new.unclassified.table > old.unclassified.table || new.unclassified.column > old.unclassified.column
    }),
    (
        "functions",
        |policy| functions(policy).into_iter().collect::<Vec<&str>>().join("; "),
        |old, new| !functions(new).is_subset(&functions(old)),
    ),
    (
        "consent",
        |policy| policy.consent.as_ref().map(consent_text).unwrap_or_default(),
        |_, new| new.consent.is_some(),
    ),
];

fn functions(policy: &Policy) -> BTreeSet<&str> {
    policy
        .functions_allowed
        .iter()
        .map(|(signature, _)| signature.as_str())
        .collect()
}

fn unclassified_text(policy: &Policy) -> String {
    let text = |form| match form {
        UnclassifiedForm::Refuse => "refuse",
        UnclassifiedForm::Hidden => "hidden",
        UnclassifiedForm::Raw => "raw",
    };
    format!(
        "table: {}, column: {}",
        text(policy.unclassified.table),
        text(policy.unclassified.column)
    )
}

fn consent_text(consent: &ConsentTable) -> String {
    let columns = [
        Some(&consent.subject),
        Some(&consent.purpose),
        Some(&consent.status),
        consent.expires.as_ref(),
        consent.recorded_at.as_ref(),
    ];
    let columns: Vec<&str> = columns.into_iter().flatten().map(String::as_str).collect();
    format!(
        "{}({}), given: {}, withdrawn: {}, third parties: {}",
        consent.table,
        columns.join(", "),
        consent.given.join(", "),
        consent.withdrawn.join(", "),
        consent.third_party.as_deref().unwrap_or("none")
    )
}

impl Policy {
    /// Rules that say nothing: nobody is admitted.
    fn nothing() -> Self {
        Self {
            revision: String::new(),
            sha256: String::new(),
            mode: Mode::Enforce,
            contact: None,
            purposes: BTreeMap::new(),
            categories: BTreeMap::new(),
            recipients: BTreeMap::new(),
            roles: BTreeMap::new(),
            transfers: None,
            tables: BTreeMap::new(),
            release: Vec::new(),
            writes: Vec::new(),
            unclassified: super::Unclassified {
                table: UnclassifiedForm::Refuse,
                column: UnclassifiedForm::Hidden,
            },
            functions_allowed: Vec::new(),
            consent: None,
            children: None,
        }
    }
}
