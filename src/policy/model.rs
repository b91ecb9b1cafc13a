//! The policy after loading: inheritance resolved, every name checked, each entry with its place.
//!
//! Follows `design/policy.md` sections 2 to 10. Built by `rules`, never changed afterwards.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::catalog::QualifiedName;

/// Where a rule stands: file name as given, line and column from 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// File name, relative to the rules folder.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    /// `customer-care.yaml:41`, the form of the audit and of error details.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// `mode`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Outcomes are enforced.
    Enforce,
    /// Policy outcomes are recorded only.
    Observe,
}

/// `legal_basis` (GDPR Art. 6(1)); recorded, decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegalBasis {
    /// Art. 6(1)(a)
    Consent,
    /// Art. 6(1)(b)
    Contract,
    /// Art. 6(1)(c)
    LegalObligation,
    /// Art. 6(1)(d)
    VitalInterests,
    /// Art. 6(1)(e)
    PublicTask,
    /// Art. 6(1)(f)
    LegitimateInterests,
}

impl LegalBasis {
    /// The key as written in rules and audit.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Contract => "contract",
            Self::LegalObligation => "legal_obligation",
            Self::VitalInterests => "vital_interests",
            Self::PublicTask => "public_task",
            Self::LegitimateInterests => "legitimate_interests",
        }
    }
}

/// `break_glass`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakGlass {
    /// Minutes after which a declaration ends by itself.
    pub max_minutes: u32,
}

/// A purpose with everything inherited from its ancestors resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose {
    /// Dotted name, `care.support`.
    pub name: String,
    /// `title`
    pub title: Option<String>,
    /// `legal_basis`
    pub legal_basis: Option<LegalBasis>,
    /// `compatible_with`
    pub compatible_with: Vec<String>,
    /// `prohibited`, of it or an ancestor.
    pub prohibited: bool,
    /// `output: aggregate`
    pub aggregate: bool,
    /// `min_group_size`; meaningful with `aggregate`.
    pub min_group_size: u32,
    /// `scope: one_subject`
    pub one_subject: bool,
    /// `reason: required` (or `break_glass`)
    pub reason_required: bool,
    /// `break_glass`
    pub break_glass: Option<BreakGlass>,
    /// `explain: true`
    pub explain: bool,
    /// `ddl: true`
    pub ddl: bool,
    /// `max_rows`
    pub max_rows: Option<u64>,
    /// `max_queries_per_day`, of each role
    pub max_queries_per_day: Option<u64>,
    /// `expires`: the first day on which nobody can act for it.
    pub expires: Option<time::Date>,
    /// Where it is declared.
    pub place: Place,
}

/// `recipients.*.kind`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecipientKind {
    /// Acts under instruction (GDPR Art. 4(8)).
    Processor,
    /// Anybody else (GDPR Art. 4(10)).
    ThirdParty,
}

/// `recipients.*.assurances.*.kind`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssuranceKind {
    /// GDPR Art. 46(2)(c)
    StandardContractualClauses,
    /// GDPR Art. 45
    AdequacyDecision,
    /// GDPR Art. 42
    Certification,
    /// GDPR Art. 47
    BindingCorporateRules,
    /// For example the EU-US Data Privacy Framework.
    PrivacyFramework,
}

/// An assurance of a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assurance {
    /// Which mechanism.
    pub kind: AssuranceKind,
    /// The first day on which it no longer holds.
    pub expires: Option<time::Date>,
}

/// `recipients.*`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Name in the rules.
    pub name: String,
    /// Processor or third party.
    pub kind: RecipientKind,
    /// Where it is.
    pub region: Option<String>,
    /// What it gives.
    pub assurances: Vec<Assurance>,
    /// Where it is declared.
    pub place: Place,
}

/// `roles.*`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Database role.
    pub name: String,
    /// Granted purposes; each covers its children.
    pub purposes: Vec<String>,
    /// `default_purpose`
    pub default_purpose: Option<String>,
    /// `recipient`; none is the controller itself.
    pub recipient: Option<String>,
    /// Where it is declared.
    pub place: Place,
}

/// `transfers`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfers {
    /// Regions whose data subjects are restricted.
    pub restricted_regions: Vec<String>,
    /// Regions to which they may be disclosed.
    pub adequate_regions: Vec<String>,
    /// Where it stands.
    pub place: Place,
}

/// `sensitivity`, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sensitivity {
    /// Not personal.
    None,
    /// Personal data (GDPR Art. 4(1)).
    Personal,
    /// Special categories (GDPR Art. 9, 10).
    Sensitive,
}

/// `other_purpose`, `third_party`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disclosure {
    /// Always.
    Allow,
    /// Unless the subject refused or withdrew.
    OptOut,
    /// Only with consent given.
    OptIn,
    /// Never.
    Never,
}

/// A declared category with everything inherited resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// Dotted key, `user.contact.email`.
    pub key: String,
    /// `sensitivity`
    pub sensitivity: Sensitivity,
    /// `other_purpose`
    pub other_purpose: Disclosure,
    /// `third_party`
    pub third_party: Disclosure,
    /// `collection: opt_in`
    pub collection_opt_in: bool,
    /// The category's own mask.
    pub mask: Option<Mask>,
    /// Where it is declared.
    pub place: Place,
}

/// `generalize: …`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateGrain {
    /// First day of the month.
    Month,
    /// First day of the quarter.
    Quarter,
    /// First day of the year.
    Year,
    /// First day of the decade.
    Decade,
}

/// A path of `json: {keep: […]}`: object keys from the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath(pub Vec<String>);

/// A mask: how a value is shown. Keeps the column's type; NULL stays NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mask {
    /// `null`
    Null,
    /// `constant: v`, as text.
    Constant(String),
    /// `partial`: so many characters kept at both ends, the rest each replaced by `fill`.
    Partial {
        /// Characters kept at the start.
        prefix: u32,
        /// Characters kept at the end.
        suffix: u32,
        /// What stands for each other character.
        fill: String,
    },
    /// `email`: first character and domain kept.
    Email,
    /// `generalize`, for dates and timestamps.
    Generalize(DateGrain),
    /// `round: n`, for numbers: down to a multiple of n. A positive decimal literal.
    Round(String),
    /// `pseudonym`, keyed per purpose.
    Pseudonym,
    /// `hash`, keyed for all purposes alike.
    Hash,
    /// `fake: kind`
    Fake(String),
    /// `date_shift: {days: n}`
    DateShift {
        /// The largest shift either way.
        days: u32,
    },
    /// `ip_prefix`
    IpPrefix {
        /// Bits kept of an IPv4 address.
        v4: u8,
        /// Bits kept of an IPv6 address.
        v6: u8,
    },
    /// `json: {keep: […]}`
    Json(Vec<JsonPath>),
    /// `sql: "expression of {}"`
    Sql(String),
}

/// The kinds of `fake: …`.
pub const FAKE_KINDS: [&str; 7] = ["name", "first_name", "last_name", "email", "phone", "company", "city"];

impl Mask {
    /// The mask's name, as the audit shows the form: `email`, `partial`, …
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Constant(_) => "constant",
            Self::Partial { .. } => "partial",
            Self::Email => "email",
            Self::Generalize(_) => "generalize",
            Self::Round(_) => "round",
            Self::Pseudonym => "pseudonym",
            Self::Hash => "hash",
            Self::Fake(_) => "fake",
            Self::DateShift { .. } => "date_shift",
            Self::IpPrefix { .. } => "ip_prefix",
            Self::Json(_) => "json",
            Self::Sql(_) => "sql",
        }
    }
}

/// `data_subject` of a table or of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSubject {
    /// Column of this table that holds the subject's key.
    pub key: String,
    /// `of`: the root table; none means this table is a root.
    pub of: Option<QualifiedName>,
    /// Column of this (root) table with the birth date.
    pub birth_date: Option<String>,
    /// Column of this (root) table with the region.
    pub region: Option<String>,
    /// Where it stands.
    pub place: Place,
}

/// A column of a table entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnRule {
    /// `data_category`
    pub category: String,
    /// The column's own mask.
    pub mask: Option<Mask>,
    /// The column's own data subject.
    pub data_subject: Option<DataSubject>,
    /// Where it stands.
    pub place: Place,
}

/// `row_filters.*`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFilterRule {
    /// For these purposes and their children.
    pub purposes: Vec<String>,
    /// `where`: SQL over the table's raw columns.
    pub sql: String,
    /// Where it stands.
    pub place: Place,
}

/// `retention`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// A date or timestamp column of the table.
    pub column: String,
    /// `keep`, as PostgreSQL's interval text: `3 years`.
    pub keep: String,
    /// For these purposes and their children; empty: for all.
    pub purposes: Vec<String>,
    /// Where it stands.
    pub place: Place,
}

/// `on_no_consent`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentOnDenial {
    /// Hide the value.
    Value,
    /// Hide the row.
    Row,
}

/// `tables.*`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRule {
    /// The table.
    pub name: QualifiedName,
    /// `data_subject`
    pub data_subject: Option<DataSubject>,
    /// `collected_for`
    pub collected_for: Vec<String>,
    /// `columns`, by exact name.
    pub columns: BTreeMap<String, ColumnRule>,
    /// `columns: {"*": …}`
    pub all_columns: Option<ColumnRule>,
    /// `row_filters`
    pub row_filters: Vec<RowFilterRule>,
    /// `retention`
    pub retention: Option<Retention>,
    /// `on_no_consent`
    pub on_no_consent: ConsentOnDenial,
    /// Where it is declared.
    pub place: Place,
}

/// What a release entry speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleaseTarget {
    /// `columns: [schema.table.column]`
    Columns(Vec<(QualifiedName, String)>),
    /// `data_categories`
    Categories(Vec<String>),
}

/// `as: …`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleaseForm {
    /// As it is.
    Raw,
    /// NULL.
    Hidden,
    /// A statement that names it is refused.
    Refuse,
    /// `{mask: {}}`: the column's or category's own mask.
    OwnMask,
    /// This mask.
    Mask(Mask),
}

/// An entry of `release`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseEntry {
    /// For these purposes and their children.
    pub purposes: Vec<String>,
    /// What it speaks of.
    pub target: ReleaseTarget,
    /// The form.
    pub form: ReleaseForm,
    /// `predicates: refuse`
    pub predicates_refused: bool,
    /// Where it stands.
    pub place: Place,
}

/// What a statement does to a table it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// INSERT, COPY FROM
    Insert,
    /// UPDATE
    Update,
    /// DELETE
    Delete,
}

/// An entry of `writes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteEntry {
    /// For these purposes and their children.
    pub purposes: Vec<String>,
    /// Into these tables.
    pub tables: Vec<QualifiedName>,
    /// What is allowed.
    pub allow: Vec<Verb>,
    /// `columns`: may be updated although they are not raw.
    pub columns: Vec<String>,
    /// Where it stands.
    pub place: Place,
}

/// What becomes of what no rule speaks of, in ascending order of what is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnclassifiedForm {
    /// The statement is refused.
    Refuse,
    /// All NULL (a table: no rows).
    Hidden,
    /// As it is.
    Raw,
}

/// `unclassified`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unclassified {
    /// Of a table; default refuse.
    pub table: UnclassifiedForm,
    /// Of a column of a classified table; default hidden.
    pub column: UnclassifiedForm,
}

/// `consent`: the table that holds consent records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentTable {
    /// The table.
    pub table: QualifiedName,
    /// Column with the subject's key.
    pub subject: String,
    /// Column with the purpose.
    pub purpose: String,
    /// Column with the status.
    pub status: String,
    /// Status values that give consent.
    pub given: Vec<String>,
    /// Status values that refuse or withdraw it.
    pub withdrawn: Vec<String>,
    /// Column with the expiry.
    pub expires: Option<String>,
    /// The purpose value that stands for disclosure to third parties.
    pub third_party: Option<String>,
    /// Column with the time of the record: the latest speaks.
    pub recorded_at: Option<String>,
    /// The root that `subject` refers to, where there are several.
    pub of: Option<QualifiedName>,
    /// Where it stands.
    pub place: Place,
}

/// `children`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildrenRule {
    /// Under this age, in years.
    pub under: u32,
    /// Purposes for which they exist all the same, with their children.
    pub purposes: Vec<String>,
    /// `unknown: child`: an unknown birth date is a child's.
    pub unknown_is_child: bool,
    /// Where it stands.
    pub place: Place,
}

/// One document of rules, for one database, loaded and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// `revision`
    pub revision: String,
    /// SHA-256 over the files, hex.
    pub sha256: String,
    /// `mode`
    pub mode: Mode,
    /// `contact`
    pub contact: Option<String>,
    /// All purposes by name.
    pub purposes: BTreeMap<String, Purpose>,
    /// Declared categories by key.
    pub categories: BTreeMap<String, Category>,
    /// Recipients by name.
    pub recipients: BTreeMap<String, Recipient>,
    /// Roles by name.
    pub roles: BTreeMap<String, Role>,
    /// `transfers`
    pub transfers: Option<Transfers>,
    /// Tables by name.
    pub tables: BTreeMap<QualifiedName, TableRule>,
    /// `release`, in order.
    pub release: Vec<ReleaseEntry>,
    /// `writes`, in order.
    pub writes: Vec<WriteEntry>,
    /// `unclassified`
    pub unclassified: Unclassified,
    /// `functions: {allow: […]}`: signatures as `regprocedure` prints them, schema-qualified.
    pub functions_allowed: Vec<(String, Place)>,
    /// `consent`
    pub consent: Option<ConsentTable>,
    /// `children`
    pub children: Option<ChildrenRule>,
}

/// Whether `purpose` (or category) is `ancestor` or below it in the dotted tree.
pub fn within(name: &str, ancestor: &str) -> bool {
    name.strip_prefix(ancestor)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
