//! The types of columns and expressions, as the grammar tells them apart.

/// One of the types of `schema.sql`; varchar counts as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Type {
    Bool,
    Int,
    Bigint,
    Numeric,
    Float,
    Text,
    Date,
    Timestamp,
    Timestamptz,
    Interval,
    Uuid,
    Json,
    Jsonb,
    Ints,
    Texts,
    Inet,
    Bytea,
    Mood,
}

impl Type {
    pub const ALL: [Self; 18] = [
        Self::Bool,
        Self::Int,
        Self::Bigint,
        Self::Numeric,
        Self::Float,
        Self::Text,
        Self::Date,
        Self::Timestamp,
        Self::Timestamptz,
        Self::Interval,
        Self::Uuid,
        Self::Json,
        Self::Jsonb,
        Self::Ints,
        Self::Texts,
        Self::Inet,
        Self::Bytea,
        Self::Mood,
    ];

    /// As `expressions.txt` and SQL name it.
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Bigint => "bigint",
            Self::Numeric => "numeric",
            Self::Float => "float",
            Self::Text => "text",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Timestamptz => "timestamptz",
            Self::Interval => "interval",
            Self::Uuid => "uuid",
            Self::Json => "json",
            Self::Jsonb => "jsonb",
            Self::Ints => "int[]",
            Self::Texts => "text[]",
            Self::Inet => "inet",
            Self::Bytea => "bytea",
            Self::Mood => "mood",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.sql() == name)
    }

    /// Of a column, as format_type() names its type.
    pub fn of_column(name: &str) -> Option<Self> {
        Some(match name.split('(').next().unwrap_or_default() {
            "boolean" => Self::Bool,
            "integer" => Self::Int,
            "double precision" => Self::Float,
            "character varying" => Self::Text,
            "timestamp without time zone" => Self::Timestamp,
            "timestamp with time zone" => Self::Timestamptz,
            "integer[]" => Self::Ints,
            other => return Self::named(other),
        })
    }

    /// It has a default order, so that it can be sorted, grouped and made distinct.
    pub const fn is_ordered(self) -> bool {
        !matches!(self, Self::Json)
    }

    /// Values as text; many are in the tables, hidden rows included.
    pub const fn samples(self) -> &'static [&'static str] {
        match self {
            Self::Bool => &["true", "false"],
            Self::Int => &["1", "0", "5", "-3", "12", "20"],
            Self::Bigint => &["1", "0", "39", "100000000000"],
            Self::Numeric => &["1.50", "0", "100.00", "37.25", "-20"],
            Self::Float => &["0.5", "0", "12.5", "-2"],
            Self::Text => &[
                "x",
                "",
                "eu",
                "POISON-4",
                "5",
                "user1@mail1.example",
                "memo 1",
                "a",
                "given",
            ],
            Self::Date => &["2024-12-31", "1952-03-21", "2021-01-01"],
            Self::Timestamp => &["2025-01-03 05:30:00", "2000-01-01 00:00:00"],
            Self::Timestamptz => &["2024-06-01 00:00:00+00", "1905-01-01 00:00:00+00"],
            Self::Interval => &["01:30:00", "3 days", "-1 mon"],
            Self::Uuid => &[
                "b25b0651-e4b6-e887-e519-4135d3692631",
                "00000000-0000-0000-0000-000000000000",
            ],
            Self::Json => &["{\"a\": 1}", "[1, \"x\"]"],
            Self::Jsonb => &["{\"n\": 1}", "[1, \"x\"]", "{\"open\": {\"k\": \"v1\"}}"],
            Self::Ints => &["{1,2}", "{}", "{5,NULL}"],
            Self::Texts => &["{a,b}", "{}", "{n}"],
            Self::Inet => &["10.1.2.0/24", "192.168.7.9", "2001:db8::1"],
            Self::Bytea => &["\\x0001", "\\x"],
            Self::Mood => &["calm", "glad"],
        }
    }

    /// A constant of this type in SQL.
    pub fn literal(self, value: &str) -> String {
        match self {
            Self::Bool => value.to_owned(),
            Self::Int if !value.starts_with('-') => value.to_owned(),
            _ => format!("'{}'::{}", value.replace('\'', "''"), self.sql()),
        }
    }
}
