//! Row filters and consent conditions as SQL.
//!
//! Everything is named with its schema, fails for no stored value, and is not true where something
//! is unknown. Days begin in UTC, whatever the session's TimeZone: a client could else move them.
//! The time is that of the statement, since a transaction can be kept open for days.
//!
//! `row_filters` (`RowFilter::Where`) are bound elsewhere: they are SQL of the rules' author, whose
//! names must be resolved. Knows nothing of where the conditions will stand.

mod consent;
mod key;
mod subject;

use crate::catalog::{Catalog, Column, QualifiedName};
use crate::policy::{Policy, RowFilter};

use super::quote;
use key::KeyType;

pub use consent::condition_sql;
pub use subject::{SubjectKey, subject_key};

/// The time of the statement, as timestamp in UTC.
const UTC_NOW: &str = "pg_catalog.timezone('UTC', pg_catalog.statement_timestamp())";

/// A condition as SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterSql {
    /// A boolean expression; what is not true counts as false.
    pub sql: String,
    /// The relations that its sub-queries read, in the order in which they stand.
    pub relations: Vec<QualifiedName>,
}

/// A rule that does not fit the database: what it names is not there, or of another type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{relation}: {why}")]
pub struct Misbound {
    /// The table that the rule speaks of.
    pub relation: QualifiedName,
    /// What is wrong.
    pub why: String,
}

/// Whether two keys of data subjects can be compared.
///
/// # Errors
/// One is not there, or they are of different types.
pub fn comparable(
    (table, column): (&QualifiedName, &str),
    (root, root_key): (&QualifiedName, &str),
    catalog: &Catalog,
) -> Result<(), Misbound> {
    let (own, of_root) = (key_type(catalog, table, column)?, key_type(catalog, root, root_key)?);
    key::equal(("a", &own), ("b", &of_root), table).map(drop)
}

/// The table whose rows are tested.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The name of its entry in the rules (of a partition: the parent's).
    pub table: &'a QualifiedName,
    /// SQL of the name by which its columns are reached: an alias or a qualified name.
    pub alias: &'a str,
}

impl Target<'_> {
    /// `alias.column`
    fn column(&self, name: &str) -> String {
        format!("{}.{}", self.alias, quote::ident(name))
    }

    /// A name for a relation of a sub-query, sure not to hide the target's.
    fn inner_alias(&self, wanted: &str) -> String {
        let mut alias = format!("pgpurpose_{wanted}");
        while self.alias.contains(&alias) {
            alias.push('_');
        }
        alias
    }
}

/// The condition under which a row of the target exists, as far as this filter goes.
///
/// # Errors
/// The filter does not fit the catalog, or is a `row_filters` entry, which is not bound here.
pub fn filter_sql(
    filter: &RowFilter,
    target: &Target<'_>,
    policy: &Policy,
    catalog: &Catalog,
) -> Result<FilterSql, Misbound> {
    match filter {
        RowFilter::Where { place, .. } => Err(Misbound {
            relation: target.table.clone(),
            why: format!("the row filter of {place} is not bound here"),
        }),
        RowFilter::OneSubject { key } => subject::one_subject(key, target, policy, catalog),
        RowFilter::Retention { column, keep, .. } => retention(column, keep, target, catalog),
        RowFilter::Children {
            key,
            root,
            root_key,
            birth_date,
            under,
            unknown_is_child,
            ..
        } => {
            let root = Root {
                name: root,
                key: root_key,
                own_key: key,
            };
            children(&root, birth_date, *under, *unknown_is_child, target, catalog)
        }
        RowFilter::Transfer {
            key,
            root,
            root_key,
            region,
            restricted,
            ..
        } => {
            let root = Root {
                name: root,
                key: root_key,
                own_key: key,
            };
            transfer(&root, region, restricted, target, catalog)
        }
        RowFilter::Consent(condition) => condition_sql(condition, target, policy, catalog),
    }
}

/// A root table and how the target refers to it.
struct Root<'a> {
    name: &'a QualifiedName,
    key: &'a str,
    own_key: &'a str,
}

impl Root<'_> {
    /// That no row of the target's subject in the root is other than `predicate` says and, where
    /// it says so, that there is one. Where the target is the root, its own row is looked at.
    fn subject_is(
        &self,
        predicate: &dyn Fn(&str) -> Predicate,
        column: &str,
        target: &Target<'_>,
        catalog: &Catalog,
    ) -> Result<FilterSql, Misbound> {
        if target.table == self.name {
            let Predicate { good, .. } = predicate(&target.column(column));
            return Ok(FilterSql {
                sql: good,
                relations: Vec::new(),
            });
        }
        let alias = target.inner_alias("root");
        let same = key::equal(
            (
                &format!("{alias}.{}", quote::ident(self.key)),
                &key_type(catalog, self.name, self.key)?,
            ),
            (
                &target.column(self.own_key),
                &key_type(catalog, target.table, self.own_key)?,
            ),
            target.table,
        )?;
        let Predicate { good, must_exist } = predicate(&format!("{alias}.{}", quote::ident(column)));
        let rows = format!("SELECT FROM {} AS {alias} WHERE {same}", quote::qualified(self.name));
        // "Not good" is what makes a row bad, an unknown included.
        let none_bad = format!("NOT EXISTS ({rows} AND ({good}) IS NOT TRUE)");
        let mut relations = vec![self.name.clone()];
        let sql = if must_exist {
            relations.push(self.name.clone());
            format!("(EXISTS ({rows}) AND {none_bad})")
        } else {
            format!("({none_bad})")
        };
        Ok(FilterSql { sql, relations })
    }
}

/// What must hold of a subject's row in its root.
struct Predicate {
    good: String,
    /// A subject without a row there is ruled out.
    must_exist: bool,
}

/// Kept no longer than `keep`: a row without a date does not exist.
fn retention(column: &str, keep: &str, target: &Target<'_>, catalog: &Catalog) -> Result<FilterSql, Misbound> {
    let moment = Moment::of(catalog, target.table, column)?;
    let oldest = format!(
        "({UTC_NOW} OPERATOR(pg_catalog.-) {}::pg_catalog.interval)",
        quote::literal(keep)
    );
    Ok(FilterSql {
        sql: format!(
            "({} OPERATOR(pg_catalog.>=) {})",
            target.column(column),
            moment.of_utc(&oldest)
        ),
        relations: Vec::new(),
    })
}

/// Subjects under the age do not exist. Who has the age today is no child any more.
fn children(
    root: &Root<'_>,
    birth_date: &str,
    under: u32,
    unknown_is_child: bool,
    target: &Target<'_>,
    catalog: &Catalog,
) -> Result<FilterSql, Misbound> {
    let moment = Moment::of(catalog, root.name, birth_date)?;
    if under > 200 {
        return Err(misbound(root.name, format!("an age of {under} years is none")));
    }
    let today = format!("({UTC_NOW})::pg_catalog.date");
    let cutoff = format!("({today} OPERATOR(pg_catalog.-) pg_catalog.make_interval({under}))::pg_catalog.date");
    let predicate = |born: &str| {
        let is_old_enough = format!("({} OPERATOR(pg_catalog.<=) {cutoff})", moment.utc_date(born));
        Predicate {
            good: if unknown_is_child {
                format!("({is_old_enough} IS TRUE)")
            } else {
                format!("({is_old_enough} OR {born} IS NULL)")
            },
            must_exist: unknown_is_child,
        }
    };
    root.subject_is(&predicate, birth_date, target, catalog)
}

/// Subjects of a restricted region do not exist, nor do those of an unknown one. Regions are held
/// against each other without regard to case, since `EU` is as restricted as `eu`.
fn transfer(
    root: &Root<'_>,
    region: &str,
    restricted: &[String],
    target: &Target<'_>,
    catalog: &Catalog,
) -> Result<FilterSql, Misbound> {
    find_column(catalog, root.name, region)?;
    let folded: Vec<String> = restricted.iter().map(|r| r.trim().to_ascii_lowercase()).collect();
    let list = quote::text_array(folded.iter().map(String::as_str));
    let predicate = |at: &str| Predicate {
        good: format!(
            "(pg_catalog.lower(pg_catalog.btrim({at}::pg_catalog.text) COLLATE pg_catalog.\"C\") \
             OPERATOR(pg_catalog.<>) ALL ({list}))"
        ),
        must_exist: true,
    };
    root.subject_is(&predicate, region, target, catalog)
}

/// The types in which a rule may find a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Date,
    Timestamp,
    Timestamptz,
}

impl Moment {
    fn of(catalog: &Catalog, table: &QualifiedName, column: &str) -> Result<Self, Misbound> {
        let found = find_column(catalog, table, column)?;
        match key::base_oid(found.type_oid, catalog) {
            1082 => Ok(Self::Date),
            1114 => Ok(Self::Timestamp),
            1184 => Ok(Self::Timestamptz),
            _ => Err(misbound(
                table,
                format!("column {column} must be a date or a timestamp, not {}", found.type_sql),
            )),
        }
    }

    /// A timestamp in UTC as this type.
    fn of_utc(self, timestamp: &str) -> String {
        match self {
            Self::Date => format!("{timestamp}::pg_catalog.date"),
            Self::Timestamp => timestamp.to_owned(),
            Self::Timestamptz => format!("pg_catalog.timezone('UTC', {timestamp})"),
        }
    }

    /// A value of this type as its day in UTC.
    fn utc_date(self, value: &str) -> String {
        match self {
            Self::Date => value.to_owned(),
            Self::Timestamp => format!("{value}::pg_catalog.date"),
            Self::Timestamptz => format!("pg_catalog.timezone('UTC', {value})::pg_catalog.date"),
        }
    }
}

fn find_column<'c>(catalog: &'c Catalog, table: &QualifiedName, name: &str) -> Result<&'c Column, Misbound> {
    catalog
        .relation(table)
        .ok_or_else(|| misbound(table, "there is no such table".into()))?
        .column(name)
        .ok_or_else(|| misbound(table, format!("there is no column {name}")))
}

fn key_type<'c>(catalog: &'c Catalog, table: &QualifiedName, column: &str) -> Result<KeyType<'c>, Misbound> {
    Ok(KeyType::of(find_column(catalog, table, column)?, catalog))
}

fn misbound(relation: &QualifiedName, why: String) -> Misbound {
    Misbound {
        relation: relation.clone(),
        why,
    }
}
