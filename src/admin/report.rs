//! The compliance report: what was done for each purpose, in the manner of a record of processing
//! activities (GDPR Art. 30), as Markdown, as a page of its own, or as JSON.
//!
//! What was done comes out of the log alone; titles, recipients' assurances and time limits out of the
//! rules, where there are any.

use askama::Template;
use serde::Serialize;
use time::OffsetDateTime;

use crate::audit::query::Record;
use crate::audit::tally::{Account, OUTCOMES, Tally};
use crate::audit::timestamp;
use crate::policy::{AssuranceKind, Policy, RecipientKind};
use crate::rules::PolicySet;

use super::view::chart::{self, Chart};
use super::view::entry;
use super::view::{reason, words};

/// The report.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// In words: `in the last 30 days`.
    pub period: String,
    /// The first event's time.
    pub first: String,
    /// The last event's time.
    pub last: String,
    /// When it was made.
    pub made: String,
    /// Whom to ask.
    pub contact: String,
    /// The revision of the rules that are given.
    pub revision: String,
    /// Outcomes over time.
    #[serde(skip)]
    pub chart: Chart,
    /// Statements by outcome.
    pub outcomes: Vec<Counted>,
    /// How many statements.
    pub statements: u64,
    /// How many rows left.
    pub rows: u64,
    /// Logins let in, and not.
    pub logins: (u64, u64),
    /// What was done for each purpose.
    pub purposes: Vec<Activity>,
    /// What was done by each role and actor.
    pub actors: Vec<Actor>,
    /// What was refused.
    pub refusals: Vec<Refusal>,
    /// What no rule speaks of.
    pub gaps: Vec<Gap>,
    /// Break-glass purposes in use.
    pub break_glass: Vec<Glass>,
    /// Changes of the rules.
    pub changes: Vec<Change>,
    /// Outages and recoveries of the log, starts and stops.
    pub life: Vec<Life>,
    /// Lines of the files that are no records.
    pub skipped: u64,
}

/// A name and how often it occurred.
#[derive(Debug, Clone, Serialize)]
pub struct Counted {
    /// The name.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// One purpose: a processing activity.
#[derive(Debug, Clone, Serialize)]
pub struct Activity {
    /// Its name; empty: none was declared.
    pub purpose: String,
    /// Its title in the rules.
    pub title: String,
    /// As the log has it.
    pub legal_bases: Vec<Counted>,
    /// Statements.
    pub statements: u64,
    /// By outcome.
    pub outcomes: Vec<Counted>,
    /// Rows that left.
    pub rows: u64,
    /// Bytes that left.
    pub bytes: u64,
    /// Categories of data used, each with the forms in which it was released.
    pub categories: Vec<Category>,
    /// To whom.
    pub recipients: Vec<Recipient>,
    /// Roles.
    pub roles: Vec<Counted>,
    /// How many actors.
    pub actors: u64,
    /// Statements that named one person.
    pub with_subject: u64,
    /// Time limits in the rules.
    pub limits: Vec<String>,
    /// What else the rules say of the purpose.
    pub conditions: Vec<String>,
}

/// A category of data.
#[derive(Debug, Clone, Serialize)]
pub struct Category {
    /// Its key.
    pub name: String,
    /// Forms, with how many statements released it so.
    pub forms: Vec<Counted>,
}

/// A recipient.
#[derive(Debug, Clone, Serialize)]
pub struct Recipient {
    /// Its name.
    pub name: String,
    /// Statements that disclosed to it.
    pub count: u64,
    /// What the rules say of it.
    pub about: String,
}

/// A role and actor.
#[derive(Debug, Clone, Serialize)]
pub struct Actor {
    /// The role.
    pub role: String,
    /// The actor, as the client gave it.
    pub actor: String,
    /// Statements.
    pub statements: u64,
    /// Of these, refused.
    pub refused: u64,
    /// Rows.
    pub rows: u64,
    /// For what.
    pub purposes: String,
    /// Categories that were released.
    pub categories: String,
}

/// Refusals alike.
#[derive(Debug, Clone, Serialize)]
pub struct Refusal {
    /// The code.
    pub code: String,
    /// In words.
    pub what: String,
    /// The role.
    pub role: String,
    /// The purpose.
    pub purpose: String,
    /// The rule behind it.
    pub rule: String,
    /// How many.
    pub count: u64,
    /// When the last was.
    pub last: String,
}

/// A gap.
#[derive(Debug, Clone, Serialize)]
pub struct Gap {
    /// The table or column.
    pub name: String,
    /// How many statements met it.
    pub count: u64,
    /// Roles.
    pub roles: String,
    /// When the last did.
    pub last: String,
}

/// A use of a break-glass purpose.
#[derive(Debug, Clone, Serialize)]
pub struct Glass {
    /// When.
    pub time: String,
    /// `began` or `ended`.
    pub phase: String,
    /// The role.
    pub role: String,
    /// The actor, as the client gave it.
    pub actor: String,
    /// The purpose.
    pub purpose: String,
    /// The reason, as the client gave it.
    pub reason: String,
}

/// A change of the rules.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// When.
    pub time: String,
    /// In which database.
    pub database: String,
    /// The revision before.
    pub before: String,
    /// The revision from then on.
    pub after: String,
    /// Cells of the matrix that differ.
    pub cells: u64,
}

/// What befell the log.
#[derive(Debug, Clone, Serialize)]
pub struct Life {
    /// When.
    pub time: String,
    /// The kind of event.
    pub event: String,
    /// In words.
    pub what: String,
}

#[derive(Template)]
#[template(path = "report.md", escape = "none", config = "src/admin/askama.toml")]
struct Markdown<'r> {
    report: &'r Report,
}

#[derive(Template)]
#[template(path = "report.html", config = "src/admin/askama.toml")]
struct Html<'r> {
    report: &'r Report,
    style: &'static str,
}

impl Report {
    /// Of what was counted in a period, which is given in words.
    pub fn new(tally: &Tally, set: Option<&PolicySet>, period: String, now: OffsetDateTime) -> Self {
        let policies: Vec<&Policy> = set
            .iter()
            .flat_map(|set| set.policies())
            .map(|(_, p)| p.as_ref())
            .collect();
        let all = &tally.all;
        let (step, spans) = tally.over_time(60);
        let mut revisions: Vec<&str> = policies.iter().map(|p| p.revision.as_str()).collect();
        revisions.dedup();
        let mut purposes: Vec<_> = tally.purposes.iter().collect();
        purposes.sort_by_key(|(_, account)| std::cmp::Reverse(account.outcomes.total()));
        let mut actors: Vec<_> = tally.actors.iter().collect();
        actors.sort_by_key(|(_, account)| std::cmp::Reverse(account.outcomes.total()));
        let refused = tally.logins.of("refuse") + tally.logins.of("error");
        Self {
            period,
            first: words::time(&tally.first),
            last: words::time(&tally.last),
            made: words::time(&timestamp(now)),
            contact: policies.iter().find_map(|p| p.contact.clone()).unwrap_or_default(),
            revision: revisions.join(", "),
            chart: chart::outcomes(step, &spans),
            outcomes: outcomes(all),
            statements: all.outcomes.total(),
            rows: all.rows,
            logins: (tally.logins.total() - refused, refused),
            purposes: purposes
                .into_iter()
                .map(|(name, account)| activity(name, account, &policies))
                .collect(),
            actors: actors
                .into_iter()
                .take(200)
                .map(|((role, actor), a)| of_actor(role, actor, a))
                .collect(),
            refusals: refusals(tally),
            gaps: gaps(tally),
            break_glass: tally.break_glass.iter().map(glass).collect(),
            changes: tally.changes.iter().map(change).collect(),
            life: tally.life.iter().map(life).collect(),
            skipped: tally.skipped,
        }
    }

    /// As Markdown (CommonMark with tables).
    ///
    /// # Errors
    /// A fault of the template.
    pub fn markdown(&self) -> Result<String, askama::Error> {
        Markdown { report: self }.render()
    }

    /// As an HTML page that needs nothing else.
    ///
    /// # Errors
    /// A fault of the template.
    pub fn html(&self) -> Result<String, askama::Error> {
        let page = Html {
            report: self,
            style: include_str!("assets/style.css"),
        };
        page.render()
    }
}

impl Markdown<'_> {
    /// A text as Markdown: nothing in it is markup, and no line ends in it.
    fn cell(&self, text: &str) -> String {
        plain(text)
    }
}

fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if c.is_ascii_punctuation() && !".,:/-()_".contains(c) => out.extend(['\\', c]),
            '_' => out.push_str("\\_"),
            c => out.push(c),
        }
    }
    if out.is_empty() { "–".into() } else { out }
}

fn counted(names: Vec<(&str, u64)>) -> Vec<Counted> {
    let each = names.into_iter().map(|(name, count)| Counted {
        name: words::visible(name),
        count,
    });
    each.collect()
}

fn outcomes(account: &Account) -> Vec<Counted> {
    let some = OUTCOMES
        .into_iter()
        .zip(account.outcomes.0)
        .filter(|(_, count)| *count > 0);
    counted(some.collect())
}

fn activity(name: &str, account: &Account, policies: &[&Policy]) -> Activity {
    let rule = policies.iter().find_map(|policy| policy.purposes.get(name));
    let mut conditions = Vec::new();
    if let Some(rule) = rule {
        if rule.aggregate {
            conditions.push(format!("statistics over at least {} people only", rule.min_group_size));
        }
        if rule.one_subject {
            conditions.push("one person's rows only".to_owned());
        }
        if rule.reason_required {
            conditions.push("a reason is required".to_owned());
        }
        if let Some(glass) = rule.break_glass {
            conditions.push(format!("break-glass, for {} minutes at most", glass.max_minutes));
        }
        if let Some(rows) = rule.max_rows {
            conditions.push(format!("at most {} rows a statement", words::count(rows)));
        }
        if let Some(queries) = rule.max_queries_per_day {
            conditions.push(format!("at most {} queries a day of each role", words::count(queries)));
        }
        if rule.prohibited {
            conditions.push("prohibited".to_owned());
        }
    }
    let limits = policies
        .iter()
        .flat_map(|policy| policy.tables.values())
        .filter_map(|table| {
            let retention = table.retention.as_ref()?;
            let applies = retention.purposes.is_empty()
                || retention
                    .purposes
                    .iter()
                    .any(|of| crate::audit::query::is_within(name, of));
            applies.then(|| format!("{}: {}", table.name, retention.keep))
        });
    Activity {
        purpose: words::visible(name),
        title: rule.and_then(|rule| rule.title.clone()).unwrap_or_default(),
        legal_bases: counted(account.legal_bases.by_count()),
        statements: account.outcomes.total(),
        outcomes: outcomes(account),
        rows: account.rows,
        bytes: account.bytes,
        categories: account
            .categories
            .iter()
            .map(|(name, forms)| Category {
                name: words::visible(name),
                forms: counted(forms.by_count()),
            })
            .collect(),
        recipients: account
            .recipients
            .by_count()
            .into_iter()
            .map(|(name, count)| Recipient {
                name: words::visible(name),
                count,
                about: recipient(name, policies),
            })
            .collect(),
        roles: counted(account.roles.by_count()),
        actors: account.actors.0.len() as u64,
        with_subject: account.with_subject,
        limits: limits.collect(),
        conditions,
    }
}

/// What the rules say of a recipient.
fn recipient(name: &str, policies: &[&Policy]) -> String {
    if name == "controller" {
        return "the controller itself".into();
    }
    let Some(rule) = policies.iter().find_map(|policy| policy.recipients.get(name)) else {
        return String::new();
    };
    let mut parts = vec![
        match rule.kind {
            RecipientKind::Processor => "processor",
            RecipientKind::ThirdParty => "third party",
        }
        .to_owned(),
    ];
    parts.extend(rule.region.as_ref().map(|region| format!("region {region}")));
    parts.extend(rule.assurances.iter().map(|assurance| {
        let kind = assurance_words(assurance.kind);
        assurance
            .expires
            .map_or_else(|| kind.to_owned(), |day| format!("{kind} until {day}"))
    }));
    parts.join(", ")
}

const fn assurance_words(kind: AssuranceKind) -> &'static str {
    match kind {
        AssuranceKind::StandardContractualClauses => "standard contractual clauses",
        AssuranceKind::AdequacyDecision => "adequacy decision",
        AssuranceKind::Certification => "certification",
        AssuranceKind::BindingCorporateRules => "binding corporate rules",
        AssuranceKind::PrivacyFramework => "privacy framework",
    }
}

fn of_actor(role: &str, actor: &str, account: &Account) -> Actor {
    let names = |list: Vec<(&str, u64)>| {
        let names = list.into_iter().take(8).map(|(name, _)| words::visible(name));
        names.collect::<Vec<_>>().join(", ")
    };
    Actor {
        role: words::visible(role),
        actor: words::one_line(&words::visible(actor), 120),
        statements: account.outcomes.total(),
        refused: account.outcomes.of("refuse"),
        rows: account.rows,
        purposes: names(account.purposes.by_count()),
        categories: names(account.released()),
    }
}

fn refusals(tally: &Tally) -> Vec<Refusal> {
    let each = tally.refusals.iter().map(|(key, refusals)| Refusal {
        what: reason::of(&key.code).what.to_owned(),
        code: words::visible(&key.code),
        role: words::visible(&key.role),
        purpose: words::visible(&key.purpose),
        rule: words::visible(&key.rule),
        count: refusals.count,
        last: words::time(&refusals.last),
    });
    let mut all: Vec<Refusal> = each.collect();
    all.sort_by_key(|refusal| std::cmp::Reverse(refusal.count));
    all
}

fn gaps(tally: &Tally) -> Vec<Gap> {
    let each = tally.gaps.iter().map(|(name, used)| Gap {
        name: words::visible(name),
        count: used.count,
        roles: used
            .roles
            .by_count()
            .iter()
            .map(|(role, _)| words::visible(role))
            .collect::<Vec<_>>()
            .join(", "),
        last: words::time(&used.last),
    });
    each.collect()
}

fn glass(record: &Record) -> Glass {
    let text = |key| words::visible(record.text(key));
    Glass {
        time: words::time(record.text("time")),
        phase: text("phase"),
        role: text("role"),
        actor: text("actor"),
        purpose: text("purpose"),
        reason: text("reason"),
    }
}

fn change(record: &Record) -> Change {
    Change {
        time: words::time(record.text("time")),
        database: words::visible(record.text("database")),
        before: entry::revision(record, "before"),
        after: entry::revision(record, "policy"),
        cells: record.number("changes_total").unwrap_or_default(),
    }
}

fn life(record: &Record) -> Life {
    Life {
        time: words::time(record.text("time")),
        event: words::visible(record.text("event")),
        what: entry::what(record),
    }
}
