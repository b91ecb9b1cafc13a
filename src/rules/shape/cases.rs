//! The table of keys of `*.test.yaml` (policy.md section 12).

use super::{Form, Key, Mapping, Shape};

const fn key(name: &'static str, required: bool, shape: Shape, about: &'static str) -> Key {
    Key {
        name,
        shape,
        required,
        about,
    }
}

pub(in super::super) static TEST_FILE: Mapping = Mapping {
    what: "a file of cases",
    keys: &[
        key(
            "schema",
            true,
            Shape::Text,
            "The schema file, or a snapshot that `pgpurpose catalog` wrote",
        ),
        key(
            "database",
            false,
            Shape::Text,
            "Which database's rules; left out: found by the schema's tables",
        ),
        key("search_path", false, Shape::Texts, "Of all cases"),
        key(
            "cases",
            true,
            Shape::List(&Shape::Map(&CASE)),
            "Statements, each with what is expected of it",
        ),
    ],
};

pub(in super::super) static CASE: Mapping = Mapping {
    what: "a case",
    keys: &[
        key("name", true, Shape::Text, "What it shows"),
        key("given", true, Shape::Map(&GIVEN), "Who asks, and for what"),
        key("when", true, Shape::Text, "The statement"),
        key(
            "then",
            true,
            Shape::Map(&THEN),
            "What is expected; what is left out may be as it likes",
        ),
    ],
};

pub(in super::super) static GIVEN: Mapping = Mapping {
    what: "given",
    keys: &[
        key("role", true, Shape::Text, "The database role"),
        key(
            "purpose",
            false,
            Shape::Scalar,
            "The declared purpose; left out: the role's default",
        ),
        key("reason", false, Shape::Scalar, "The declared reason"),
        key("subject", false, Shape::Scalar, "The declared data subject"),
        key("actor", false, Shape::Scalar, "Who sits in front of the application"),
        key("on", false, Shape::Day, "On which day; left out: today"),
    ],
};

pub(in super::super) static THEN: Mapping = Mapping {
    what: "then",
    keys: &[
        key(
            "outcome",
            false,
            Shape::Words(|| vec!["allow", "mask", "filter", "refuse", "gap", "error"]),
            "What becomes of the statement",
        ),
        key(
            "code",
            false,
            Shape::Text,
            "The code of the reason, where it is refused",
        ),
        key(
            "fields",
            false,
            Shape::Named(Form::Any, &Shape::Shown),
            "The form in which a column is shown",
        ),
        key(
            "row_filters",
            false,
            Shape::Texts,
            "The names of all row filters that apply",
        ),
    ],
};
