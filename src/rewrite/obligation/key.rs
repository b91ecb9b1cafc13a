//! Keys of data subjects: when two are equal, whatever the search_path says `=` is.

use crate::catalog::{Catalog, Column, Oid, QualifiedName, Type, TypeKind};
use crate::rewrite::quote;

use super::{Misbound, misbound};

/// The first oid that is no built-in object's.
const FIRST_NORMAL_OID: Oid = 16_384;

/// What is compared with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// smallint, integer, bigint, numeric: compared with each other as they are.
    Number,
    /// text, character varying, character, name: compared as text.
    Text,
    /// citext: compared without regard to case.
    Citext,
    /// Any other: compared with its own type only.
    Own,
}

/// The type of a key column, domains looked through.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyType<'c> {
    pub(super) oid: Oid,
    pub(super) family: Family,
    /// Its entry in the catalog, if there.
    pub(super) entry: Option<&'c Type>,
    /// The schema of its `=`, where that is known.
    equality: Option<&'c str>,
}

impl<'c> KeyType<'c> {
    pub(super) fn of(column: &Column, catalog: &'c Catalog) -> Self {
        let oid = base_oid(column.type_oid, catalog);
        let entry = catalog.type_by_oid(oid);
        let is_citext = entry.is_some_and(|t| t.name.name == "citext" && t.extension.as_deref() == Some("citext"));
        let is_enum = entry.is_some_and(|t| t.kind == TypeKind::Enum);
        let family = match oid {
            20 | 21 | 23 | 1700 => Family::Number,
            19 | 25 | 1042 | 1043 => Family::Text,
            _ if is_citext => Family::Citext,
            _ => Family::Own,
        };
        let equality = if oid < FIRST_NORMAL_OID || is_enum {
            Some("pg_catalog")
        } else {
            let mut operators = catalog.operators_named("=");
            operators
                .find(|o| o.left == oid && o.right == oid)
                .map(|o| o.name.schema.as_str())
        };
        Self {
            oid,
            family,
            entry,
            equality,
        }
    }

    /// The type's own name, for casts.
    pub(super) fn sql(&self) -> Option<String> {
        self.entry.map(|t| quote::qualified(&t.name))
    }
}

/// The type below all domains.
pub(super) fn base_oid(oid: Oid, catalog: &Catalog) -> Oid {
    let mut current = oid;
    for _ in 0..64 {
        match catalog.type_by_oid(current).map(|t| t.kind) {
            Some(TypeKind::Domain(base)) => current = base,
            _ => return current,
        }
    }
    current
}

/// `(a = b)`, by the operator that the types themselves have.
pub(super) fn equal(
    (left, left_type): (&str, &KeyType<'_>),
    (right, right_type): (&str, &KeyType<'_>),
    table: &QualifiedName,
) -> Result<String, Misbound> {
    let in_catalog = |a: &str, b: &str| format!("({a} OPERATOR(pg_catalog.=) {b})");
    match (left_type.family, right_type.family) {
        (Family::Number, Family::Number) => Ok(in_catalog(left, right)),
        // As they are where they are the same, so that an index serves.
        (Family::Text, Family::Text) if left_type.oid == right_type.oid => Ok(in_catalog(left, right)),
        (Family::Text, Family::Text) => Ok(in_catalog(
            &format!("{left}::pg_catalog.text"),
            &format!("{right}::pg_catalog.text"),
        )),
        (Family::Citext, Family::Citext | Family::Text) => by_own(left, right, left_type, table),
        (Family::Text, Family::Citext) => by_own(left, right, right_type, table),
        (Family::Own, Family::Own) if left_type.oid == right_type.oid => by_own(left, right, left_type, table),
        (Family::Number | Family::Text | Family::Citext | Family::Own, _) => Err(misbound(
            table,
            "the keys of the data subject are of different types".into(),
        )),
    }
}

/// By the `=` of `own`, both sides cast to it (which changes nothing where they are of it already).
fn by_own(left: &str, right: &str, own: &KeyType<'_>, table: &QualifiedName) -> Result<String, Misbound> {
    let (Some(schema), Some(name)) = (own.equality, own.sql()) else {
        return Err(misbound(
            table,
            "the data subject's key is of a type without equality".into(),
        ));
    };
    Ok(format!(
        "({left}::{name} OPERATOR({}.=) {right}::{name})",
        quote::ident(schema)
    ))
}
