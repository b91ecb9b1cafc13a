//! Masks as SQL: how a value is shown.
//!
//! Every expression made here is *total* (no stored value makes it fail, since an error would tell
//! of the value), keeps NULL, keeps the column's type, and names everything with its schema. A
//! domain's values come back as its base type (which is all that the wire shows of a domain), so
//! that a mask is never held against the domain's own checks.
//!
//! Knows nothing of who asks and why, nor where the expression will stand.

mod constant;
mod date;
mod fake;
mod json;
mod keyed;
mod kind;
mod number;
mod text;

use crate::catalog::{Catalog, Column};
use crate::policy::Mask;

use super::quote;
use kind::Kind;

pub use fake::KINDS as FAKE_KINDS;
pub use keyed::key_settings;

/// A mask that cannot be applied to a column of this type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mask {mask} does not fit column {column} of type {column_type}: {why}")]
pub struct Misfit {
    /// The mask's name.
    pub mask: &'static str,
    /// The column's name.
    pub column: String,
    /// The column's type as `format_type` prints it.
    pub column_type: String,
    /// What the mask needs, or what is wrong with its argument.
    pub why: String,
}

/// The session settings (see [`key_settings`]) that hold the keys of keyed masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaskKeys<'a> {
    /// Of `pseudonym`, `fake` and `date_shift`: one per purpose.
    pub pseudonym: &'a str,
    /// Of `hash`: one for all purposes.
    pub hash: &'a str,
}

/// What a mask is applied to.
struct Site<'a> {
    /// SQL of the value, of the base type where the column's type is a domain.
    value: String,
    kind: Kind,
    /// The type to cast to, with its modifier.
    cast: String,
    /// The same without modifier.
    bare_cast: String,
    keys: &'a MaskKeys<'a>,
    subject: Option<&'a str>,
}

impl Site<'_> {
    /// The value as text.
    fn text(&self) -> String {
        format!("{}::pg_catalog.text", self.value)
    }

    /// `expression` as the column's type.
    fn typed(&self, expression: &str) -> String {
        format!("({expression})::{}", self.cast)
    }

    /// `expression` as the column's type where the value is not NULL, else NULL.
    fn typed_unless_null(&self, expression: &str) -> String {
        format!(
            "(CASE WHEN {} IS NOT NULL THEN {} END)",
            self.value,
            self.typed(expression)
        )
    }
}

/// NULL of the column's type (of a domain: of its base type, since a domain may forbid NULL).
pub fn null_expression(column: &Column, types: &Catalog) -> String {
    format!("NULL::{}", kind::cast_type(column, types))
}

/// SQL of `mask` applied to `value_sql`, a reference to `column` that is inserted as it is.
///
/// `subject_sql` is a reference to the row's data-subject key, where the table has one.
///
/// # Errors
/// The mask does not fit the column.
pub fn mask_expression(
    mask: &Mask,
    column: &Column,
    types: &Catalog,
    value_sql: &str,
    keys: &MaskKeys<'_>,
    subject_sql: Option<&str>,
) -> Result<String, Misfit> {
    if *mask == Mask::Null {
        return Ok(null_expression(column, types));
    }
    let site = site(column, types, value_sql, keys, subject_sql);
    apply(mask, &site).map_err(|why| Misfit {
        mask: mask.name(),
        column: column.name.clone(),
        column_type: column.type_sql.clone(),
        why,
    })
}

/// Why `mask` cannot be applied to `column` of a table with a data subject, if so.
pub fn misfit(mask: &Mask, column: &Column, types: &Catalog) -> Option<Misfit> {
    let keys = MaskKeys {
        pseudonym: "pgpurpose.key",
        hash: "pgpurpose.key",
    };
    let value = quote::ident(&column.name);
    mask_expression(mask, column, types, &value, &keys, Some("subject")).err()
}

fn site<'a>(
    column: &Column,
    types: &Catalog,
    value_sql: &str,
    keys: &'a MaskKeys<'a>,
    subject: Option<&'a str>,
) -> Site<'a> {
    let (kind, base) = kind::of_column(column, types);
    match base {
        Some(base) => Site {
            value: format!("({value_sql})::{base}"),
            kind,
            cast: base.clone(),
            bare_cast: base,
            keys,
            subject,
        },
        None => Site {
            value: value_sql.to_owned(),
            cast: quote::type_name(&column.type_sql),
            bare_cast: kind
                .bare_type()
                .map_or_else(|| quote::type_name(&column.type_sql), str::to_owned),
            kind,
            keys,
            subject,
        },
    }
}

fn apply(mask: &Mask, site: &Site<'_>) -> Result<String, String> {
    match mask {
        Mask::Null => Ok(format!("NULL::{}", site.cast)),
        Mask::Constant(value) => constant::constant(value, site),
        Mask::Partial { prefix, suffix, fill } => text::partial(*prefix, *suffix, fill, site),
        Mask::Email => text::email(site),
        Mask::Generalize(grain) => date::generalize(*grain, site),
        Mask::Round(step) => number::round(step, site),
        Mask::Pseudonym => keyed::pseudonym(site.keys.pseudonym, site),
        Mask::Hash => keyed::pseudonym(site.keys.hash, site),
        Mask::Fake(kind) => fake::fake(kind, site),
        Mask::DateShift { days } => date::shift(*days, site),
        Mask::IpPrefix { v4, v6 } => number::ip_prefix(*v4, *v6, site),
        Mask::Json(paths) => json::keep(paths, site),
        Mask::Sql(expression) => text::custom(expression, site),
    }
}

/// `(left OPERATOR(pg_catalog.op) right)`
fn op(left: &str, operator: &str, right: &str) -> String {
    format!("({left} OPERATOR(pg_catalog.{operator}) {right})")
}

/// `'…'::pg_catalog.text`
fn text_literal(value: &str) -> String {
    format!("{}::pg_catalog.text", quote::literal(value))
}

#[cfg(test)]
mod tests;
