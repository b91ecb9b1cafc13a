//! The matrix as a heat map: how much of each column each purpose gets.

use crate::policy::{Cell, Form, Matrix};

use super::words;

/// A map for one database and role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeatMap {
    /// Purposes, a column each.
    pub purposes: Vec<String>,
    /// Tables.
    pub tables: Vec<Table>,
}

/// A table of the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub rows: Vec<Row>,
    /// Under each purpose, which rows are left out; empty where none are anywhere.
    pub filters: Vec<String>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub column: String,
    /// Its category.
    pub category: String,
    /// Under each purpose.
    pub cells: Vec<Square>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Square {
    /// How much is released: `raw`, `masked`, `hidden`, `refuse`, `denied`.
    pub heat: &'static str,
    /// It depends on the row's person.
    pub conditional: bool,
    /// What stands in it.
    pub text: String,
    /// What it means, in words.
    pub title: String,
}

/// Of a matrix.
pub fn map(matrix: &Matrix) -> HeatMap {
    let tables = matrix.tables.iter().map(|table| {
        let filtered = table.filters.iter().any(|names| !names.is_empty());
        Table {
            name: table.table.to_string(),
            rows: table
                .rows
                .iter()
                .map(|row| Row {
                    column: row.column.clone(),
                    category: row.data_category.clone(),
                    cells: row.cells.iter().map(square).collect(),
                })
                .collect(),
            filters: if filtered {
                table.filters.iter().map(|names| names.join(", ")).collect()
            } else {
                Vec::new()
            },
        }
    });
    HeatMap {
        purposes: matrix.purposes.clone(),
        tables: tables.collect(),
    }
}

fn square(cell: &Cell) -> Square {
    let column = match cell {
        Cell::Denied(code) => {
            return Square {
                heat: "denied",
                conditional: false,
                text: "–".into(),
                title: format!("refused: {}", super::reason::of(code.as_str()).what),
            };
        }
        Cell::Column(column) => column,
    };
    let rule = column.rule.as_ref().map(|rule| format!(", by {rule}")).unwrap_or_default();
    let conditional = !column.conditions.is_empty();
    let (heat, text, title) = match &column.form {
        Form::Raw => ("raw", "raw".to_owned(), "as it is".to_owned()),
        Form::Hidden => ("hidden", "hidden".to_owned(), "NULL".to_owned()),
        Form::Refuse => ("refuse", "refuse".to_owned(), "refused where it is named".to_owned()),
        Form::Masked(mask) => ("masked", mask.name().to_owned(), format!("masked: {}", mask.name())),
    };
    let mut notes: Vec<&str> = Vec::new();
    if column.conditions.iter().any(|c| c.opt_in) {
        notes.push("only where the person has consented");
    }
    if column.conditions.iter().any(|c| !c.opt_in) {
        notes.push("not where the person has objected");
    }
    if column.predicates_refused {
        notes.push("not in conditions");
    }
    let notes: String = notes.iter().map(|note| format!(", {note}")).collect();
    Square {
        heat,
        conditional,
        text: words::one_line(&text, 24),
        title: format!("{title}{notes}{rule}"),
    }
}
