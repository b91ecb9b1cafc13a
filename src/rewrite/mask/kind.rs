//! What a mask needs to know of a column's type.

use crate::catalog::{Catalog, Column, Oid, Type, TypeKind};
use crate::rewrite::quote;

/// A type as masks tell them apart, with the modifier where it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// text
    Text,
    /// character varying, with its length
    Varchar(Option<usize>),
    /// character, with its length
    Bpchar(Option<usize>),
    /// name
    Name,
    /// The citext extension's type.
    Citext,
    /// boolean
    Bool,
    /// smallint
    Int2,
    /// integer
    Int4,
    /// bigint
    Int8,
    /// numeric, with precision and scale
    Numeric(Option<(i32, i32)>),
    /// real
    Float4,
    /// double precision
    Float8,
    /// date
    Date,
    /// timestamp without time zone
    Timestamp,
    /// timestamp with time zone
    Timestamptz,
    /// uuid
    Uuid,
    /// inet
    Inet,
    /// cidr
    Cidr,
    /// json
    Json,
    /// jsonb
    Jsonb,
    /// Anything else: only `null` and `sql` fit.
    Other,
}

impl Kind {
    pub(super) const fn is_text(self) -> bool {
        matches!(
            self,
            Self::Text | Self::Varchar(_) | Self::Bpchar(_) | Self::Name | Self::Citext
        )
    }

    /// The type without a length modifier, where a mask may have to drop one.
    pub(super) const fn bare_type(self) -> Option<&'static str> {
        match self {
            Self::Varchar(_) => Some("pg_catalog.varchar"),
            Self::Bpchar(_) => Some("pg_catalog.bpchar"),
            Self::Text
            | Self::Name
            | Self::Citext
            | Self::Bool
            | Self::Int2
            | Self::Int4
            | Self::Int8
            | Self::Numeric(_)
            | Self::Float4
            | Self::Float8
            | Self::Date
            | Self::Timestamp
            | Self::Timestamptz
            | Self::Uuid
            | Self::Inet
            | Self::Cidr
            | Self::Json
            | Self::Jsonb
            | Self::Other => None,
        }
    }
}

/// The kind of a column's type, and its base type as SQL where it is a domain.
pub(super) fn of_column(column: &Column, types: &Catalog) -> (Kind, Option<String>) {
    match base_type(column.type_oid, types) {
        Some(base) => (of_type(base.oid, None, types), Some(quote::qualified(&base.name))),
        None => (of_type(column.type_oid, modifier(&column.type_sql), types), None),
    }
}

/// The type to which a shown value of this column is cast.
pub(super) fn cast_type(column: &Column, types: &Catalog) -> String {
    match base_type(column.type_oid, types) {
        Some(base) => quote::qualified(&base.name),
        None => quote::type_name(&column.type_sql),
    }
}

/// The type below all domains; `None` where `oid` is no domain (or none that is known).
fn base_type(oid: Oid, types: &Catalog) -> Option<&Type> {
    let mut current = types.type_by_oid(oid)?;
    if !matches!(current.kind, TypeKind::Domain(_)) {
        return None;
    }
    // Domains cannot be circular in PostgreSQL; the bound is for a catalog that is not PostgreSQL's.
    for _ in 0..64 {
        match current.kind {
            TypeKind::Domain(base) => current = types.type_by_oid(base)?,
            TypeKind::Base
            | TypeKind::Composite(_)
            | TypeKind::Enum
            | TypeKind::Pseudo
            | TypeKind::Range
            | TypeKind::Multirange => return Some(current),
        }
    }
    None
}

/// Built-in types by their oids, which PostgreSQL never changes.
fn of_type(oid: Oid, modifier: Option<(i32, Option<i32>)>, types: &Catalog) -> Kind {
    let length = modifier.and_then(|(n, _)| usize::try_from(n).ok());
    match oid {
        16 => Kind::Bool,
        19 => Kind::Name,
        20 => Kind::Int8,
        21 => Kind::Int2,
        23 => Kind::Int4,
        25 => Kind::Text,
        114 => Kind::Json,
        650 => Kind::Cidr,
        700 => Kind::Float4,
        701 => Kind::Float8,
        869 => Kind::Inet,
        1042 => Kind::Bpchar(length),
        1043 => Kind::Varchar(length),
        1082 => Kind::Date,
        1114 => Kind::Timestamp,
        1184 => Kind::Timestamptz,
        1700 => Kind::Numeric(modifier.map(|(p, s)| (p, s.unwrap_or(0)))),
        2950 => Kind::Uuid,
        3802 => Kind::Jsonb,
        _ if is_citext(types.type_by_oid(oid)) => Kind::Citext,
        _ => Kind::Other,
    }
}

fn is_citext(found: Option<&Type>) -> bool {
    found.is_some_and(|t| t.name.name == "citext" && t.extension.as_deref() == Some("citext"))
}

/// The numbers in parentheses of a type's text: `(10,2)`, `(40)`.
fn modifier(type_sql: &str) -> Option<(i32, Option<i32>)> {
    let (_, rest) = type_sql.split_once('(')?;
    let (inside, _) = rest.split_once(')')?;
    match inside.split_once(',') {
        Some((first, second)) => Some((first.trim().parse().ok()?, Some(second.trim().parse().ok()?))),
        None => Some((inside.trim().parse().ok()?, None)),
    }
}
