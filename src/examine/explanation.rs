//! What was decided for a statement, in words: which columns in which form, which rows, by which rules;
//! or why it is refused.
//!
//! Says no more than refusals do: names of columns, purposes and rules with their places. The texts of
//! row filters and masks, and what PostgreSQL would get, are not in it.

use serde_json::{Value, json};

use crate::pipeline::{Facts, FieldUse, Plan, Refusal};

/// An explanation of one text.
#[derive(Debug)]
pub struct Explanation<'a> {
    /// Who asks.
    pub role: &'a str,
    /// For which purpose, if one was declared.
    pub purpose: Option<&'a str>,
    /// The rules are only observed: what is decided is recorded, and the statement runs as it came.
    pub observed: bool,
    /// `contact` of the rules.
    pub contact: Option<&'a str>,
    /// What was decided.
    pub result: Result<&'a Plan, &'a Refusal>,
}

impl Explanation<'_> {
    /// What was decided of each statement; of the refused one alone, if one is.
    pub fn facts(&self) -> Vec<&Facts> {
        match self.result {
            Ok(plan) => plan.statements.iter().map(|statement| &*statement.facts).collect(),
            Err(refusal) => vec![&refusal.facts],
        }
    }

    /// As lines of text.
    pub fn lines(&self) -> Vec<String> {
        let purpose = self.purpose.unwrap_or("(none declared)");
        let mut lines = vec![format!("Purpose: {purpose}  Role: {}", self.role)];
        if self.observed {
            lines.push("Mode: observe; the statement runs as it came, and this is recorded".to_owned());
        }
        for facts in self.facts() {
            lines.push(format!("Outcome: {}", facts.outcome.as_str()));
            lines.extend(column_lines(&facts.fields));
            for filter in &facts.filters {
                let rule = filter.rule.as_ref().map(|rule| format!("  rule {rule}"));
                lines.push(format!(
                    "  Rows of {}: filtered by {}{}",
                    filter.table,
                    filter.filter,
                    rule.unwrap_or_default()
                ));
            }
            if facts.row_filters.contains(&"min_group_size") {
                lines.push("  Groups of too few people are left out".to_owned());
            }
        }
        if let Err(refusal) = self.result {
            lines.push(format!("Refused: {} ({})", refusal.message, refusal.code));
            lines.extend(refusal.detail.iter().map(|detail| format!("  Detail: {detail}")));
            lines.extend(refusal.hint.iter().map(|hint| format!("  Hint: {hint}")));
            lines.extend(self.contact.map(|contact| format!("  Contact: {contact}")));
        }
        lines
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let statements: Vec<Value> = self.facts().into_iter().map(facts_json).collect();
        let mut all =
            json!({"role": self.role, "purpose": self.purpose, "observed": self.observed, "statements": statements});
        if let (Err(refusal), Some(all)) = (self.result, all.as_object_mut()) {
            all.insert("message".into(), json!(refusal.message));
            all.insert("detail".into(), json!(refusal.detail));
            all.insert("hint".into(), json!(refusal.hint));
            all.insert("contact".into(), json!(self.contact));
        }
        all
    }
}

fn facts_json(facts: &Facts) -> Value {
    let fields: Vec<Value> = facts
        .fields
        .iter()
        .map(|field| {
            json!({"column": field.column, "data_category": field.data_category,
                   "position": field.position.as_str(), "form": field.form, "condition": field.condition,
                   "rule": field.rule.as_ref().map(ToString::to_string)})
        })
        .collect();
    let filters: Vec<Value> = facts
        .filters
        .iter()
        .map(|f| json!({"table": f.table, "filter": f.filter, "rule": f.rule.as_ref().map(ToString::to_string)}))
        .collect();
    json!({"outcome": facts.outcome.as_str(), "code": facts.code.map(|code| code.as_str()), "fields": fields,
           "row_filters": facts.row_filters, "filters": filters})
}

/// One line for each column at each position, in columns of their own.
fn column_lines(fields: &[FieldUse]) -> Vec<String> {
    let row = |field: &FieldUse| {
        let form = match field.condition {
            Some(condition) => format!("{} ({condition})", field.form),
            None => field.form.to_owned(),
        };
        let category = field.data_category.clone().unwrap_or_else(|| "(no rule)".to_owned());
        let rule = field
            .rule
            .as_ref()
            .map(|rule| format!("rule {rule}"))
            .unwrap_or_default();
        [
            field.column.clone(),
            field.position.as_str().to_owned(),
            form,
            category,
            rule,
        ]
    };
    let rows: Vec<[String; 5]> = fields.iter().map(row).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..5).map(width).collect();
    let line = |row: &[String; 5]| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let padded: Vec<String> = padded.collect();
        format!("  {}", padded.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
