//! PostgreSQL's lexical rules (`scan.l`, standard_conforming_strings on): tokens with byte spans.
//!
//! Knows no grammar. The gate reads with PostgreSQL's own scanner, so an error here is a refusal,
//! never a leak.
