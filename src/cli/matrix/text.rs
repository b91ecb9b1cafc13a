//! The matrix for a terminal: a block for each table, broken by purposes where it is too wide.

use console::measure_text_width;

use super::Shown;
use crate::cli::output::{Paint, Tone};
use crate::policy::{Exposure, Matrix, MatrixTable};

/// A cell: its text, and how it is shown.
type Cell = (String, Tone);

pub(super) fn text(shown: &[Shown], colour: bool, width: Option<usize>) -> String {
    let paint = Paint { colour };
    let mut parts = Vec::new();
    for one in shown {
        for matrix in &one.matrices {
            parts.extend(title(one.database.as_deref(), matrix).map(|title| paint.show(&title, Tone::Strong)));
            parts.extend(
                matrix
                    .tables
                    .iter()
                    .map(|table| table_text(&matrix.purposes, table, paint, width)),
            );
        }
    }
    parts.join("\n\n")
}

fn title(database: Option<&str>, matrix: &Matrix) -> Option<String> {
    let database = database.map(|name| format!("database {name}"));
    let role = matrix.role.as_ref().map(|name| format!("role {name}"));
    let nothing = matrix.purposes.is_empty().then(|| "may act for no purpose".to_owned());
    let parts: Vec<String> = [database, role, nothing].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn table_text(purposes: &[String], table: &MatrixTable, paint: Paint, width: Option<usize>) -> String {
    // Column by column: the names, the categories, then one for each purpose.
    let plain = |text: &str| (text.to_owned(), Tone::Plain);
    let mut names = vec![(table.table.to_string(), Tone::Strong)];
    let mut categories = vec![("data_category".to_owned(), Tone::Faint)];
    for row in &table.rows {
        names.push(plain(&format!("  {}", row.column)));
        categories.push((row.data_category.clone(), Tone::Faint));
    }
    let filtered = table.filters.iter().any(|names| !names.is_empty());
    if filtered {
        names.push(("  (rows left out by)".to_owned(), Tone::Faint));
        categories.push(plain(""));
    }
    let of_purpose = |(index, purpose): (usize, &String)| {
        let mut column = vec![(purpose.clone(), Tone::Strong)];
        let cells = table.rows.iter().filter_map(|row| row.cells.get(index));
        column.extend(cells.map(|cell| (cell.text(), tone(cell.exposure()))));
        if filtered {
            let filters = table.filters.get(index).map(|names| names.join(", "));
            column.push((filters.unwrap_or_default(), Tone::Faint));
        }
        column
    };
    let columns: Vec<Vec<Cell>> = purposes.iter().enumerate().map(of_purpose).collect();
    let blocks = broken(&[names, categories], columns, width);
    let blocks: Vec<String> = blocks.iter().map(|columns| aligned(columns, paint)).collect();
    blocks.join("\n\n")
}

const fn tone(exposure: Exposure) -> Tone {
    match exposure {
        Exposure::Refused => Tone::Refused,
        Exposure::Hidden => Tone::Faint,
        Exposure::Free => Tone::Plain,
        Exposure::Masked => Tone::Masked,
        Exposure::Conditional => Tone::Conditional,
        Exposure::Raw => Tone::Shown,
    }
}

const GAP: usize = 2;

fn width_of(column: &[Cell]) -> usize {
    column
        .iter()
        .map(|(text, _)| measure_text_width(text))
        .max()
        .unwrap_or(0)
}

/// Blocks that fit, each with the `fixed` columns before its own; one column at least in each.
fn broken(fixed: &[Vec<Cell>; 2], columns: Vec<Vec<Cell>>, width: Option<usize>) -> Vec<Vec<Vec<Cell>>> {
    let fixed_width: usize = fixed.iter().map(|column| width_of(column) + GAP).sum();
    let mut blocks = vec![fixed.to_vec()];
    let mut used = fixed_width;
    for column in columns {
        let needed = width_of(&column) + GAP;
        let full = width.is_some_and(|width| used + needed > width + GAP) && used > fixed_width;
        if full {
            blocks.push(fixed.to_vec());
            used = fixed_width;
        }
        used += needed;
        if let Some(block) = blocks.last_mut() {
            block.push(column);
        }
    }
    blocks
}

fn aligned(columns: &[Vec<Cell>], paint: Paint) -> String {
    let widths: Vec<usize> = columns.iter().map(|column| width_of(column)).collect();
    let rows = columns.first().map_or(0, Vec::len);
    let line = |row: usize| {
        let mut line = String::new();
        let mut pending = 0;
        for (column, width) in columns.iter().zip(&widths) {
            let Some((text, tone)) = column.get(row) else {
                continue;
            };
            if !text.is_empty() {
                line.extend(std::iter::repeat_n(' ', pending));
                line.push_str(&paint.show(text, *tone));
                pending = 0;
            }
            pending += width.saturating_sub(measure_text_width(text)) + GAP;
        }
        line
    };
    (0..rows).map(line).collect::<Vec<String>>().join("\n")
}
