//! Obligations as SQL: consent, scope, retention, children, transfers.

use crate::catalog::{Catalog, Relation};
use crate::policy::{Condition, Policy, RowFilter};

/// The condition under which a value is shown in a row.
///
/// # Errors
/// It cannot be expressed over this schema.
pub fn condition_sql(c: &Condition, _: &Relation, _: &str, _: &Policy, _: &Catalog) -> Result<String, String> {
    Err(format!("consent of {} is not enforced yet", c.root))
}

/// The condition under which a row exists.
///
/// # Errors
/// It cannot be expressed over this schema.
pub fn filter_sql(filter: &RowFilter, _: &Relation, _: &str, _: &Policy, _: &Catalog) -> Result<String, String> {
    Err(format!("{} is not enforced yet", filter.name()))
}
