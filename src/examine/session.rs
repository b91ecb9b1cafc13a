//! Statements that concern the session: settings, EXECUTE, DDL.

use crate::pipeline::{PlannedStatement, Refusal};
use crate::policy::Code;
use crate::rewrite::edit::{EditKind, Edits};
use crate::rewrite::places::Places;
use crate::rewrite::quote;
use crate::sql::setting;
use crate::sql::{Command, ConfigCall};

use super::Examination;
use super::temporary::Names;

type Examined = Result<(PlannedStatement, Edits), Refusal>;

impl Examination<'_> {
    pub(super) fn setting(&self) -> Examined {
        let allowed = match &self.statement.command {
            Command::Set(change) => set(change),
            Command::Reset(name) => setting::resettable(name),
            Command::Show(name) => return self.show(name),
            // SET TRANSACTION and its kin, SET CONSTRAINTS; RESET ALL goes back to what start-up gave.
            Command::SetCharacteristics | Command::ResetAll => Ok(()),
            _ => Err("this is no statement of settings".to_owned()),
        };
        match allowed {
            Ok(()) => Ok((self.unchanged(), Edits::default())),
            Err(why) => Err(self.refuse(Code::StatementNotAllowed, why)),
        }
    }

    /// SHOW of a setting of ours becomes a SELECT of its value.
    fn show(&self, name: &str) -> Examined {
        let policy = self.context.policy;
        let select = match name {
            "pgpurpose.version" => one("pgpurpose.version", env!("CARGO_PKG_VERSION")),
            "pgpurpose.policy" => one("pgpurpose.policy", &format!("{} {}", policy.revision, policy.sha256)),
            "pgpurpose.purposes" => {
                let rows: Vec<String> = policy
                    .purposes_for_role(self.context.role)
                    .iter()
                    .map(|p| {
                        let title = p.title.as_deref().unwrap_or_default();
                        format!(
                            "({}::pg_catalog.text, {}::pg_catalog.text)",
                            quote::literal(&p.name),
                            quote::literal(title)
                        )
                    })
                    .collect();
                if rows.is_empty() {
                    "SELECT NULL::pg_catalog.text AS purpose, NULL::pg_catalog.text AS title WHERE false".to_owned()
                } else {
                    format!(
                        "SELECT purpose, title FROM (VALUES {}) AS purposes(purpose, title)",
                        rows.join(", ")
                    )
                }
            }
            _ => {
                return match crate::catalog::lists::may_show(name) {
                    Ok(()) => Ok((self.unchanged(), Edits::default())),
                    Err(why) => Err(self.refuse(
                        Code::StatementNotAllowed,
                        format!("setting \"{name}\" cannot be shown: {why}"),
                    )),
                };
            }
        };
        let span = self.significant_span();
        let mut edits = Edits::default();
        edits.push(span, select.clone(), EditKind::Show { select });
        Ok((self.unchanged(), edits))
    }

    /// From the statement's first token to its last.
    fn significant_span(&self) -> std::ops::Range<usize> {
        let span = self.span();
        let mut inside = self
            .tokens
            .iter()
            .filter(|t| t.start >= span.start && t.end <= span.end);
        let start = inside.clone().next().map_or(span.start, |t| t.start);
        let end = inside.next_back().map_or(span.end, |t| t.end);
        start..end
    }

    /// EXECUTE under the name by which PostgreSQL knows the plan for the purpose at hand.
    pub(super) fn execute(&self) -> Examined {
        let Command::Execute { name } = &self.statement.command else {
            return Err(self.refuse(Code::NotUnderstood, "this EXECUTE is not understood"));
        };
        let Some(upstream) = self.context.prepared.upstream_name(name) else {
            let mut refusal = self.refuse(
                Code::NotUnderstood,
                format!("prepared statement \"{name}\" does not exist"),
            );
            refusal.sqlstate = "26000";
            return Err(refusal);
        };
        // Arguments are checked as expressions; they can name no column.
        let (statement, mut edits) = self.query()?;
        if upstream != *name {
            let places = Places::new(self.text, self.tokens);
            let range = places
                .behind_word(self.statement.span.start, "execute")
                .map_err(|_| self.refuse(Code::NotUnderstood, "this EXECUTE is not understood"))?;
            edits.push(
                range,
                quote::ident(&upstream),
                EditKind::PreparedName { name: upstream },
            );
        }
        Ok((statement, edits))
    }

    /// DDL needs a purpose that says so, but for what is the session's own.
    pub(super) fn ddl(&self) -> Examined {
        let names = Names {
            catalog: self.context.catalog,
            search_path: self.context.search_path,
        };
        match self.admission() {
            Some(admission) if admission.purpose().ddl || names.are_all_own(&self.statement.node) => {
                let statement = PlannedStatement {
                    writes: true,
                    ..self.unchanged()
                };
                Ok((statement, Edits::default()))
            }
            Some(_) | None => Err(self
                .refuse(
                    Code::StatementNotAllowed,
                    "changing the schema needs a purpose with ddl: true",
                )
                .hinted("declare such a purpose, if the role has one: SHOW pgpurpose.purposes")),
        }
    }
}

fn set(change: &ConfigCall) -> Result<(), String> {
    setting::check(change)
}

fn one(name: &str, value: &str) -> String {
    format!(
        "SELECT {}::pg_catalog.text AS {}",
        quote::literal(value),
        quote::ident(name)
    )
}
