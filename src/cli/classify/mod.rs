//! `pgpurpose classify --against URL`: proposes a rules file out of names, types, comments, foreign keys
//! and sampled values, with the evidence for each line and how sure it is. Never writes a value.

mod judge;
mod names;
mod proposal;
mod subjects;
mod values;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::Exit;
use super::output::{self, Format};
use crate::catalog::{Relation, RelationKind};
use crate::upstream::Target;
use crate::upstream::samples::Sampler;

/// Arguments of `classify`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The database, postgres://user:password@host:port/database
    #[arg(long, env = "PGPURPOSE_AGAINST", hide_env_values = true, value_name = "URL")]
    against: Target,
    /// Only tables of these schemas; all if left out
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    schema: Vec<String>,
    /// How many rows of each table are looked at; 0: names, types and comments alone
    #[arg(long, value_name = "ROWS", default_value_t = 300, env = "PGPURPOSE_SAMPLE")]
    sample: u32,
    /// The rules file to write; standard output if left out
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A rules file with comments, or what was found as JSON
    #[arg(long, value_enum, default_value_t = Format::Text, env = "PGPURPOSE_FORMAT")]
    format: Format,
}

/// A table, and what was found out about each of its columns.
struct Table {
    relation: Arc<Relation>,
    columns: Vec<judge::Finding>,
    /// Some of its rows were looked at.
    rows: usize,
    /// Whose rows these are.
    subject: Option<subjects::Subject>,
}

pub(super) fn run(args: &Args) -> Exit {
    let mut sampler = match Sampler::connect(&args.against) {
        Ok(sampler) => sampler,
        Err(error) => {
            output::complain(&error);
            return Exit::Usage;
        }
    };
    let relations = relations(&sampler, &args.schema);
    if relations.is_empty() {
        output::complain(&"there are no tables to classify");
        return Exit::Usage;
    }
    let progress = progress(relations.len());
    let mut tables = Vec::with_capacity(relations.len());
    for relation in relations {
        progress.set_message(relation.name.to_string());
        let samples = samples(&mut sampler, &relation, args.sample, &progress);
        let columns = judge::table(&relation, &sampler.surroundings, &sampler.catalog, &samples);
        tables.push(Table {
            relation,
            columns,
            rows: samples.iter().map(Vec::len).max().unwrap_or(0),
            subject: None,
        });
        progress.inc(1);
    }
    progress.finish_and_clear();
    subjects::find(&mut tables, &sampler.surroundings);
    let text = match args.format {
        Format::Text => proposal::yaml(&tables, &sampler.catalog),
        Format::Json => output::json(&to_json(&tables)),
    };
    match &args.output {
        None => {
            output::print(&text);
            Exit::Fine
        }
        Some(path) => match std::fs::write(path, text + "\n") {
            Ok(()) => Exit::Fine,
            Err(error) => {
                output::complain(&format!("cannot write {}: {error}", path.display()));
                Exit::Usage
            }
        },
    }
}

/// Tables of people's own schemas; partitions and children go with their parents.
fn relations(sampler: &Sampler, schemas: &[String]) -> Vec<Arc<Relation>> {
    let own = |relation: &&Arc<Relation>| {
        let kind = matches!(
            relation.kind,
            RelationKind::Table
                | RelationKind::PartitionedTable
                | RelationKind::MaterializedView
                | RelationKind::ForeignTable
        );
        let schema = relation.name.schema.as_str();
        let system = schema.starts_with("pg_") || schema == "information_schema";
        let asked = schemas.is_empty() || schemas.iter().any(|s| s == schema);
        kind && !system && asked && relation.parents.is_empty() && relation.extension.is_none()
    };
    let mut relations: Vec<Arc<Relation>> = sampler.catalog.relations.iter().filter(own).cloned().collect();
    relations.sort_by(|a, b| a.name.cmp(&b.name));
    relations
}

fn progress(tables: usize) -> ProgressBar {
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(tables as u64), target);
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} tables, {eta} left: {msg}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The values of each column, without NULLs; none where the table cannot be read.
fn samples(sampler: &mut Sampler, relation: &Relation, most: u32, progress: &ProgressBar) -> Vec<Vec<String>> {
    let numbers: Vec<i16> = relation.columns.iter().map(|c| c.number).collect();
    let mut columns: Vec<Vec<String>> = vec![Vec::new(); numbers.len()];
    if most == 0 || numbers.is_empty() {
        return columns;
    }
    match sampler.rows(relation, &numbers, most) {
        Ok(rows) => {
            for row in rows {
                for (column, value) in columns.iter_mut().zip(row) {
                    column.extend(value);
                }
            }
        }
        Err(error) => {
            let message = format!("rows of {} are not looked at: {error}", relation.name);
            progress.suspend(|| output::complain(&message));
        }
    }
    columns
}

fn to_json(tables: &[Table]) -> serde_json::Value {
    let tables = tables.iter().map(|table| {
        let columns = table.columns.iter().map(|finding| {
            json!({"column": finding.column, "data_category": finding.category, "confidence": finding.confidence,
                   "evidence": finding.evidence})
        });
        let subject = table
            .subject
            .as_ref()
            .map(|s| json!({"key": s.key, "of": s.of.as_ref().map(ToString::to_string), "evidence": s.evidence}));
        json!({"table": table.relation.name.to_string(), "rows": table.rows, "data_subject": subject,
               "columns": columns.collect::<Vec<_>>()})
    });
    tables.collect()
}
