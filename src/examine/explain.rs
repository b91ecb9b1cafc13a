//! `EXPLAIN (PGPURPOSE)`: the statement behind it is examined and not run; what goes out is a SELECT of
//! the explanation's lines, which are constants.

use std::sync::Arc;

use pg_query::NodeEnum;

use crate::pipeline::{self, Context, Explanation, PlannedStatement, Refusal};
use crate::policy::{Code, Mode};
use crate::rewrite::edit::{EditKind, Edits};
use crate::rewrite::quote;
use crate::sql::ClientSql;
use crate::sql::lexer::TokenKind;

use super::Examination;

/// `FORMAT`
enum Format {
    Text,
    Json,
}

impl Examination<'_> {
    pub(super) fn explanation(&self) -> Result<(PlannedStatement, Edits), Refusal> {
        let format = self.format()?;
        let inner = self
            .explained()
            .ok_or_else(|| self.refuse(Code::NotUnderstood, "this EXPLAIN is not understood"))?;
        let result = self.examine_inner(inner);
        let explanation = Explanation {
            role: self.context.role,
            observed: self.context.policy.mode == Mode::Observe,
            purpose: self.admission().map(|admission| admission.purpose().name.as_str()),
            contact: self.context.policy.contact.as_deref(),
            result: result.as_ref(),
        };
        let select = self.select(&explanation, &format);
        let mut edits = Edits::default();
        edits.push(self.significant_span(), select.clone(), EditKind::Show { select });
        Ok((self.unchanged(), edits))
    }

    /// As the statement by itself would be, in the same place; under `mode: observe` as if the rules were in
    /// force, since that is what is asked.
    fn examine_inner(&self, text: &str) -> Result<pipeline::Plan, Refusal> {
        let sql = ClientSql::new(text).map_err(|e| Refusal::unread(e.to_string()))?;
        let parsed = pipeline::parse(Arc::new(sql))?;
        let policy = self.context.policy.enforced();
        let contexts: Vec<Context<'_>> = parsed
            .commands
            .iter()
            .map(|_| Context {
                policy: &policy,
                catalog: self.context.catalog,
                role: self.context.role,
                standing: self.context.standing,
                search_path: self.context.search_path,
                prepared: self.context.prepared,
            })
            .collect();
        super::examine(&parsed, &contexts)
    }

    /// The text behind the options.
    fn explained(&self) -> Option<&str> {
        let span = self.span();
        let mut depth = 0usize;
        let mut inside = self
            .tokens
            .iter()
            .filter(|t| t.start >= span.start && t.end <= span.end);
        let end = inside.find_map(|token| {
            match token.kind {
                TokenKind::LeftParen => depth += 1,
                TokenKind::RightParen => depth = depth.saturating_sub(1),
                _ => return None,
            }
            (depth == 0).then_some(token.end)
        })?;
        self.text.get(end..span.end)
    }

    /// Nothing runs, so that only FORMAT means something beside PGPURPOSE.
    fn format(&self) -> Result<Format, Refusal> {
        let Some(NodeEnum::ExplainStmt(explain)) = &self.statement.node.node else {
            return Err(self.refuse(Code::NotUnderstood, "this EXPLAIN is not understood"));
        };
        let mut format = Format::Text;
        for option in &explain.options {
            let Some(NodeEnum::DefElem(option)) = &option.node else {
                continue;
            };
            let word = option.arg.as_deref().and_then(crate::sql::parsed::string_of);
            format = match (option.defname.as_str(), word) {
                ("pgpurpose", None | Some("true" | "on")) => format,
                ("format", Some("text")) => Format::Text,
                ("format", Some("json")) => Format::Json,
                _ => {
                    let message = format!("EXPLAIN (PGPURPOSE) does not take {}", option.defname.to_uppercase());
                    let refusal = self.refuse(Code::StatementNotAllowed, message);
                    return Err(refusal.hinted("beside PGPURPOSE stands FORMAT TEXT or FORMAT JSON, or nothing"));
                }
            };
        }
        Ok(format)
    }

    fn select(&self, explanation: &Explanation<'_>, format: &Format) -> String {
        let (rows, of) = match format {
            Format::Text => (explanation.lines(), "text"),
            Format::Json => (vec![format!("{:#}", explanation.json())], "json"),
        };
        let rows: Vec<String> = rows
            .iter()
            .map(|line| format!("({}::pg_catalog.{of})", quote::literal(line)))
            .collect();
        let rows = rows.join(", ");
        // What the client binds needs a place, and changes nothing.
        let bound: Vec<String> = (1..=self.highest_parameter())
            .map(|n| format!("${n}::pg_catalog.text IS NULL"))
            .collect();
        let filter = match bound.is_empty() {
            true => String::new(),
            false => format!(" WHERE true OR {}", bound.join(" OR ")),
        };
        format!("SELECT line AS \"QUERY PLAN\" FROM (VALUES {rows}) AS explanation(line){filter}")
    }

    fn highest_parameter(&self) -> u32 {
        let span = self.span();
        let inside = self
            .tokens
            .iter()
            .filter(|t| t.start >= span.start && t.end <= span.end);
        let parameters = inside.filter(|t| t.kind == TokenKind::Parameter);
        let number = |text: &str| text.trim_start_matches('$').parse::<u32>().ok();
        // As many as the protocol can bind.
        let numbers = parameters.filter_map(|t| number(t.text(self.text)));
        numbers.filter(|n| *n <= 65535).max().unwrap_or(0)
    }
}
