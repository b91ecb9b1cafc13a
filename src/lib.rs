//! `pgpurpose`: purpose limitation on the PostgreSQL wire.
//!
//! # The life of a query
//!
//! ```text
//!  client ── downstream ── session ──────────────────────── upstream ── PostgreSQL
//!                             │  ClientSql           Recorded ▲
//!                             ▼                                │
//!            sql ── policy ── rewrite ── verify ── Verified ── audit
//!           (reads)  (decides)  (edits)   (the gate)       (journal)
//! ```
//!
//! # Layers
//!
//! Pure, no I/O and no clock: [`catalog`], [`policy`], [`rules`], [`sql`], [`rewrite`], [`verify`],
//! joined in [`pipeline`]; [`check`] holds rules against a catalog, [`password`] what proves one. Shell: [`tls`],
//! [`wire`], [`audit`], [`upstream`], [`downstream`], [`session`], [`pages`], [`admin`], [`cli`]. Arrows go one way, up
//! this list; `tests/layers.rs` holds them.
//!
//! # Invariants
//!
//! 1. Only verified text reaches PostgreSQL: the upstream's SQL-bearing methods take a
//!    [`audit::Recorded`], which only the journal makes, out of a [`verify::Verified`], which only
//!    the gate makes.
//! 2. The decision is a pure function of statement, request, rules and catalog.
//! 3. No row leaves before the audit record that tells of it is written.
//! 4. What is not understood is refused.
//!
//! # Glossary
//!
//! *purpose*: what data is used for. *access purpose*: that of one statement. *intended purposes*:
//! what a table was `collected_for`. *released relation*: the rows and column forms of a table that
//! one request may see. *classified*: has an entry in `tables`. *protected*: classified, and with a
//! column above sensitivity none or a population rule. *gap*: what no rule speaks of.

pub mod admin;
pub mod audit;
pub mod catalog;
pub mod check;
pub mod cli;
pub mod downstream;
mod examine;
pub mod pages;
pub mod password;
pub mod pipeline;
pub mod policy;
pub mod rewrite;
pub mod rules;
pub mod session;
pub mod sql;
pub mod tls;
pub mod upstream;
pub mod verify;
pub mod wire;
