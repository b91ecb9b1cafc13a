//! One statement decided without a session: what `explain`, `test` and `replay` ask of the core.

use std::path::Path;
use std::sync::Arc;

use time::OffsetDateTime;

use crate::catalog::{self, Catalog, SearchPath};
use crate::pipeline::{self, Context, Facts, Outcome, Plan, PreparedNames, Refusal, Standing};
use crate::policy::{Code, Declaration, Policy};
use crate::sql::{ClientSql, Tag, schema};

/// Who asks what, and when.
pub(super) struct Question<'a> {
    pub(super) policy: &'a Policy,
    pub(super) catalog: &'a Catalog,
    pub(super) role: &'a str,
    pub(super) declared: &'a Declaration,
    pub(super) search_path: &'a [String],
    pub(super) now: OffsetDateTime,
}

/// A client's prepared statements keep their names.
struct SameNames;

impl PreparedNames for SameNames {
    fn upstream_name(&self, client_name: &str) -> Option<String> {
        Some(client_name.to_owned())
    }
}

/// What was decided, and for which purposes.
pub(super) struct Decided {
    pub(super) result: Result<Plan, Refusal>,
    /// Of each statement, as far as one was declared.
    pub(super) purposes: Vec<String>,
}

impl Question<'_> {
    /// Decides a text, its tags and the role's default purpose included.
    pub(super) fn decide(&self, text: &str) -> Decided {
        let mut purposes = Vec::new();
        let result = self.examine(text, &mut purposes);
        Decided { result, purposes }
    }

    fn examine(&self, text: &str, purposes: &mut Vec<String>) -> Result<Plan, Refusal> {
        let sql = ClientSql::new(text).map_err(|e| Refusal::unread(e.to_string()))?;
        let parsed = pipeline::parse(Arc::new(sql))?;
        // What the rules mean is asked, not whether they are only observed.
        let policy = self.policy.enforced();
        let mut declared = Vec::with_capacity(parsed.commands.len());
        for index in 0..parsed.commands.len() {
            let tags = parsed.sql.tags_in(parsed.span(index));
            declared.push(self.declaration(&tags.map_err(|e| Refusal::unread(e.to_string()))?));
        }
        purposes.extend(declared.iter().filter_map(|d: &Declaration| d.purpose.clone()));
        let admit = |declared| pipeline::admit(self.policy, self.catalog, self.role, declared, self.now);
        let admitted: Vec<_> = declared.iter().map(admit).collect();
        let search_path = SearchPath::new(self.search_path, self.role, self.catalog);
        let contexts: Vec<Context<'_>> = admitted
            .iter()
            .zip(&declared)
            .map(|(admitted, declared)| Context {
                policy: &policy,
                catalog: self.catalog,
                role: self.role,
                standing: match admitted {
                    Ok(admission) => Standing::Admitted(*admission),
                    Err(denial) if declared.purpose.is_none() => Standing::Undeclared(denial),
                    Err(denial) => Standing::Inadmissible(denial),
                },
                search_path: &search_path,
                prepared: &SameNames,
            })
            .collect();
        pipeline::examine(&parsed, &contexts)
    }

    fn declaration(&self, tags: &[&Tag]) -> Declaration {
        let tag = |key: &str| tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.clone());
        let said = |text: Option<String>| text.filter(|text| !text.is_empty());
        let default = || {
            self.policy
                .roles
                .get(self.role)
                .and_then(|role| role.default_purpose.clone())
        };
        Declaration {
            purpose: said(
                tag("purpose")
                    .or_else(|| self.declared.purpose.clone())
                    .or_else(default),
            ),
            reason: said(tag("reason").or_else(|| self.declared.reason.clone())),
            subject: said(tag("subject").or_else(|| self.declared.subject.clone())),
            actor: said(tag("actor").or_else(|| self.declared.actor.clone())),
        }
    }
}

/// What was decided of a whole text: the worst of its statements, and all they use.
pub(super) fn summary(decided: &Result<Plan, Refusal>) -> Facts {
    match decided {
        Err(refusal) => (*refusal.facts).clone(),
        Ok(plan) => {
            let mut all = Facts {
                outcome: Outcome::Allow,
                code: None::<Code>,
                ..Facts::unread()
            };
            for facts in plan.statements.iter().map(|statement| &statement.facts) {
                all.outcome = all.outcome.min(facts.outcome);
                all.fields.extend(facts.fields.iter().cloned());
                all.filters.extend(facts.filters.iter().cloned());
                all.row_filters.extend(facts.row_filters.iter().copied());
            }
            all.row_filters.sort_unstable();
            all.row_filters.dedup();
            all
        }
    }
}

/// A schema without a server, with what was passed over.
pub(super) struct SchemaFile {
    pub(super) catalog: Catalog,
    pub(super) passed_over: Vec<schema::Remark>,
    /// It says itself which database it is of.
    pub(super) names_database: bool,
}

/// Reads a schema: a snapshot of `pgpurpose catalog`, or a file of CREATE statements (`*.sql`).
pub(super) fn schema_file(path: &Path) -> Result<SchemaFile, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {shown}: {e}"))?;
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("sql")) {
        let database = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let base = catalog::base(&database.unwrap_or_default())?;
        return match schema::read(&text, base) {
            Ok(read) => Ok(SchemaFile {
                catalog: read.catalog,
                passed_over: read.passed_over,
                names_database: false,
            }),
            Err(errors) => {
                let lines: Vec<String> = errors
                    .iter()
                    .map(|e| format!("{shown}:{}: {}", e.line, e.message))
                    .collect();
                Err(lines.join("\n"))
            }
        };
    }
    let catalog: Catalog = serde_json::from_str(&text)
        .map_err(|e| format!("{shown} is neither a *.sql file nor a snapshot that `pgpurpose catalog` wrote: {e}"))?;
    Ok(SchemaFile {
        catalog: catalog.indexed(),
        passed_over: Vec::new(),
        names_database: true,
    })
}
