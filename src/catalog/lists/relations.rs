//! Which relations of `pg_catalog` and `information_schema` a client may read, and their columns in
//! which form.
//!
//! The same for every role and purpose: the catalogs tell of the schema, never of a row.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::format::{Faults, Line, lines};

/// In which form a catalog's column is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatalogForm {
    /// As it is.
    Raw,
    /// NULL of its type.
    Hidden,
    /// NULL of its type where the rules protect anything in the database, else as it is.
    Shielded,
    /// A statement that names it is refused; `*` leaves it hidden.
    Refuse,
}

/// A relation that may be read.
#[derive(Debug, Default)]
pub struct CatalogRelation {
    columns: HashMap<&'static str, CatalogForm>,
    empty: bool,
}

impl CatalogRelation {
    /// The form of a column of that exact name, a system column included. One that is not listed is
    /// refused: a newer server has it, and nobody has decided it.
    pub fn form(&self, column: &str) -> CatalogForm {
        let every = RELATIONS.every.get(column);
        let form = self.columns.get(column).or(every);
        form.copied().unwrap_or(CatalogForm::Refuse)
    }

    /// It has no rows, whatever the server's has.
    pub const fn is_empty(&self) -> bool {
        self.empty
    }

    /// No listed column is hidden or refused. A newer server may have columns that are not listed:
    /// whoever lets the relation through as it is asks [`CatalogRelation::all_raw_in`].
    pub fn all_raw(&self) -> bool {
        self.columns.values().all(|form| *form == CatalogForm::Raw)
    }

    /// Each of these columns, which are those that the relation has on this server, is raw: the
    /// relation can be read as it is.
    pub fn all_raw_in<'a>(&self, columns: impl IntoIterator<Item = &'a str>) -> bool {
        columns.into_iter().all(|c| self.form(c) == CatalogForm::Raw)
    }
}

/// The list of relations.
#[derive(Debug, Default)]
pub(super) struct Relations {
    by_name: HashMap<&'static str, CatalogRelation>,
    refused: HashMap<&'static str, &'static str>,
    /// Columns that every relation has.
    every: HashMap<&'static str, CatalogForm>,
    #[cfg_attr(not(test), allow(dead_code))]
    pub faults: Faults,
}

pub(super) static RELATIONS: LazyLock<Relations> =
    LazyLock::new(|| Relations::read(include_str!("catalog_columns.txt")));

impl Relations {
    /// Reads the file.
    pub fn read(text: &'static str) -> Self {
        let mut read = Self::default();
        for line in lines(text, &mut read.faults) {
            match line.kind_and_reason() {
                Some(("raw", _)) => read.add_columns(line, CatalogForm::Raw),
                Some(("hidden", _)) => read.add_columns(line, CatalogForm::Hidden),
                Some(("shielded", _)) => read.add_columns(line, CatalogForm::Shielded),
                Some(("empty", _)) => {
                    read.add_columns(line, CatalogForm::Hidden);
                    read.mark_empty(line);
                }
                Some(("refuse", reason)) => read.add_refused(line, reason),
                Some(_) | None => read.faults.add(line.number, "unknown kind of block"),
            }
        }
        for name in read.refused.keys() {
            if read.by_name.remove(name).is_some() {
                read.faults.add(0, &format!("{name} is refused and has columns"));
            }
        }
        read
    }

    /// `schema.relation column column…`
    fn add_columns(&mut self, line: Line, form: CatalogForm) {
        let mut words = line.text.split_whitespace();
        let columns = match words.next() {
            Some("*") => &mut self.every,
            Some(name) if name.contains('.') => &mut self.by_name.entry(name).or_default().columns,
            Some(_) | None => return self.faults.add(line.number, "no schema"),
        };
        for column in words {
            if let Some(earlier) = columns.insert(column, form) {
                self.faults.add(line.number, &format!("{column} is listed twice"));
                if earlier != CatalogForm::Raw {
                    columns.insert(column, earlier);
                }
            }
        }
    }

    /// Of a line of columns, the relation.
    fn mark_empty(&mut self, line: Line) {
        let relation = line
            .text
            .split_whitespace()
            .next()
            .and_then(|name| self.by_name.get_mut(name));
        if let Some(relation) = relation {
            relation.empty = true;
        }
    }

    /// `schema.relation schema.relation…`
    fn add_refused(&mut self, line: Line, reason: &'static str) {
        for name in line.text.split_whitespace() {
            if self.refused.insert(name, reason).is_some() {
                self.faults.add(line.number, &format!("{name} is listed twice"));
            }
        }
    }
}

/// The relation of that exact name, if a client may read it; `None`: a statement that names it is
/// refused, see [`catalog_refusal`].
pub fn catalog_relation(schema: &str, name: &str) -> Option<&'static CatalogRelation> {
    RELATIONS.by_name.get(format!("{schema}.{name}").as_str())
}

/// Why a relation may not be read; `None`: it may, or it is on no list.
pub fn catalog_refusal(schema: &str, name: &str) -> Option<&'static str> {
    RELATIONS.refused.get(format!("{schema}.{name}").as_str()).copied()
}
