//! `max_queries_per_day`: how many queries of protected tables a role may run for a purpose on one day (UTC), so that
//! statistics cannot be subtracted from each other without end.
//!
//! Counted in memory: by this process, of all its sessions, whatever becomes of the rules meanwhile. A restart begins
//! anew, and each replica counts by itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use time::Date;

use crate::pipeline::{PlannedStatement, Refusal};
use crate::policy::{Code, Mode, Purpose};
use crate::sql::Command;

use super::Session;
use super::planning::Inner;
use super::request::{Request, refused_facts};

/// Database, role, purpose.
type Whose = (Arc<str>, Arc<str>, String);

/// What was run so far.
#[derive(Debug, Default)]
pub struct Queries {
    counts: Mutex<HashMap<Whose, (Date, u64)>>,
}

impl Queries {
    /// One more, unless `most` were run on that day.
    fn is_left(&self, whose: Whose, today: Date, most: u64) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (day, count) = counts.entry(whose).or_insert((today, 0));
        if *day != today {
            (*day, *count) = (today, 0);
        }
        let left = *count < most;
        *count += u64::from(left);
        left
    }
}

impl Session {
    /// Counts a statement that is about to run.
    ///
    /// # Errors
    /// Its role has run as many as it may.
    pub(super) fn spend(
        &self,
        statement: Option<&PlannedStatement>,
        inner: &Inner,
        request: &Request<'_>,
    ) -> Result<(), Arc<Refusal>> {
        let purpose = request.admission().map(|admission| admission.purpose());
        let limit = purpose.and_then(|purpose| Some((purpose, purpose.max_queries_per_day?)));
        let (Some(own), Some((purpose, most))) = (statement, limit) else {
            return Ok(());
        };
        let run = match inner {
            Inner::Prepared(planned) => planned.statement().unwrap_or(own),
            Inner::Itself | Inner::Cursor(_) | Inner::Earlier(_) => own,
        };
        let whose = (self.database.clone(), self.role.clone(), purpose.name.clone());
        let is_query = run.protected && self.rules.policy.mode == Mode::Enforce && runs(own);
        if !is_query || self.shared.options.queries.is_left(whose, self.now().date(), most) {
            return Ok(());
        }
        Err(Arc::new(too_many(purpose, most, run)))
    }
}

/// It runs itself, and does not only prepare, or read on.
fn runs(statement: &PlannedStatement) -> bool {
    !matches!(
        statement.command,
        Command::Prepare { .. } | Command::Fetch { .. } | Command::Close(_) | Command::Explanation
    )
}

fn too_many(purpose: &Purpose, most: u64, run: &PlannedStatement) -> Refusal {
    let code = Code::TooManyQueries;
    Refusal {
        code,
        sqlstate: "42501",
        message: format!(
            "this role has run {most} queries for purpose {} today, which is what it may",
            purpose.name
        ),
        detail: Some(format!("rule {}", purpose.place)),
        hint: Some("the day ends at midnight, UTC".to_owned()),
        position: None,
        facts: Box::new(crate::pipeline::Facts {
            rule: Some(purpose.place.clone()),
            ..refused_facts(&run.facts, code)
        }),
        stale_catalog: false,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn each_role_and_purpose_has_a_count_of_its_own_for_each_day() {
        let queries = Queries::default();
        let whose = |role: &str, purpose: &str| ("care".into(), role.into(), purpose.to_owned());
        let ask = |role, purpose, day| queries.is_left(whose(role, purpose), day, 2);
        let (monday, tuesday) = (date!(2026 - 11 - 23), date!(2026 - 11 - 24));
        assert!(ask("a", "x", monday) && ask("a", "x", monday) && !ask("a", "x", monday));
        assert!(ask("b", "x", monday) && ask("a", "y", monday));
        assert!(!ask("a", "x", monday));
        assert!(ask("a", "x", tuesday) && ask("a", "x", tuesday) && !ask("a", "x", tuesday));
        assert!(
            queries.is_left(whose("a", "x"), tuesday, 3),
            "new rules, the same count"
        );
    }
}
