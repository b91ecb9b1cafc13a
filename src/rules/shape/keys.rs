//! The table of keys, in the order in which the language's description has them.

use crate::policy::FAKE_KINDS;

use super::super::document::GRAINS;
use super::super::read::choices::{
    ASSURANCES, COLLECTIONS, DISCLOSURES, LEGAL_BASES, MODES, ON_NO_CONSENT, PREDICATES, RECIPIENT_KINDS,
    SENSITIVITIES, UNCLASSIFIED_FORMS, VERBS,
};
use super::{Form, Key, Mapping, Shape, words};

const fn key(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key {
        name,
        shape,
        required: false,
        about,
    }
}

const fn required(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key {
        name,
        shape,
        required: true,
        about,
    }
}

const fn whole(least: u64, most: u64) -> Shape {
    Shape::Whole { least, most }
}

const MOST_SMALL: u64 = u32::MAX as u64;

pub(in super::super) static FILE: Mapping = Mapping {
    what: "a rules file",
    keys: &[
        key("version", whole(1, 1), "Of the rules language: 1"),
        key(
            "revision",
            Shape::Scalar,
            "Free text, in every audit event beside the SHA-256 of the rules",
        ),
        key(
            "mode",
            Shape::Words(|| words(&MODES)),
            "enforce, or observe: record only what would become of statements",
        ),
        key("contact", Shape::Text, "Ends the hint of every refusal"),
        key(
            "databases",
            Shape::Texts,
            "The databases that this file speaks for; left out: all",
        ),
        key("include", Shape::Texts, "Files of the folder to be read first"),
        key(
            "purposes",
            Shape::Named(Form::Dotted, &Shape::Map(&PURPOSE)),
            "Why data is used: a tree by dotted names",
        ),
        key(
            "recipients",
            Shape::Named(Form::Any, &Shape::Map(&RECIPIENT)),
            "To whom data is disclosed, but for the controller itself",
        ),
        key(
            "roles",
            Shape::Named(Form::Any, &Shape::Map(&ROLE)),
            "The database roles that may log in, and what they may act for",
        ),
        key("transfers", Shape::Map(&TRANSFERS), "Whose data may be disclosed where"),
        key(
            "data_categories",
            Shape::Named(Form::Dotted, &Shape::Map(&CATEGORY)),
            "What kinds of data there are: a tree by dotted names",
        ),
        key(
            "tables",
            Shape::Named(Form::Table, &Shape::Map(&TABLE)),
            "What is what, by schema.table",
        ),
        key(
            "release",
            Shape::List(&Shape::Map(&RELEASE)),
            "In which form data is shown for which purpose; what is not said is hidden",
        ),
        key(
            "writes",
            Shape::List(&Shape::Map(&WRITE)),
            "What may be written for which purpose; what is not said is refused",
        ),
        key(
            "unclassified",
            Shape::Map(&UNCLASSIFIED),
            "What becomes of tables and columns that no rule speaks of",
        ),
        key(
            "functions",
            Shape::Map(&FUNCTIONS),
            "Functions of your own that clients may call",
        ),
        key(
            "consent",
            Shape::Map(&CONSENT),
            "The table that holds what people said yes and no to",
        ),
        key(
            "children",
            Shape::Map(&CHILDREN),
            "Rows of people under an age do not exist",
        ),
    ],
};

pub(in super::super) static PURPOSE: Mapping = Mapping {
    what: "a purpose",
    keys: &[
        key("title", Shape::Text, "What it is, for people"),
        key(
            "legal_basis",
            Shape::Words(|| words(&LEGAL_BASES)),
            "GDPR Art. 6(1); recorded, decides nothing",
        ),
        key(
            "compatible_with",
            Shape::Texts,
            "Data collected for these purposes may be used for this one (GDPR Art. 6(4))",
        ),
        key(
            "prohibited",
            Shape::Boolean,
            "Nobody can ever act for it or a child of it",
        ),
        key(
            "output",
            Shape::Words(|| vec!["aggregate"]),
            "Only statistics leave the database",
        ),
        key(
            "min_group_size",
            whole(2, MOST_SMALL),
            "The fewest people that a statistic may be over",
        ),
        key(
            "scope",
            Shape::Words(|| vec!["one_subject"]),
            "The request names one person; only that person's rows exist",
        ),
        key(
            "reason",
            Shape::Words(|| vec!["required"]),
            "The declaration must carry a reason",
        ),
        key(
            "break_glass",
            Shape::Map(&BREAK_GLASS),
            "Needs a reason, ends by itself, stands out in the audit",
        ),
        key("explain", Shape::Boolean, "EXPLAIN of protected tables is allowed"),
        key("ddl", Shape::Boolean, "The schema may be changed"),
        key(
            "max_rows",
            whole(1, i64::MAX as u64 - 1),
            "A result ends with an error past so many rows",
        ),
        key(
            "max_queries_per_day",
            whole(1, i64::MAX as u64 - 1),
            "So many queries of protected tables may a role run on one day (UTC)",
        ),
        key("expires", Shape::Day, "The first day on which nobody can act for it"),
    ],
};

pub(in super::super) static BREAK_GLASS: Mapping = Mapping {
    what: "break_glass",
    keys: &[required(
        "max_minutes",
        whole(1, 60 * 24 * 31),
        "Minutes after which a declaration ends by itself",
    )],
};

pub(in super::super) static RECIPIENT: Mapping = Mapping {
    what: "a recipient",
    keys: &[
        required(
            "kind",
            Shape::Words(|| words(&RECIPIENT_KINDS)),
            "Under instruction (GDPR Art. 4(8)), or not (Art. 4(10))",
        ),
        key("region", Shape::Text, "Where it is"),
        key(
            "assurances",
            Shape::List(&Shape::Map(&ASSURANCE)),
            "What it gives; a processor needs one that has not expired",
        ),
    ],
};

pub(in super::super) static ASSURANCE: Mapping = Mapping {
    what: "an assurance",
    keys: &[
        required(
            "kind",
            Shape::Words(|| words(&ASSURANCES)),
            "Which mechanism (GDPR Art. 42, 45 to 47)",
        ),
        key("expires", Shape::Day, "The first day on which it no longer holds"),
    ],
};

pub(in super::super) static ROLE: Mapping = Mapping {
    what: "a role",
    keys: &[
        required(
            "purposes",
            Shape::Texts,
            "What it may act for; a purpose covers its children",
        ),
        key("default_purpose", Shape::Text, "Where a client declares none"),
        key(
            "recipient",
            Shape::Text,
            "To whom its results go; left out: the controller itself",
        ),
    ],
};

pub(in super::super) static TRANSFERS: Mapping = Mapping {
    what: "transfers",
    keys: &[
        required(
            "restricted_regions",
            Shape::Scalars,
            "Data of people there may be disclosed only…",
        ),
        key(
            "adequate_regions",
            Shape::Scalars,
            "…to recipients here, or to those with an unexpired assurance",
        ),
    ],
};

pub(in super::super) static CATEGORY: Mapping = Mapping {
    what: "a data category",
    keys: &[
        key(
            "sensitivity",
            Shape::Words(|| words(&SENSITIVITIES)),
            "none: not personal. sensitive: GDPR Art. 9 and 10",
        ),
        key(
            "other_purpose",
            Shape::Words(|| words(&DISCLOSURES)),
            "Use for another purpose than it was collected for",
        ),
        key(
            "third_party",
            Shape::Words(|| words(&DISCLOSURES)),
            "Disclosure to third parties",
        ),
        key(
            "collection",
            Shape::Words(|| words(&COLLECTIONS)),
            "opt_in: stored only with consent",
        ),
        key(
            "mask",
            Shape::Mask,
            "How it is shown where a release entry says {mask: {}}",
        ),
    ],
};

pub(in super::super) static TABLE: Mapping = Mapping {
    what: "a table",
    keys: &[
        key("data_subject", Shape::Map(&SUBJECT), "Whom its rows are about"),
        key(
            "collected_for",
            Shape::Texts,
            "Purposes that the data was collected for",
        ),
        key(
            "columns",
            Shape::Named(Form::Any, &Shape::Column),
            "The data category of each column; \"*\": of all others",
        ),
        key(
            "row_filters",
            Shape::List(&Shape::Map(&ROW_FILTER)),
            "Which rows exist for some purposes",
        ),
        key("retention", Shape::Map(&RETENTION), "Older rows do not exist"),
        key(
            "on_no_consent",
            Shape::Words(|| words(&ON_NO_CONSENT)),
            "What is hidden where consent is missing: the value, or the row",
        ),
    ],
};

pub(in super::super) static SUBJECT: Mapping = Mapping {
    what: "a data subject",
    keys: &[
        required("key", Shape::Text, "The column that holds the person's key"),
        key(
            "of",
            Shape::Formed(Form::Table),
            "The root that the key refers to; left out: this table is a root, a kind of person",
        ),
        key("birth_date", Shape::Text, "Of a root: the column with the birth date"),
        key("region", Shape::Text, "Of a root: the column with the region"),
    ],
};

pub(in super::super) static COLUMN: Mapping = Mapping {
    what: "a column",
    keys: &[
        required("data_category", Shape::Text, "What kind of data it holds"),
        key("mask", Shape::Mask, "Its own mask, before that of its category"),
        key(
            "data_subject",
            Shape::Map(&COLUMN_SUBJECT),
            "Another person than the row's, whom it is about",
        ),
    ],
};

pub(in super::super) static COLUMN_SUBJECT: Mapping = Mapping {
    what: "a column's data subject",
    keys: &[
        required("key", Shape::Text, "The column that holds the person's key"),
        key("of", Shape::Formed(Form::Table), "The root that the key refers to"),
    ],
};

pub(in super::super) static ROW_FILTER: Mapping = Mapping {
    what: "a row filter",
    keys: &[
        required("purposes", Shape::SomeTexts, "For which it holds"),
        required("where", Shape::Text, "An SQL expression over the table's own columns"),
    ],
};

pub(in super::super) static RETENTION: Mapping = Mapping {
    what: "retention",
    keys: &[
        required("column", Shape::Text, "A date or timestamp column of the table"),
        required("keep", Shape::Formed(Form::Interval), "How long, such as 3 years"),
        key("purposes", Shape::SomeTexts, "For which it holds; left out: all"),
    ],
};

pub(in super::super) static RELEASE: Mapping = Mapping {
    what: "a release entry",
    keys: &[
        required("purposes", Shape::SomeTexts, "For these and their children"),
        key(
            "data_categories",
            Shape::SomeTexts,
            "Of which it speaks, with all below them",
        ),
        key(
            "columns",
            Shape::SomeOf(&Shape::Formed(Form::Column)),
            "Of which it speaks, as schema.table.column",
        ),
        required(
            "as",
            Shape::Release,
            "raw, hidden, refuse, or a mask; {mask: {}} is the column's or category's own",
        ),
        key(
            "predicates",
            Shape::Words(|| words(&PREDICATES)),
            "refuse: only to be shown, not used in WHERE, JOIN, GROUP BY or ORDER BY",
        ),
    ],
};

pub(in super::super) static WRITE: Mapping = Mapping {
    what: "a writes entry",
    keys: &[
        required("purposes", Shape::SomeTexts, "For these and their children"),
        required("tables", Shape::SomeOf(&Shape::Formed(Form::Table)), "Into which"),
        required("allow", Shape::List(&Shape::Words(|| words(&VERBS))), "What is allowed"),
        key("columns", Shape::Texts, "That may be updated although they are not raw"),
    ],
};

pub(in super::super) static UNCLASSIFIED: Mapping = Mapping {
    what: "unclassified",
    keys: &[
        key(
            "table",
            Shape::Words(|| words(&UNCLASSIFIED_FORMS)),
            "That no rule speaks of; default refuse",
        ),
        key(
            "column",
            Shape::Words(|| words(&UNCLASSIFIED_FORMS)),
            "Of a classified table, that no rule speaks of; default hidden",
        ),
    ],
};

pub(in super::super) static FUNCTIONS: Mapping = Mapping {
    what: "functions",
    keys: &[required(
        "allow",
        Shape::List(&Shape::Formed(Form::Signature)),
        "By signature: app.initials(text)",
    )],
};

pub(in super::super) static CONSENT: Mapping = Mapping {
    what: "consent",
    keys: &[
        required("table", Shape::Formed(Form::Table), "Which"),
        required("subject", Shape::Text, "Its column with the person's key"),
        required("purpose", Shape::Text, "Its column with the purpose"),
        required("status", Shape::Text, "Its column with the status"),
        required("given", Shape::SomeScalars, "Values of status that give consent"),
        required(
            "withdrawn",
            Shape::SomeScalars,
            "Values of status that refuse or withdraw it",
        ),
        key("expires", Shape::Text, "Its column with the expiry"),
        key(
            "third_party",
            Shape::Text,
            "The value of purpose that stands for disclosure to third parties",
        ),
        key(
            "recorded_at",
            Shape::Text,
            "Its column with the time of the record: the latest speaks",
        ),
        key(
            "of",
            Shape::Formed(Form::Table),
            "The root that subject refers to, where there are several",
        ),
    ],
};

pub(in super::super) static CHILDREN: Mapping = Mapping {
    what: "children",
    keys: &[
        required("under", whole(1, 150), "The age"),
        key("purposes", Shape::Texts, "For which they exist all the same"),
        key(
            "unknown",
            Shape::Words(|| vec!["child"]),
            "child: an unknown birth date is a child's",
        ),
    ],
};

pub(in super::super) static NOTHING: Mapping = Mapping {
    what: "a mask without settings",
    keys: &[],
};

pub(in super::super) static PARTIAL: Mapping = Mapping {
    what: "partial",
    keys: &[
        key("prefix", whole(0, 10_000), "Characters kept at the start"),
        key("suffix", whole(0, 10_000), "Characters kept at the end"),
        key(
            "fill",
            Shape::Character,
            "One character, which stands for each other one; default *",
        ),
    ],
};

pub(in super::super) static DATE_SHIFT: Mapping = Mapping {
    what: "date_shift",
    keys: &[required("days", whole(1, 36_500), "The largest shift either way")],
};

pub(in super::super) static IP_PREFIX: Mapping = Mapping {
    what: "ip_prefix",
    keys: &[
        key("v4", whole(0, 32), "Bits kept of an IPv4 address; default 24"),
        key("v6", whole(0, 128), "Bits kept of an IPv6 address; default 48"),
    ],
};

pub(in super::super) static JSON: Mapping = Mapping {
    what: "json",
    keys: &[required(
        "keep",
        Shape::List(&Shape::Formed(Form::Path)),
        "Paths of keys that are kept, such as address.city",
    )],
};

/// What stands behind a mask's name.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum MaskShape {
    /// `{}`; the bare word will do.
    Nothing,
    /// One value.
    Value(Shape),
    /// A positive decimal number.
    Step,
}

/// All masks.
pub(in super::super) const MASKS: [(&str, MaskShape, &str); 13] = [
    ("null", MaskShape::Nothing, "NULL"),
    ("constant", MaskShape::Value(Shape::Scalar), "Always this value"),
    (
        "partial",
        MaskShape::Value(Shape::Map(&PARTIAL)),
        "Characters at both ends kept",
    ),
    (
        "email",
        MaskShape::Nothing,
        "First character and domain kept: j***@example.com",
    ),
    (
        "generalize",
        MaskShape::Value(Shape::Words(|| words(&GRAINS))),
        "Dates: the first day of the month, quarter, year or decade",
    ),
    ("round", MaskShape::Step, "Numbers: down to a multiple"),
    (
        "pseudonym",
        MaskShape::Nothing,
        "Keyed for each purpose: the same person is the same within one",
    ),
    ("hash", MaskShape::Nothing, "Keyed for all purposes alike"),
    (
        "fake",
        MaskShape::Value(Shape::Words(|| FAKE_KINDS.to_vec())),
        "An invented value",
    ),
    (
        "date_shift",
        MaskShape::Value(Shape::Map(&DATE_SHIFT)),
        "Dates: one shift for each person, so that intervals survive",
    ),
    (
        "ip_prefix",
        MaskShape::Value(Shape::Map(&IP_PREFIX)),
        "Addresses: the network",
    ),
    (
        "json",
        MaskShape::Value(Shape::Map(&JSON)),
        "Only some paths of a document",
    ),
    (
        "sql",
        MaskShape::Value(Shape::Formed(Form::Expression)),
        "An SQL expression of {}, the column",
    ),
];
