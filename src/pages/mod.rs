//! HTML pages: each one text with its style in it, which needs nothing from anywhere and can be
//! mailed, kept and printed. Dark where the reader's screen is.
//!
//! Knows the policy as data; decides nothing.

mod matrix;

pub use matrix::{MatrixOf, matrix, matrix_tables};

/// The style of all pages.
pub const STYLE: &str = include_str!("style.css");
