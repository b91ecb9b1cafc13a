//! `pgpurpose matrix RULES`: who sees what.

use std::path::PathBuf;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::Exit;
use super::output::{self, Format};
use super::rules_files;
use crate::policy::{Cell, Matrix, MatrixTable};

/// Arguments of `matrix`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A rules file, or a folder of them
    #[arg(env = "PGPURPOSE_RULES")]
    rules: PathBuf,
    /// Only what this database role sees
    #[arg(long, env = "PGPURPOSE_ROLE")]
    role: Option<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text, env = "PGPURPOSE_FORMAT")]
    format: Format,
}

pub(super) fn run(args: &Args) -> Exit {
    let set = match rules_files::load(&args.rules) {
        Ok(set) => set,
        Err(rules_files::RulesError::Wrong(findings)) => {
            output::complain(&format!("there are errors in the rules\n\n{findings}"));
            return Exit::Findings;
        }
        Err(error) => {
            output::complain(&error);
            return Exit::Usage;
        }
    };
    let now = OffsetDateTime::now_utc();
    let matrices = set
        .policies()
        .map(|(name, policy)| (name, policy.matrix(args.role.as_deref(), now)));
    let matrices: Vec<(Option<&str>, Matrix)> = matrices.filter_map(|(name, matrix)| Some((name, matrix?))).collect();
    if matrices.is_empty() {
        output::complain(&format!(
            "there is no role {:?} in the rules",
            args.role.as_deref().unwrap_or_default()
        ));
        return Exit::Usage;
    }
    output::print(&match args.format {
        Format::Text => text(&matrices),
        Format::Json => output::json(&to_json(&matrices)),
    });
    Exit::Fine
}

fn text(matrices: &[(Option<&str>, Matrix)]) -> String {
    let mut parts = Vec::new();
    for (database, matrix) in matrices {
        if let Some(name) = database {
            parts.push(format!("database {name}"));
        }
        parts.extend(matrix.tables.iter().map(|table| table_text(&matrix.purposes, table)));
    }
    parts.join("\n\n")
}

fn table_text(purposes: &[String], table: &MatrixTable) -> String {
    let mut lines: Vec<Vec<String>> = Vec::new();
    let mut head = vec![table.table.to_string(), "data_category".to_owned()];
    head.extend(purposes.iter().cloned());
    lines.push(head);
    for row in &table.rows {
        let mut line = vec![format!("  {}", row.column), row.data_category.clone()];
        line.extend(row.cells.iter().map(Cell::text));
        lines.push(line);
    }
    if table.filters.iter().any(|names| !names.is_empty()) {
        let mut line = vec!["  (rows left out by)".to_owned(), String::new()];
        line.extend(table.filters.iter().map(|names| names.join(", ")));
        lines.push(line);
    }
    aligned(&lines)
}

fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |cells: &Vec<String>| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    lines.iter().map(line).collect::<Vec<String>>().join("\n")
}

fn to_json(matrices: &[(Option<&str>, Matrix)]) -> Value {
    let matrices = matrices.iter().map(|(database, matrix)| {
        let tables: Vec<Value> = matrix
            .tables
            .iter()
            .map(|table| table_json(&matrix.purposes, table))
            .collect();
        json!({"database": database, "purposes": matrix.purposes, "tables": tables})
    });
    Value::Array(matrices.collect())
}

fn table_json(purposes: &[String], table: &MatrixTable) -> Value {
    let columns = table.rows.iter().map(|row| {
        let cells = purposes
            .iter()
            .zip(&row.cells)
            .map(|(purpose, cell)| (purpose.clone(), cell_json(cell)));
        let cells: serde_json::Map<String, Value> = cells.collect();
        json!({"column": row.column, "data_category": row.data_category, "purposes": cells})
    });
    let filters = purposes
        .iter()
        .zip(&table.filters)
        .map(|(purpose, names)| (purpose.clone(), json!(names)));
    let filters: serde_json::Map<String, Value> = filters.collect();
    json!({"table": table.table.to_string(), "columns": columns.collect::<Vec<Value>>(), "row_filters": filters})
}

fn cell_json(cell: &Cell) -> Value {
    match cell {
        Cell::Denied(code) => json!({"code": code.as_str()}),
        Cell::Column(column) => json!({
            "form": column.form.name(),
            "conditions": column.conditions.iter().map(|c| if c.opt_in { "opt_in" } else { "opt_out" })
                .collect::<Vec<&str>>(),
            "predicates_refused": column.predicates_refused,
            "rule": column.rule.as_ref().map(ToString::to_string),
        }),
    }
}
