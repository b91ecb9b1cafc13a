//! The examination of one message: resolve, decide, rewrite, verify, in this order, for each
//! statement; then what the audit says of it.
//!
//! Pure. The steps are the layers' own; this is only their order.

mod explain;
pub(crate) mod explanation;
mod facts;
mod observe;
mod second;
mod session;
mod subjects;
mod template;
mod temporary;

use std::ops::Range;

use crate::catalog::{Function, lists};
use crate::pipeline::{
    Context, HiddenOrigin, Outcome, Parsed, Plan, PlannedStatement, Position, Prepares, Refusal, Standing,
};
use crate::policy::{Admission, Code, Denial, Form, Mode};
use crate::rewrite::edit::Edits;
use crate::rewrite::plan::{Planned, Planner, Refused};
use crate::rewrite::query_span::QueryTokens;
use crate::rewrite::released::Gap;
use crate::rewrite::{aggregate, rows, write_checks};
use crate::sql::lexer::Token;
use crate::sql::resolve::{Env, Problem, Resolved, is_system, resolve};
use crate::sql::{Command, ParsedStatement, parsed};
use crate::verify;

pub use template::Template;

/// One statement and what it is examined against.
struct Examination<'a> {
    text: &'a str,
    tokens: &'a [Token],
    statement: &'a ParsedStatement,
    context: &'a Context<'a>,
    parameters: &'a [u32],
}

/// Plans a message.
///
/// # Errors
/// The first refusal.
pub fn examine(parsed: &Parsed, contexts: &[Context<'_>]) -> Result<Plan, Refusal> {
    let text = parsed.sql.text();
    let unread = |message: String| Refusal::simple(Code::NotUnderstood, message);
    let tokens = parsed::tokens(text).map_err(|e| unread(e.message))?;
    if contexts.len() != parsed.statements.len() {
        return Err(unread("a statement has no context".into()));
    }
    let mut all = Edits::default();
    let mut each = Vec::with_capacity(parsed.statements.len());
    let mut statements = Vec::with_capacity(parsed.statements.len());
    for (statement, context) in parsed.statements.iter().zip(contexts) {
        let examination = Examination {
            text,
            tokens: &tokens,
            statement,
            context,
            parameters: &parsed.parameters,
        };
        let (planned, edits) = match context.policy.mode {
            Mode::Enforce => examination.run()?,
            Mode::Observe => examination.observe()?,
        };
        all.edits.extend(edits.edits.iter().cloned());
        statements.push(planned);
        each.push((statement, edits));
    }
    counted_stand_alone(contexts, &statements)?;
    let Some((outgoing, positions)) = all.apply(text) else {
        return Err(Refusal::simple(Code::NotVerified, "two edits overlap"));
    };
    let pairs: Vec<(&ParsedStatement, &Edits)> = each.iter().map(|(s, e)| (*s, e)).collect();
    let verified = verify::verify(text, &pairs, outgoing)
        .map_err(|difference| Refusal::simple(Code::NotVerified, difference.0))
        .map_err(|refusal| refusal.about(statements.first()))?;
    Ok(Plan {
        verified: verified.into(),
        positions,
        statements: statements.into(),
    })
}

/// `max_rows`: what stands in a message with a statement whose rows are counted.
fn counted_stand_alone(contexts: &[Context<'_>], statements: &[PlannedStatement]) -> Result<(), Refusal> {
    let bounded = |context: &Context<'_>| match &context.standing {
        Standing::Admitted(admission) => context.policy.mode == Mode::Enforce && admission.purpose().max_rows.is_some(),
        Standing::Undeclared(_) | Standing::Inadmissible(_) => false,
    };
    let counts = |(context, planned): (&Context<'_>, &PlannedStatement)| {
        let of_another = matches!(planned.command, Command::Fetch { .. } | Command::Execute { .. });
        planned.max_rows.is_some() || (of_another && bounded(context))
    };
    let counted: Vec<bool> = contexts.iter().zip(statements).map(counts).collect();
    let (Some(first), Some(last)) = (counted.iter().position(|c| *c), counted.iter().rposition(|c| *c)) else {
        return Ok(());
    };
    let mut others = statements
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != first || first != last);
    let beside =
        |(index, planned): &(usize, &PlannedStatement)| rows::may_stand_beside(&planned.command, *index > first);
    match others.find(|other| !beside(other)) {
        None => Ok(()),
        Some((_, planned)) => {
            let message =
                "its purpose has max_rows, and the message holds what could not be undone if they were passed";
            let mut refusal = Refusal::simple(Code::StatementNotAllowed, message).about(Some(planned));
            refusal.hint = Some("send each statement in a message of its own".to_owned());
            Err(refusal)
        }
    }
}

impl Examination<'_> {
    fn run(&self) -> Result<(PlannedStatement, Edits), Refusal> {
        let command = &self.statement.command;
        if let Some(why) = &self.statement.refused {
            return Err(self.refuse(Code::StatementNotAllowed, why.clone()));
        }
        if command.needs_admission()
            && let Standing::Inadmissible(denial) = self.context.standing
        {
            return Err(self.denied(denial.clone(), Gap::No, None));
        }
        match command {
            Command::Select
            | Command::Write
            | Command::SetConfig(_)
            | Command::Prepare { .. }
            | Command::Declare { .. }
            | Command::Explain
            | Command::CopyOut
            | Command::CopyIn
            | Command::Coordinate
            | Command::CreateAs => self.query(),
            Command::Execute { .. } => self.execute(),
            Command::Set(_)
            | Command::SetCharacteristics
            | Command::Reset(_)
            | Command::ResetAll
            | Command::Show(_) => self.setting(),
            Command::Explanation => self.explanation(),
            Command::Ddl => self.ddl(),
            Command::Transaction(_)
            | Command::Discard(_)
            | Command::Deallocate(_)
            | Command::Fetch { .. }
            | Command::Close(_) => Ok((self.unchanged(), Edits::default())),
            Command::Refused => Err(self.refuse(Code::StatementNotAllowed, "this statement is not served")),
        }
    }

    fn admission(&self) -> Option<&Admission<'_>> {
        match &self.context.standing {
            Standing::Admitted(admission) => Some(admission),
            Standing::Undeclared(_) | Standing::Inadmissible(_) => None,
        }
    }

    /// A function that the rules name.
    fn is_allowed(&self, function: &Function) -> bool {
        let mut named = self.context.policy.functions_allowed.iter();
        named.any(|(signature, _)| same_signature(signature, &function.signature))
    }

    fn env<'e>(&'e self, allowed: &'e dyn Fn(&Function) -> bool) -> Env<'e> {
        Env {
            catalog: self.context.catalog,
            search_path: self.context.search_path,
            allowed,
            bare: self.context.policy.protects_nothing(),
            parameters: self.parameters,
        }
    }

    /// What the statement names, by both readings.
    fn resolved(&self, env: Env<'_>) -> Result<Resolved, Refusal> {
        let resolved = resolve(self.statement, env).map_err(|p| self.problem(p))?;
        // What else has parameters gets their values where nobody looks at them.
        if !resolved.setting_names.is_empty() && !matches!(self.statement.command, Command::Select | Command::Write) {
            return Err(self.refuse(Code::FunctionNotAllowed, lists::ONLY_LISTED));
        }
        self.second_reading(&resolved)?;
        Ok(resolved)
    }

    /// A statement with a query in it.
    fn query(&self) -> Result<(PlannedStatement, Edits), Refusal> {
        let policy = self.context.policy;
        let allowed = |f: &Function| self.is_allowed(f);
        let env = self.env(&allowed);
        let resolved = self.resolved(env)?;
        if let Standing::Undeclared(denial) = self.context.standing
            && self.reads_rows(&resolved)
        {
            return Err(self.denied(denial.clone(), Gap::No, None));
        }
        let planner = Planner {
            policy,
            admission: self.admission(),
            env,
        };
        let mut planned = planner
            .plan(self.text, self.tokens, self.statement.span.clone(), &resolved)
            .map_err(|r| self.refused(r, &resolved))?;
        self.columns_refused(&resolved, &planned)
            .and_then(|()| self.whole_statement(&resolved, &planned))
            .map_err(|refusal| self.with_uses(refusal, &resolved, &planned))?;
        let groups = aggregate::plan(
            &planner,
            (self.text, self.tokens, &self.span()),
            self.statement,
            &resolved,
            &mut planned,
        )
        .map_err(|r| self.refused(r, &resolved))?;
        write_checks::plan(
            &planner,
            (self.text, self.tokens, &self.span()),
            self.statement,
            &resolved,
            &mut planned,
        )
        .map_err(|r| self.refused(r, &resolved))?;
        let max_rows = rows::plan(
            &planner,
            (self.text, self.tokens, &self.span()),
            self.statement,
            &resolved,
            &mut planned,
        )
        .map_err(|r| self.refused(r, &resolved))?;
        let mut facts = self.facts(&resolved, &planned);
        if groups.is_some() {
            facts.row_filters.push("min_group_size");
            facts.outcome = facts.outcome.min(Outcome::Filter);
        }
        let hidden_origins = self.hidden_origins(&planned);
        let protected = planned
            .decided
            .values()
            .any(|d| d.decision.as_ref().is_some_and(|d| d.protected));
        let statement = PlannedStatement {
            command: self.statement.command.clone(),
            facts: facts.into(),
            writes: !resolved.targets.is_empty() || resolved.created.is_some(),
            protected,
            hidden_origins,
            max_rows,
            groups,
            subjects: self.subjects(&resolved),
            setting_names: resolved.setting_names.iter().copied().collect(),
            prepares: self.prepares(&resolved),
        };
        Ok((statement, planned.edits))
    }

    /// What PREPARE carries, and with which parameters.
    fn prepares(&self, resolved: &Resolved) -> Option<Prepares> {
        let Command::Prepare { .. } = &self.statement.command else {
            return None;
        };
        let (statement, parameters) = (self.span(), resolved.parameter_types.clone());
        let range = QueryTokens::find(&self.statement.command, self.text, self.tokens, &statement)?.range()?;
        Some(Prepares {
            range,
            statement,
            parameters,
        })
    }

    /// Reads or writes something besides the system catalogs.
    fn reads_rows(&self, resolved: &Resolved) -> bool {
        resolved.relations.iter().any(|r| {
            self.context
                .catalog
                .relation_by_oid(r.oid)
                .is_none_or(|relation| !is_system(relation))
        })
    }

    /// `as: refuse` and `predicates: refuse`.
    fn columns_refused(&self, resolved: &Resolved, planned: &Planned<'_>) -> Result<(), Refusal> {
        let find = |base: &crate::sql::resolve::BaseColumn| {
            let relation = self.context.catalog.relation_by_oid(base.relation)?;
            let index = relation.columns.iter().position(|c| c.number == base.column)?;
            let decision = planned.decided.get(&base.relation)?.decision.as_ref()?;
            Some((relation, decision.columns.get(index)?))
        };
        let purpose = self.admission().map(|a| a.purpose().name.clone()).unwrap_or_default();
        for base in &resolved.named {
            if let Some((relation, column)) = find(base)
                && column.form == Form::Refuse
            {
                let (code, gap) = if column.unclassified {
                    (Code::ColumnUnclassified, Gap::Yes)
                } else {
                    (Code::ColumnRefused, Gap::No)
                };
                let message = format!(
                    "column {}.{} is refused for purpose {purpose}",
                    relation.name, column.column
                );
                let detail = column.rule.as_ref().map(|p| format!("rule {p}"));
                let denial = Denial {
                    code,
                    message,
                    detail,
                    hint: None,
                    rule: column.rule.clone(),
                };
                return Err(self
                    .denied(denial, gap, None)
                    .for_column(relation, column, Position::Output));
            }
        }
        for (base, position) in &resolved.columns {
            if matches!(position, Position::Output | Position::Write) {
                continue;
            }
            if let Some((relation, column)) = find(base)
                && column.predicates_refused
            {
                let message = format!(
                    "column {}.{} may only be shown for purpose {purpose}, not used as {}",
                    relation.name,
                    column.column,
                    position.as_str()
                );
                let detail = column.rule.as_ref().map(|p| format!("rule {p}"));
                let code = Code::PredicateRefused;
                let denial = Denial {
                    code,
                    message,
                    detail,
                    hint: None,
                    rule: column.rule.clone(),
                };
                return Err(self
                    .denied(denial, Gap::No, None)
                    .for_column(relation, column, *position));
            }
        }
        Ok(())
    }

    /// What the purpose says of the statement as a whole.
    fn whole_statement(&self, _resolved: &Resolved, planned: &Planned<'_>) -> Result<(), Refusal> {
        let Some(admission) = self.admission() else {
            return Ok(());
        };
        let purpose = admission.purpose();
        let holds = matches!(self.statement.command, Command::Declare { hold: true, .. });
        if holds && purpose.one_subject {
            let message = format!("a cursor WITH HOLD is not served for purpose {}", purpose.name);
            return Err(self.refuse(Code::StatementNotAllowed, message).hinted(
                "its rows are read when the transaction ends, whoever is the subject then; leave WITH HOLD out",
            ));
        }
        let decisions = || planned.decided.values().filter_map(|d| d.decision.as_ref());
        if self.statement.command == Command::Explain && !purpose.explain && decisions().any(|d| d.protected) {
            let message = format!(
                "EXPLAIN of protected tables is not allowed for purpose {}",
                purpose.name
            );
            return Err(self.refuse(Code::StatementNotAllowed, message).hinted(
                "its estimates and filters tell of rows that are not released; a purpose with explain: true may",
            ));
        }
        Ok(())
    }

    fn hidden_origins(&self, planned: &Planned<'_>) -> Vec<HiddenOrigin> {
        let mut origins = Vec::new();
        for (oid, decided) in &planned.decided {
            let Some(relation) = self.context.catalog.relation_by_oid(*oid) else {
                continue;
            };
            for (index, column) in relation.columns.iter().enumerate() {
                if !decided.raw_everywhere(index) {
                    origins.push(HiddenOrigin {
                        table: *oid,
                        column: column.number,
                    });
                }
            }
        }
        origins
    }

    fn span(&self) -> Range<usize> {
        self.statement.span.clone()
    }

    fn refused(&self, refused: Refused, resolved: &Resolved) -> Refusal {
        let mut refusal = self.denied(*refused.denial, refused.gap, refused.position);
        if refused.gap == Gap::Yes {
            refusal.facts.gaps = self.unclassified(resolved);
        }
        refusal
    }

    fn problem(&self, problem: Problem) -> Refusal {
        let gap = if problem.gap { Gap::Yes } else { Gap::No };
        let denial = Denial {
            code: problem.code,
            message: problem.message,
            detail: None,
            hint: problem.hint,
            rule: None,
        };
        let mut refusal = self.denied(denial, gap, problem.position);
        refusal.sqlstate = problem.sqlstate;
        refusal.stale_catalog = problem.stale_catalog;
        refusal
    }
}

/// Signatures are compared without spaces: `f(integer, text)` is `f(integer,text)`. PostgreSQL leaves its own
/// schema out when it prints one.
fn same_signature(rules: &str, printed: &str) -> bool {
    let rules = rules.strip_prefix("pg_catalog.").unwrap_or(rules);
    rules
        .chars()
        .filter(|c| *c != ' ')
        .eq(printed.chars().filter(|c| *c != ' '))
}
