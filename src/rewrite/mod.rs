//! From a resolved statement and a decision to edits at byte positions: a file per obligation.

pub mod errors;
pub mod mask;
pub mod obligation;
pub mod quote;
