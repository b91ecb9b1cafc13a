//! `scope: one_subject`: the data subject that the session names.
//!
//! The subject reaches SQL as a setting, never as text of a statement: the client's, or one that the session
//! sets for a statement whose tag names a subject. What is no value of the
//! key's type matches no row, without an error.

use crate::catalog::{Catalog, QualifiedName};
use crate::policy::Policy;
use crate::rewrite::quote;

use super::key::{Family, KeyType};
use super::{FilterSql, Misbound, Target, find_column, key, key_type};

/// That of the statement's tag, else that of the session.
const SUBJECT: &str = "(CASE WHEN pg_catalog.length(pg_catalog.current_setting('pgpurpose.statement_subject', true)) \
                       OPERATOR(pg_catalog.>) 0 THEN pg_catalog.current_setting('pgpurpose.statement_subject', true) \
                       ELSE pg_catalog.current_setting('pgpurpose.subject', true) END)";

/// What uuid takes, without braces.
const UUID: &str = "^[0-9A-Fa-f]{4}(-?[0-9A-Fa-f]{4}){7}$";

/// `pgpurpose.subject` as read against the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectKey<'a> {
    /// The root that it is of.
    pub root: &'a QualifiedName,
    /// The key's text, the root's name taken off.
    pub key: &'a str,
}

/// Reads `pgpurpose.subject`: a key, or `root:key` (with or without the root's schema), which must
/// be so where there are several roots. `None`: no such root, or no value of its key's type.
pub fn subject_key<'a>(subject: &'a str, policy: &'a Policy, catalog: &Catalog) -> Option<SubjectKey<'a>> {
    let roots = roots(policy);
    let named = roots.iter().find_map(|root| {
        let prefixes = prefixes(root, &roots);
        let key = prefixes.iter().find_map(|p| subject.strip_prefix(p.as_str()))?;
        Some(SubjectKey { root, key })
    });
    let found = match (named, roots.as_slice()) {
        (Some(found), _) => found,
        (None, [only]) => SubjectKey {
            root: only,
            key: subject,
        },
        (None, _) => return None,
    };
    let key_column = &policy.tables.get(found.root)?.data_subject.as_ref()?.key;
    let column = find_column(catalog, found.root, key_column).ok()?;
    fits(found.key, &KeyType::of(column, catalog)).then_some(found)
}

/// Only the rows of the session's subject.
pub(super) fn one_subject(
    key: &str,
    target: &Target<'_>,
    policy: &Policy,
    catalog: &Catalog,
) -> Result<FilterSql, Misbound> {
    let own = key_type(catalog, target.table, key)?;
    let of = policy.tables.get(target.table).and_then(|t| t.data_subject.as_ref());
    let root = of.and_then(|s| s.of.as_ref()).unwrap_or(target.table);
    let text = key_text(root, &roots(policy));
    let wanted = as_key(&text, &own);
    let sql = key::equal((&target.column(key), &own), (&wanted, &own), target.table)?;
    Ok(FilterSql {
        sql,
        relations: Vec::new(),
    })
}

/// The roots of the rules, in their order.
fn roots(policy: &Policy) -> Vec<&QualifiedName> {
    let is_root = |t: &&crate::policy::TableRule| t.data_subject.as_ref().is_some_and(|s| s.of.is_none());
    policy.tables.values().filter(is_root).map(|t| &t.name).collect()
}

/// What may stand before a key of this root: `schema.name:`, and `name:` where no other has it.
fn prefixes(root: &QualifiedName, roots: &[&QualifiedName]) -> Vec<String> {
    let mut prefixes = vec![format!("{root}:")];
    if roots.iter().filter(|other| other.name == root.name).count() <= 1 {
        prefixes.push(format!("{}:", root.name));
    }
    prefixes
}

/// SQL of the key's text where the subject is of this root, else NULL.
fn key_text(root: &QualifiedName, roots: &[&QualifiedName]) -> String {
    let arms: Vec<String> = prefixes(root, roots)
        .iter()
        .map(|prefix| {
            let length = prefix.chars().count();
            format!(
                "WHEN pg_catalog.left({SUBJECT}, {length}) OPERATOR(pg_catalog.=) {} THEN pg_catalog.substr({SUBJECT}, {})",
                quote::literal(prefix),
                length + 1
            )
        })
        .collect();
    let bare = if roots.len() <= 1 { SUBJECT } else { "NULL" };
    format!("(CASE {} ELSE {bare} END)", arms.join(" "))
}

/// SQL of `text` as a value of the key's type, NULL where it is none.
fn as_key(text: &str, own: &KeyType<'_>) -> String {
    let like = |pattern: &str| {
        let pattern = quote::literal(pattern);
        format!("(({text} COLLATE pg_catalog.\"C\") OPERATOR(pg_catalog.~) {pattern})")
    };
    let integer = |name: &str, lowest: &str, highest: &str| {
        let number = format!("{text}::pg_catalog.numeric");
        format!(
            "(CASE WHEN {} THEN CASE WHEN ({number} OPERATOR(pg_catalog.>=) '{lowest}'::pg_catalog.numeric) \
             AND ({number} OPERATOR(pg_catalog.<=) '{highest}'::pg_catalog.numeric) \
             THEN {text}::pg_catalog.{name} END END)",
            like("^[-+]?[0-9]{1,30}$")
        )
    };
    match (own.oid, own.family, own.sql()) {
        (21, ..) => integer("int2", "-32768", "32767"),
        (23, ..) => integer("int4", "-2147483648", "2147483647"),
        (20, ..) => integer("int8", "-9223372036854775808", "9223372036854775807"),
        (1700, ..) => format!(
            "(CASE WHEN {} THEN {text}::pg_catalog.numeric END)",
            like("^[-+]?[0-9]{1,30}([.][0-9]{1,30})?$")
        ),
        (2950, ..) => format!("(CASE WHEN {} THEN {text}::pg_catalog.uuid END)", like(UUID)),
        (_, _, Some(name)) => format!("{text}::{name}"),
        (_, _, None) => format!("{text}::pg_catalog.text"),
    }
}

/// Whether `text` is a value of the key's type, by the same measure as [`as_key`]'s.
fn fits(text: &str, own: &KeyType<'_>) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |s: &str| (1..=30).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
    match own.oid {
        21 => digits(unsigned) && text.parse::<i16>().is_ok(),
        23 => digits(unsigned) && text.parse::<i32>().is_ok(),
        20 => digits(unsigned) && text.parse::<i64>().is_ok(),
        1700 => match unsigned.split_once('.') {
            Some((whole, decimals)) => digits(whole) && digits(decimals),
            None => digits(unsigned),
        },
        2950 => is_uuid(text),
        _ => !text.is_empty() && !text.contains('\0') && own.family != Family::Own,
    }
}

/// Groups of four hex digits, eight of them, a hyphen between any two or none.
fn is_uuid(text: &str) -> bool {
    let hex = |s: &str| !s.is_empty() && s.len().is_multiple_of(4) && s.bytes().all(|b| b.is_ascii_hexdigit());
    text.split('-').all(hex) && text.bytes().filter(u8::is_ascii_hexdigit).count() == 32
}
