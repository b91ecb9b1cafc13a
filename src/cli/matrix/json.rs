//! The matrix for programs.

use serde_json::{Map, Value, json};

use super::Shown;
use crate::policy::{Cell, Matrix, MatrixTable};

pub(super) fn json(shown: &[Shown]) -> Value {
    let all = shown
        .iter()
        .flat_map(|shown| shown.matrices.iter().map(|matrix| (&shown.database, matrix)));
    all.map(|(database, matrix)| matrix_json(database.as_deref(), matrix))
        .collect()
}

fn matrix_json(database: Option<&str>, matrix: &Matrix) -> Value {
    let tables: Vec<Value> = matrix
        .tables
        .iter()
        .map(|table| table_json(&matrix.purposes, table))
        .collect();
    json!({"database": database, "role": matrix.role, "purposes": matrix.purposes, "tables": tables})
}

fn table_json(purposes: &[String], table: &MatrixTable) -> Value {
    let columns = table.rows.iter().map(|row| {
        let cells = purposes.iter().zip(&row.cells);
        let cells: Map<String, Value> = cells
            .map(|(purpose, cell)| (purpose.clone(), cell_json(cell)))
            .collect();
        json!({"column": row.column, "data_category": row.data_category, "purposes": cells})
    });
    let filters = purposes.iter().zip(&table.filters);
    let filters: Map<String, Value> = filters
        .map(|(purpose, names)| (purpose.clone(), json!(names)))
        .collect();
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
