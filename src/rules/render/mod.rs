//! Findings as people and programs want them: underlined text, JSON, SARIF, GitHub annotations.

mod github;
mod json;
mod sarif;
mod text;
