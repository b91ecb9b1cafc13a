//! What `classify` looks at besides the catalog: comments, foreign keys, and some rows of each table.
//!
//! Over a connection of its own whose every transaction is read only and ends after a few seconds. The
//! text that asks for rows is a fixed template with quoted names of the catalog in it, built here and
//! nowhere else. Values are handed to the caller, who judges them and forgets them.

use std::collections::HashMap;
use std::fmt::Write as _;

use bytes::BytesMut;

use super::ask::{self, AskError, rows};
use super::loader;
use super::{Server, Target, Upstream, UpstreamError};
use crate::catalog::{Catalog, Oid, Relation, RelationKind};
use crate::wire::encode;

/// A single-column foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The table that has it.
    pub table: Oid,
    /// Its column's number.
    pub column: i16,
    /// The table that it refers to.
    pub of: Oid,
    /// That table's column.
    pub key: i16,
}

/// Besides the catalog.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// Comments on tables (column 0) and columns.
    pub comments: HashMap<(Oid, i16), String>,
    /// Foreign keys of one column.
    pub foreign_keys: Vec<ForeignKey>,
    /// Estimated rows of each table.
    pub rows: HashMap<Oid, f64>,
}

const SETTINGS: &str = "SET default_transaction_read_only = on; SET statement_timeout = '15s'; SET lock_timeout = '2s'; \
                        SET search_path = ''; SET DateStyle = 'ISO'";

const QUERIES: &[&str] = &[
    concat!(
        "SELECT d.objoid, d.objsubid, d.description FROM pg_catalog.pg_description d",
        " WHERE d.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid",
        " AND d.objoid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid",
    ),
    concat!(
        "SELECT c.conrelid, c.conkey[1], c.confrelid, c.confkey[1] FROM pg_catalog.pg_constraint c",
        " WHERE c.contype OPERATOR(pg_catalog.=) 'f'::pg_catalog.\"char\" AND pg_catalog.cardinality(c.conkey)",
        " OPERATOR(pg_catalog.=) 1 ORDER BY c.oid",
    ),
    "SELECT c.oid, c.reltuples FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid",
];

/// Tables of more rows than this are sampled by pages.
const LARGE: f64 = 50_000.0;

/// A connection that samples.
pub struct Sampler {
    runtime: tokio::runtime::Runtime,
    upstream: Upstream,
    /// What exists.
    pub catalog: Catalog,
    /// What else is known.
    pub surroundings: Surroundings,
}

impl Sampler {
    /// Connects, and reads what exists.
    ///
    /// # Errors
    /// See [`AskError`].
    pub fn connect(target: &Target) -> Result<Self, AskError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(UpstreamError::Io)?;
        let catalog = loader::load_blocking(target)?;
        let (upstream, surroundings) = runtime.block_on(async {
            let server = Server::of(target)?;
            let mut upstream = ask::login(&server, target).await?;
            ask::run(&mut upstream, SETTINGS, &mut BytesMut::new()).await?;
            let surroundings = surroundings(&mut upstream).await?;
            Ok::<_, AskError>((upstream, surroundings))
        })?;
        Ok(Self {
            runtime,
            upstream,
            catalog,
            surroundings,
        })
    }

    /// Up to `most` rows of a table, each value as text and cut to 200 characters; NULL is `None`. Columns
    /// in the order of `columns`, which are numbers of the table's own.
    ///
    /// # Errors
    /// See [`AskError`]: no privilege, a time-out. The connection can be used again unless it ended.
    pub fn rows(
        &mut self,
        relation: &Relation,
        columns: &[i16],
        most: u32,
    ) -> Result<Vec<Vec<Option<String>>>, AskError> {
        let estimated = self.surroundings.rows.get(&relation.oid).copied().unwrap_or(0.0);
        let by_pages = estimated > LARGE && relation.kind != RelationKind::ForeignTable;
        let percent = by_pages.then(|| (f64::from(most) * 500.0 / estimated).clamp(0.001, 100.0));
        let found = self.ask(&text(relation, columns, most, percent), columns.len())?;
        // Pages may hold nothing.
        match found.is_empty() && by_pages {
            true => self.ask(&text(relation, columns, most, None), columns.len()),
            false => Ok(found),
        }
    }

    fn ask(&mut self, text: &SampleText, columns: usize) -> Result<Vec<Vec<Option<String>>>, AskError> {
        let upstream = &mut self.upstream;
        let results = self.runtime.block_on(async {
            encode::query(&mut upstream.sender.buffer, text.0.as_bytes());
            ask::receive(upstream, &mut BytesMut::new()).await
        })?;
        let mut all = Vec::new();
        for row in rows(&results, 0)? {
            let mut row = row?;
            let values: Result<Vec<_>, _> = (0..columns).map(|_| row.optional("sample")).collect();
            all.push(values?);
        }
        Ok(all)
    }
}

/// Built by [`text`] only.
struct SampleText(String);

fn text(relation: &Relation, columns: &[i16], most: u32, percent: Option<f64>) -> SampleText {
    let named = columns
        .iter()
        .filter_map(|n| relation.columns.iter().find(|c| c.number == *n));
    let list: Vec<String> = named
        .map(|c| format!("pg_catalog.left({}::pg_catalog.text, 200)", quoted(&c.name)))
        .collect();
    let mut text = format!(
        "SELECT {} FROM {}.{}",
        list.join(", "),
        quoted(&relation.name.schema),
        quoted(&relation.name.name)
    );
    if let Some(percent) = percent {
        // Writing to a String cannot fail.
        let _ = write!(text, " TABLESAMPLE SYSTEM ({percent:.4})");
    }
    let _ = write!(text, " LIMIT {most}");
    SampleText(text)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn surroundings(upstream: &mut Upstream) -> Result<Surroundings, AskError> {
    let results = ask::pipeline(upstream, QUERIES, &mut BytesMut::new()).await?;
    let mut found = Surroundings::default();
    for row in rows(&results, 0)? {
        let mut row = row?;
        let place = (row.number("comment")?, row.number("comment")?);
        found.comments.insert(place, row.text("comment")?);
    }
    for row in rows(&results, 1)? {
        let mut row = row?;
        found.foreign_keys.push(ForeignKey {
            table: row.number("foreign key")?,
            column: row.number("foreign key")?,
            of: row.number("foreign key")?,
            key: row.number("foreign key")?,
        });
    }
    for row in rows(&results, 2)? {
        let mut row = row?;
        found.rows.insert(row.number("rows")?, row.number("rows")?);
    }
    Ok(found)
}
