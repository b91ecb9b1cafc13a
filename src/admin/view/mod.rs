//! What pages and reports show, as values for templates. Pure: no clock, no file, no socket. Escapes
//! nothing itself: texts are text until a template puts them into HTML.

pub mod chart;
pub mod entry;
pub mod gap;
pub mod reason;
pub mod words;
