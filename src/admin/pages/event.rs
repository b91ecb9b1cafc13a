//! One event's whole story.

use askama::Template;

use crate::audit::query::{Found, Record};
use crate::rules::PolicySet;

use super::super::question::Question;
use super::super::view::entry::{self, Change, Entry, Fact, Field};
use super::super::view::gap::{self, Gap};
use super::super::view::{reason, words};
use super::{Face, Failure, Frame, Made, RuleLine, Visitor, is_glass, rule_line, title};

#[derive(Template)]
#[template(path = "event.html", config = "src/admin/askama.toml")]
struct Event {
    frame: Frame,
    entry: Entry,
    title: String,
    reason: Option<reason::Reason>,
    remedy: String,
    statement: String,
    facts: Vec<(Fact, String)>,
    fields: Vec<Field>,
    rules: Vec<RuleLine>,
    other_rules: bool,
    gaps: Vec<Gap>,
    filters: Vec<String>,
    changes: Vec<Change>,
    completion: Option<Completion>,
    policy: String,
    cursor: String,
    prev: String,
    hash: String,
    raw: String,
}

struct Completion {
    rows: String,
    bytes: String,
    took: String,
    sqlstate: String,
    groups: String,
}

/// One event's whole story.
pub fn event(face: &Face, id: &str, visitor: &Visitor) -> Made {
    const NONE: Failure = Failure::NotFound("There is no such event in the log.");
    let id = uuid::Uuid::parse_str(id).map_err(|_| NONE)?;
    let found = face.store.event(id)?.ok_or(NONE)?;
    let rules = face.shared.rules.load_full();
    let record = &found.record;
    let policy = rules.set.for_database(record.text("database"));
    let entry = entry::entry(&found, &|purpose| is_glass(&rules, purpose));
    let question = Question::new(&[("since".into(), "all".into())]);
    let fields = entry::fields(record);
    let sha256 = record
        .value
        .get("policy")
        .and_then(|p| p.get("sha256"))
        .and_then(|v| v.as_str());
    let of_these = sha256 == Some(rules.set.sha256());
    let facts = entry::facts(record).into_iter().map(|fact| {
        let link = match fact.key {
            "" => String::new(),
            key => question.link("/events", &[(key, record.text(key))]),
        };
        (fact, link)
    });
    let code = record.text("code");
    let catalogs = face.shared.catalogs.loaded();
    let catalog = catalogs.iter().find(|(name, _)| name == record.text("database"));
    let gaps = policy.as_ref().map(|policy| {
        let names = entry::texts(record, "gaps");
        names
            .iter()
            .map(|name| gap::named(name, policy, catalog.map(|(_, c)| &c.catalog)))
            .collect()
    });
    let remedy = policy
        .as_ref()
        .and_then(|p| reason::yaml(code, record.text("role"), record.text("purpose"), p));
    let page = Event {
        frame: Frame::new(face, visitor, &question, "/events/"),
        title: title(&rules.set, record.text("purpose")),
        reason: Some(reason::of(code)).filter(|r| !r.what.is_empty()),
        remedy: remedy.unwrap_or_default(),
        statement: words::visible(record.text("statement")),
        facts: facts.collect(),
        rules: if of_these {
            rule_lines(&rules.set, record, &fields)
        } else {
            Vec::new()
        },
        other_rules: sha256.is_some() && !of_these,
        fields,
        gaps: gaps.unwrap_or_default(),
        filters: entry::texts(record, "row_filters"),
        changes: entry::changes(record),
        completion: found.completion.as_ref().map(completion),
        policy: entry::revision(record, "policy"),
        cursor: record.text("cursor_of").to_owned(),
        prev: record.text("prev").to_owned(),
        hash: record.text("hash").to_owned(),
        raw: raw(&found),
        entry,
    };
    Ok(page.render()?)
}

fn completion(record: &Record) -> Completion {
    let number = |key| record.number(key).unwrap_or_default();
    Completion {
        rows: words::counted(number("rows"), "row"),
        bytes: words::bytes(number("bytes")),
        took: words::duration(number("duration_us")),
        sqlstate: record.text("sqlstate").to_owned(),
        groups: record.number("groups_left_out").map(words::count).unwrap_or_default(),
    }
}

fn raw(found: &Found) -> String {
    let records = std::iter::once(&found.record).chain(&found.completion);
    let texts = records.map(|record| words::visible(&format!("{:#}", record.value)));
    texts.collect::<Vec<_>>().join("\n")
}

fn rule_lines(set: &PolicySet, record: &Record, fields: &[Field]) -> Vec<RuleLine> {
    let mut places: Vec<&str> = fields
        .iter()
        .map(|f| f.rule.as_str())
        .chain([record.text("rule")])
        .collect();
    places.retain(|place| !place.is_empty());
    places.sort_unstable();
    places.dedup();
    places.into_iter().filter_map(|place| rule_line(set, place)).collect()
}
