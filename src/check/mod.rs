//! What can be found out about rules before they are in force: by themselves, and against a catalog.
//!
//! Pure: a function of rules, catalog and day. A file for each family of findings; each looks at one
//! thing and reports it at the line of the rules to be changed, or by the database's name where no
//! line is to blame. Loading has already told what a file says wrongly.

mod consent;
mod expiry;
mod functions;
mod names;
mod population;
mod privileges;
mod shape;
mod speaking;
mod unused;
mod views;

use time::{Date, OffsetDateTime, Time};

use crate::catalog::{Catalog, QualifiedName, Relation};
use crate::policy::{Admission, Place, Policy, Purpose, Role, TableDecision, TableRule};
use crate::rules::{Diagnostic, DiagnosticCode, Diagnostics, PolicySet};

/// All findings on `today` (in UTC), in order of place. With a catalog the rules of its database are
/// held against it; without one the rules of all databases are looked at by themselves.
pub fn check(set: &PolicySet, catalog: Option<&Catalog>, today: Date) -> Diagnostics {
    let mut findings = Diagnostics::default();
    match catalog {
        None => {
            for (_, policy) in set.policies() {
                by_itself(&Rules { set, policy, today }, &mut findings);
            }
        }
        Some(catalog) => match set.for_database(&catalog.database) {
            None => {
                let message = format!("no rules speak for database `{}`", catalog.database);
                let names: Vec<&str> = set.policies().filter_map(|(name, _)| name).collect();
                let finding = set.finding(DiagnosticCode::NoRules, None, message);
                findings.push(finding.object(&catalog.database).suggest(&catalog.database, names));
            }
            Some(policy) => {
                let policy = &policy;
                let rules = Rules { set, policy, today };
                by_itself(&rules, &mut findings);
                against(&rules, catalog, &mut findings);
            }
        },
    }
    findings.sorted()
}

fn by_itself(rules: &Rules<'_>, findings: &mut Diagnostics) {
    unused::find(rules, findings);
    population::find(rules, findings);
    consent::find_writers(rules, findings);
    expiry::find(rules, findings);
}

fn against(rules: &Rules<'_>, catalog: &Catalog, findings: &mut Diagnostics) {
    names::find(rules, catalog, findings);
    let before = findings.iter().count();
    shape::find(rules, catalog, findings);
    consent::find_misfits(rules, catalog, findings);
    // A view over what does not fit cannot be read either, which would be told twice.
    if findings.iter().count() == before {
        views::find(rules, catalog, findings);
    }
    functions::find(rules, catalog, findings);
    privileges::find(rules, catalog, findings);
}

/// The rules of one database, on one day.
struct Rules<'a> {
    set: &'a PolicySet,
    policy: &'a Policy,
    today: Date,
}

impl<'a> Rules<'a> {
    fn finding(&self, code: DiagnosticCode, place: &Place, message: impl Into<String>) -> Diagnostic {
        self.set.finding(code, Some(place), message)
    }

    /// About something in the database that no line of the rules is to blame for.
    fn unplaced(&self, code: DiagnosticCode, object: impl std::fmt::Display, message: impl Into<String>) -> Diagnostic {
        self.set.finding(code, None, message).object(object)
    }

    fn now(&self) -> OffsetDateTime {
        self.today.with_time(Time::MIDNIGHT).assume_utc()
    }

    /// What a role may act for today.
    fn purposes_of(&self, role: &Role) -> Vec<&'a Purpose> {
        self.policy.purposes_for_role_on(&role.name, self.today)
    }

    /// One role and purpose for each way in which data may be asked for: two roles of one recipient
    /// see the same.
    fn ways(&self) -> Vec<(&'a Role, &'a Purpose)> {
        let mut ways: Vec<(&Role, &Purpose)> = Vec::new();
        for role in self.policy.roles.values() {
            for purpose in self.purposes_of(role) {
                let known = ways
                    .iter()
                    .any(|(other, of)| other.recipient == role.recipient && of.name == purpose.name);
                if !known {
                    ways.push((role, purpose));
                }
            }
        }
        ways
    }

    /// What is decided for all columns that a table's entry names; `None`: refused as a whole.
    fn decide(&self, role: &Role, purpose: &Purpose, table: &TableRule) -> Option<TableDecision> {
        let columns: Vec<&str> = table.columns.keys().map(String::as_str).collect();
        let admission = self.admission(role, purpose, table)?;
        self.policy.decide(&admission, &table.name, &columns)?.ok()
    }

    fn admission(&self, role: &Role, purpose: &Purpose, table: &TableRule) -> Option<Admission<'a>> {
        self.policy
            .assume(&role.name, Some(table), &purpose.name, self.now())
            .ok()
    }

    /// The tables with an entry, each with the relation that it speaks of, where that exists.
    fn classified<'c>(&self, catalog: &'c Catalog) -> impl Iterator<Item = (&'a TableRule, &'c Relation)> {
        let policy = self.policy;
        policy
            .tables
            .values()
            .filter_map(|table| Some((table, &**catalog.relation(&table.name)?)))
    }
}

/// `care.customers.email`
fn column_name(table: &QualifiedName, column: &str) -> String {
    format!("{table}.{column}")
}

/// `a`, `a and b`, `a, b and c`, at most five of them.
fn listed(names: &[&str]) -> String {
    const MOST: usize = 5;
    let quoted: Vec<String> = names.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    match (quoted.split_last(), names.len().saturating_sub(MOST)) {
        (None, _) => String::new(),
        (Some((last, [])), 0) => last.clone(),
        (Some((last, before)), 0) => format!("{} and {last}", before.join(", ")),
        (Some(_), more) => format!("{} and {more} more", quoted.join(", ")),
    }
}
