//! What changed in the rules, for whom.

use askama::Template;
use time::OffsetDateTime;

use crate::audit::query::Filter;

use super::super::question::{Period, Question};
use super::super::view::entry::{self, Change};
use super::super::view::words;
use super::{Face, Frame, Made, Visitor};

/// A change of the rules.
struct ChangeOfRules {
    day: String,
    clock: String,
    link: String,
    database: String,
    before: String,
    after: String,
    total: String,
    changes: Vec<Change>,
}

#[derive(Template)]
#[template(path = "changes.html", config = "src/admin/askama.toml")]
struct Changes {
    frame: Frame,
    periods: Vec<Period>,
    period: String,
    since: String,
    until: String,
    changes: Vec<ChangeOfRules>,
}

/// What changed in the rules, for whom.
pub fn changes(face: &Face, question: &Question, visitor: &Visitor) -> Made {
    let filter = Filter {
        event: Some("policy_changed".into()),
        ..question.filter(OffsetDateTime::now_utc())
    };
    let tally = face.store.tally(&question.link("/changes", &[]), &filter)?;
    let changes = tally.changes.iter().rev().map(|record| {
        let (day, clock) = words::day_and_clock(record.text("time"));
        ChangeOfRules {
            day,
            clock,
            link: uuid::Uuid::parse_str(record.text("id")).map_or_else(|_| String::new(), |id| format!("/events/{id}")),
            database: words::visible(record.text("database")),
            before: entry::revision(record, "before"),
            after: entry::revision(record, "policy"),
            total: words::counted(record.number("changes_total").unwrap_or_default(), "cell"),
            changes: entry::changes(record),
        }
    });
    let page = Changes {
        frame: Frame::new(face, visitor, question, "/changes"),
        periods: question.periods("/changes"),
        period: question.period(),
        since: question.since.clone(),
        until: question.get("until").to_owned(),
        changes: changes.collect(),
    };
    Ok(page.render()?)
}
