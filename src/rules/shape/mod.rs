//! What a rules file may hold, as data: one table of keys, which reading checks keys against, and of
//! which the JSON Schema for editors is made. So neither knows a key that the other does not.

mod cases;
mod keys;
mod schema;

pub(super) use keys::{
    ASSURANCE, BREAK_GLASS, CATEGORY, CHILDREN, COLUMN, COLUMN_SUBJECT, CONSENT, DATE_SHIFT, FILE, FUNCTIONS,
    IP_PREFIX, JSON, MASKS, NOTHING, PARTIAL, PURPOSE, RECIPIENT, RELEASE, RETENTION, ROLE, ROW_FILTER, SUBJECT, TABLE,
    TRANSFERS, UNCLASSIFIED, WRITE,
};
pub use schema::{cases_schema, json_schema};

/// A mapping with fixed keys.
#[derive(Debug)]
pub(super) struct Mapping {
    /// What it is, for messages: `a purpose`.
    pub(super) what: &'static str,
    /// Its keys.
    pub(super) keys: &'static [Key],
}

impl Mapping {
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }

    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// A key of a mapping.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What stands behind it.
    pub(super) shape: Shape,
    /// It must be there.
    pub(super) required: bool,
    /// What it is for, in a line.
    pub(super) about: &'static str,
}

/// What stands behind a key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// A text, not empty.
    Text,
    /// A text of a certain form.
    Formed(Form),
    /// Any scalar, taken as its text.
    Scalar,
    /// A scalar of one character.
    Character,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Whole { least: u64, most: u64 },
    /// `2027-01-31`
    Day,
    /// One of a few words.
    Words(fn() -> Vec<&'static str>),
    /// A list of texts.
    Texts,
    /// A list of texts, one at least.
    SomeTexts,
    /// A list of scalars.
    Scalars,
    /// A list of scalars, one at least.
    SomeScalars,
    /// A list, each item of this shape.
    List(&'static Shape),
    /// The same, one item at least.
    SomeOf(&'static Shape),
    /// A mapping with fixed keys.
    Map(&'static Mapping),
    /// A mapping from names to what is of this shape.
    Named(Form, &'static Shape),
    /// A data category, or a mapping with one.
    Column,
    /// A mask.
    Mask,
    /// What `as:` holds.
    Release,
    /// The name of a form; `null` is the mask of that name.
    Shown,
}

/// Forms of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// Anything.
    Any,
    /// Dotted words of letters, digits, `_` and `-`.
    Dotted,
    /// `schema.table`
    Table,
    /// `schema.table.column`
    Column,
    /// `schema.name(type, type)`
    Signature,
    /// `3 years`
    Interval,
    /// `address.city`
    Path,
    /// An expression with `{}`, which stands for the column.
    Expression,
}

/// The words of a choice.
pub(super) fn words<T>(choices: &[(&'static str, T)]) -> Vec<&'static str> {
    choices.iter().map(|(word, _)| *word).collect()
}
