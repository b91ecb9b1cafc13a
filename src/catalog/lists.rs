//! The allow-lists: functions, operators, settings and catalog columns that are known to be
//! harmless, one a line with its reason, from the data files beside this module.
//!
//! Deny by default: what is on no list, and a line that cannot be read, is denied. Knows no catalog
//! of a server: which object a name means is settled before it is asked for here.

mod format;
mod functions;
mod operators;
mod relations;
mod settings;

#[cfg(test)]
mod tests;

pub use functions::{FunctionStatus, Special, Unless, function, function_in, special};
pub use operators::{operator_allowed, operator_total, trusted_extension};
pub use relations::{CatalogForm, CatalogRelation, catalog_refusal, catalog_relation};
pub use settings::{ONLY_LISTED, is_word_of_setting, may_set, may_show};
