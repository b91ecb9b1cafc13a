//! A core that lets every statement pass as it is, for trying the shell alone. Tests only.

use std::sync::Arc;

use crate::pipeline::{Context, Facts, Outcome, Parsed, Plan, PlannedStatement, Refusal};
use crate::policy::Code;
use crate::sql::{ClientSql, Command, PositionMap, parsed};
use crate::verify::Verified;

use super::core::Core;
use super::refusal::{own, postgresql, unread};

/// Lets everything pass but what names `forbidden`, and statements under an inadmissible purpose.
pub struct PassThrough;

fn facts(text: &str) -> Facts {
    Facts {
        outcome: Outcome::Allow,
        code: None,
        statement: Some(text.to_owned()),
        fingerprint: None,
        fields: Vec::new(),
        row_filters: Vec::new(),
    }
}

impl Core for PassThrough {
    fn parse(&self, sql: Arc<ClientSql>) -> Result<Parsed, Refusal> {
        let statements = parsed::parse(sql.text()).map_err(|error| Refusal {
            position: error.position,
            ..*postgresql(error.sqlstate, error.message)
        })?;
        Ok(Parsed {
            commands: statements.iter().map(|s| s.command.clone()).collect(),
            statements,
            sql,
        })
    }

    fn examine(&self, parsed: &Parsed, contexts: &[Context<'_>]) -> Result<Plan, Refusal> {
        let text = parsed.sql.text();
        if let Some(at) = text.find("forbidden") {
            let refused = unread(Outcome::Refuse, Some(Code::ColumnRefused));
            return Err(Refusal {
                position: Some(at),
                ..*own(Code::ColumnRefused, "forbidden", None, refused)
            });
        }
        let mut outgoing = text.to_owned();
        let mut statements = Vec::new();
        for (statement, context) in parsed.statements.iter().zip(contexts) {
            if let (crate::pipeline::Standing::Inadmissible(denial), true) =
                (context.standing, statement.command.needs_admission())
            {
                let refused = unread(Outcome::Refuse, Some(denial.code));
                return Err(*own(denial.code, denial.message.clone(), None, refused));
            }
            if let Command::Execute { name } = &statement.command
                && let Some(upstream) = context.prepared.upstream_name(name)
            {
                outgoing = outgoing.replace(name, &upstream);
            }
            // So that plans of two purposes differ, as they would where masks do.
            if let crate::pipeline::Standing::Admitted(admission) = context.standing {
                outgoing = outgoing.replace("'which purpose'", &format!("'{}'", admission.purpose().name));
            }
            statements.push(PlannedStatement {
                command: statement.command.clone(),
                facts: facts(&text[statement.span.clone()]),
                writes: matches!(statement.command, Command::Write | Command::CopyIn | Command::Ddl),
                protected: false,
                hidden_origins: Vec::new(),
                max_rows: None,
            });
        }
        Ok(Plan {
            verified: Arc::new(Verified::for_tests(&outgoing)),
            positions: PositionMap::default(),
            statements,
        })
    }
}
