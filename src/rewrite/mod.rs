//! From a resolved statement and a decision to edits at byte positions: a file per obligation.

pub mod aggregate;
pub mod bind;
pub mod edit;
pub mod errors;
pub mod keys;
pub mod mask;
pub mod obligation;
pub mod places;
pub mod plan;
mod printer;
pub mod query_span;
pub mod quote;
pub mod released;
pub mod rows;
mod write;
pub mod write_checks;
