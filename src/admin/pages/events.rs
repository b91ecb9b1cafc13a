//! Events that a filter asks for, and who and what they are of.

use std::io;

use askama::Template;
use time::OffsetDateTime;

use crate::audit::query::Filter;
use crate::audit::tally::{OUTCOMES, Tally};

use super::super::question::{KEYS, Period, Question, Set};
use super::super::store::Listed;
use super::super::view::entry::{self, Entry};
use super::super::view::words;
use super::{EVENTS, Face, Frame, Made, Ranked, Visitor, is_glass, plain_rank};

/// Values of one key among the events found.
struct Facet {
    label: &'static str,
    values: Vec<Ranked>,
}

struct Input {
    key: &'static str,
    label: &'static str,
    value: String,
}

#[derive(Template)]
#[template(path = "events.html", config = "src/admin/askama.toml")]
struct Events {
    frame: Frame,
    periods: Vec<Period>,
    set: Vec<Set>,
    facets: Vec<Facet>,
    inputs: Vec<Input>,
    summary: String,
    list: List,
    list_link: String,
    live: bool,
}

#[derive(Template)]
#[template(path = "list.html", config = "src/admin/askama.toml")]
struct List {
    entries: Vec<Entry>,
    older: String,
    newest: String,
}

/// Events that a filter asks for, and who and what they are of.
pub fn events(face: &Face, question: &Question, visitor: &Visitor) -> Made {
    let filter = question.filter(OffsetDateTime::now_utc());
    let tally = face.store.tally(&question.key(), &filter)?;
    let inputs = KEYS.iter().map(|(key, label)| Input {
        key,
        label,
        value: question.get(key).to_owned(),
    });
    let statements = tally.all.outcomes.total();
    let page = Events {
        frame: Frame::new(face, visitor, question, "/events"),
        periods: question.periods("/events"),
        set: question.set("/events"),
        facets: facets(&tally, question),
        inputs: inputs.collect(),
        summary: format!(
            "{} {}, {}, {} left",
            words::counted(tally.records, "event"),
            question.period(),
            words::counted(statements, "statement"),
            words::counted(tally.all.rows, "row"),
        ),
        list: listed(face, question, &filter)?,
        list_link: question.link("/events/list", &[]),
        live: question.before.is_none() && question.get("until").is_empty(),
    };
    Ok(page.render()?)
}

/// The list alone.
pub fn list(face: &Face, question: &Question) -> Made {
    let filter = question.filter(OffsetDateTime::now_utc());
    Ok(listed(face, question, &filter)?.render()?)
}

fn listed(face: &Face, question: &Question, filter: &Filter) -> io::Result<List> {
    let rules = face.shared.rules.load_full();
    let Listed { found, more } = face.store.newest(filter, EVENTS, question.before)?;
    let entries = entry::entries(found.iter(), &|purpose| is_glass(&rules, purpose));
    let last = entries.last().map(|e| e.seq.to_string()).unwrap_or_default();
    Ok(List {
        older: if more {
            question.link("/events", &[("before", &last)])
        } else {
            String::new()
        },
        newest: if question.before.is_some() {
            question.link("/events", &[])
        } else {
            String::new()
        },
        entries,
    })
}

/// Who and what: what is not asked for already, so that a click asks for it.
fn facets(tally: &Tally, question: &Question) -> Vec<Facet> {
    let all = &tally.all;
    let released = all.released();
    let outcomes: Vec<(&str, u64)> = OUTCOMES
        .into_iter()
        .zip(all.outcomes.0)
        .filter(|(_, n)| *n > 0)
        .collect();
    let candidates = [
        ("purpose", "For what", all.purposes.by_count()),
        ("role", "By which role", all.roles.by_count()),
        ("actor", "By whom, as clients say", all.actors.by_count()),
        ("outcome", "With which outcome", outcomes),
        ("code", "Why refused", all.codes.by_count()),
        ("category", "What data was released", released),
        ("event", "Which kind of event", tally.kinds.by_count()),
    ];
    let facets = candidates.into_iter().filter(|(key, ..)| question.get(key).is_empty());
    let facets = facets.map(|(key, label, counted)| {
        let most = counted.first().map_or(1, |(_, count)| *count);
        let link = |name: &str| match key {
            "category" => question.link("/events", &[(key, name), ("form", "released")]),
            _ => question.link("/events", &[(key, name)]),
        };
        let values = counted
            .iter()
            .take(8)
            .map(|(name, count)| plain_rank(name, *count, most, link(name)));
        Facet {
            label,
            values: values.collect(),
        }
    });
    facets.filter(|facet| !facet.values.is_empty()).collect()
}
