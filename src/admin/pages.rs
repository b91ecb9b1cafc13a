//! The pages: what each takes out of the log and the rules, and its template.

use std::io;

use askama::Template;
use axum::http::StatusCode;
use time::OffsetDateTime;

use crate::audit::query::{Filter, Found, Record};
use crate::audit::tally::{Account, OUTCOMES, Outcomes, RefusalKey, Refusals, Tally};
use crate::policy::Policy;
use crate::rules::PolicySet;
use crate::session::Rules;

use super::Face;
use super::gate::Visitor;
use super::question::{KEYS, Period, Question, Set};
use super::report::Report;
use super::store::{Listed, Verification};
use super::view::chart::{self, Chart};
use super::view::entry::{self, Change, Entry, Fact, Field};
use super::view::gap::{self, Gap};
use super::view::heat::{self, HeatMap};
use super::view::{reason, words};

/// So many events stand on one page.
const EVENTS: usize = 60;
/// So many lines of a list stand on the overview.
const FEW: usize = 6;

/// Why there is no page.
pub enum Failure {
    /// What was asked for does not exist.
    NotFound(&'static str),
    /// The log cannot be read.
    Unreadable(io::Error),
    /// A fault of ours.
    Fault,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl From<askama::Error> for Failure {
    fn from(_: askama::Error) -> Self {
        Self::Fault
    }
}

type Made = Result<String, Failure>;

/// What stands around every page.
struct Frame {
    title: &'static str,
    path: &'static str,
    csrf: String,
    since: String,
    revision: String,
    /// The log cannot be written.
    unavailable: bool,
    /// Break-glass purposes in use now.
    glass: String,
}

struct NavItem {
    label: &'static str,
    link: String,
    here: bool,
}

const NAV: [(&str, &str); 8] = [
    ("/", "Overview"),
    ("/events", "Events"),
    ("/refused", "Refused"),
    ("/gaps", "Gaps"),
    ("/rules", "Rules"),
    ("/changes", "Changes"),
    ("/log", "Log"),
    ("/report", "Report"),
];

impl Frame {
    fn new(face: &Face, visitor: &Visitor, question: &Question, path: &'static str) -> Self {
        let rules = face.shared.rules.load();
        let mut revisions: Vec<&str> = rules.set.policies().map(|(_, p)| p.revision.as_str()).collect();
        revisions.dedup();
        let open = u64::try_from(face.shared.journal.counts().break_glass_open()).unwrap_or_default();
        Self {
            title: NAV.iter().find(|(p, _)| *p == path).map_or("Event", |(_, label)| label),
            path,
            csrf: visitor.csrf.clone(),
            since: question.since.clone(),
            revision: revisions.join(", "),
            unavailable: !face.shared.journal.is_available(),
            glass: if open > 0 { words::counted(open, "break-glass use") } else { String::new() },
        }
    }

    fn nav(&self) -> Vec<NavItem> {
        let items = NAV.iter().map(|(path, label)| NavItem {
            label,
            link: match self.since.as_str() {
                "24h" => (*path).to_owned(),
                since => format!("{path}?since={}", super::question::encoded(since)),
            },
            here: *path == self.path,
        });
        items.collect()
    }
}

/// A name, how often it occurred, and where its events are.
struct Ranked {
    name: String,
    note: String,
    count: String,
    /// Of 100 pixels.
    share: u32,
    outcomes: Vec<Part>,
    link: String,
}

/// A piece of a bar of outcomes.
struct Part {
    outcome: &'static str,
    from: u32,
    width: u32,
}

const BAR: u32 = 120;

fn parts(outcomes: &Outcomes, whole: u64) -> Vec<Part> {
    let mut from = 0;
    let some = OUTCOMES.iter().zip(outcomes.0).filter(|(_, count)| *count > 0);
    let parts = some.map(|(outcome, count)| {
        let width = chart::share(count, whole, BAR).max(2);
        from += width;
        Part {
            outcome,
            from: from - width,
            width,
        }
    });
    parts.collect()
}

fn plain_rank(name: &str, count: u64, whole: u64, link: String) -> Ranked {
    Ranked {
        name: words::visible(name),
        note: String::new(),
        count: words::count(count),
        share: chart::share(count, whole, 100),
        outcomes: Vec::new(),
        link,
    }
}

#[derive(Template)]
#[template(path = "overview.html", config = "src/admin/askama.toml")]
struct Overview {
    frame: Frame,
    periods: Vec<Period>,
    headline: Headline,
    chart: Chart,
    legend: Vec<Ranked>,
    glass: Vec<Entry>,
    purposes: Vec<Ranked>,
    actors: Vec<Ranked>,
    categories: Vec<Ranked>,
    refusals: Vec<Ranked>,
    gaps: Vec<Ranked>,
    refused_link: String,
    gaps_link: String,
    events: Vec<Entry>,
    events_link: String,
    glass_link: String,
}

/// What happened, in a sentence.
struct Headline {
    period: String,
    statements: String,
    purposes: String,
    refused: String,
    gaps: String,
    rows: String,
}

/// What happened, at a glance.
pub fn overview(face: &Face, question: &Question, visitor: &Visitor) -> Made {
    let now = OffsetDateTime::now_utc();
    let tally = face.store.tally(&question.key(), &question.filter(now))?;
    let rules = face.shared.rules.load_full();
    let is_glass = |purpose: &str| is_glass(&rules, purpose);
    let (step, spans) = tally.over_time(60);
    let total = tally.all.outcomes.total();
    let statements = Filter {
        event: Some("statement".into()),
        ..question.filter(now)
    };
    let listed = face.store.newest(&statements, 10, None)?;
    let page = Overview {
        frame: Frame::new(face, visitor, question, "/"),
        periods: question.periods("/"),
        headline: Headline {
            period: question.period(),
            statements: words::counted(total, "statement"),
            purposes: words::counted(tally.purposes.keys().filter(|p| !p.is_empty()).count() as u64, "purpose"),
            refused: words::count(tally.all.outcomes.of("refuse")),
            gaps: words::count(tally.all.outcomes.of("gap")),
            rows: words::counted(tally.all.rows, "row"),
        },
        chart: chart::outcomes(step, &spans),
        legend: legend(&tally.all, question),
        glass: entry::alone(tally.break_glass.iter().rev().take(FEW)),
        purposes: purposes(&tally, &rules, question),
        actors: actors(&tally, question),
        categories: categories(&tally, question),
        refusals: refusal_ranks(&tally, question),
        gaps: gap_ranks(&tally, question),
        refused_link: question.link("/refused", &[]),
        gaps_link: question.link("/gaps", &[]),
        events: entry::entries(listed.found.iter(), &is_glass),
        events_link: question.link("/events", &[("event", "statement")]),
        glass_link: question.link("/events", &[("event", "break_glass")]),
    };
    Ok(page.render()?)
}

fn is_glass(rules: &Rules, purpose: &str) -> bool {
    let mut policies = rules.set.policies();
    policies.any(|(_, policy)| policy.purposes.get(purpose).is_some_and(|p| p.break_glass.is_some()))
}

/// The purpose's title, in whichever database's rules it is.
fn title(set: &PolicySet, purpose: &str) -> String {
    let mut titles = set.policies().filter_map(|(_, policy)| policy.purposes.get(purpose)?.title.clone());
    titles.next().unwrap_or_default()
}

fn legend(all: &Account, question: &Question) -> Vec<Ranked> {
    let some = OUTCOMES.iter().zip(all.outcomes.0).filter(|(_, count)| *count > 0);
    let ranks = some.map(|(outcome, count)| {
        plain_rank(outcome, count, all.outcomes.total(), question.link("/events", &[("outcome", outcome)]))
    });
    ranks.collect()
}

fn purposes(tally: &Tally, rules: &Rules, question: &Question) -> Vec<Ranked> {
    let mut accounts: Vec<_> = tally.purposes.iter().collect();
    accounts.sort_by_key(|(_, account)| std::cmp::Reverse(account.outcomes.total()));
    let most = accounts.first().map_or(1, |(_, a)| a.outcomes.total());
    let ranks = accounts.into_iter().map(|(name, account)| Ranked {
        name: if name.is_empty() { "none declared".into() } else { words::visible(name) },
        note: title(&rules.set, name),
        count: words::count(account.outcomes.total()),
        share: 0,
        outcomes: parts(&account.outcomes, most),
        link: if name.is_empty() {
            question.link("/events", &[("code", "purpose_missing")])
        } else {
            question.link("/events", &[("purpose", name)])
        },
    });
    ranks.take(12).collect()
}

fn actors(tally: &Tally, question: &Question) -> Vec<Ranked> {
    let mut accounts: Vec<_> = tally.actors.iter().collect();
    accounts.sort_by_key(|(_, account)| std::cmp::Reverse(account.outcomes.total()));
    let most = accounts.first().map_or(1, |(_, a)| a.outcomes.total());
    let ranks = accounts.into_iter().map(|((role, actor), account)| Ranked {
        name: words::visible(role),
        note: words::one_line(&words::visible(actor), 60),
        count: words::count(account.outcomes.total()),
        share: 0,
        outcomes: parts(&account.outcomes, most),
        link: question.link("/events", &[("role", role), ("actor", actor)]),
    });
    ranks.take(12).collect()
}

fn categories(tally: &Tally, question: &Question) -> Vec<Ranked> {
    let released = tally.all.released();
    let most = released.first().map_or(1, |(_, count)| *count);
    let ranks = released.into_iter().map(|(name, count)| {
        let link = question.link("/events", &[("category", name), ("form", "released")]);
        plain_rank(name, count, most, link)
    });
    ranks.take(14).collect()
}

fn refusal_ranks(tally: &Tally, question: &Question) -> Vec<Ranked> {
    let codes = tally.all.codes.by_count();
    let most = codes.first().map_or(1, |(_, count)| *count);
    let ranks = codes.into_iter().map(|(code, count)| Ranked {
        note: reason::of(code).what.to_owned(),
        ..plain_rank(code, count, most, question.link("/events", &[("code", code)]))
    });
    ranks.take(FEW).collect()
}

fn gap_ranks(tally: &Tally, question: &Question) -> Vec<Ranked> {
    let mut gaps: Vec<_> = tally.gaps.iter().collect();
    gaps.sort_by_key(|(_, gap)| std::cmp::Reverse(gap.count));
    let most = gaps.first().map_or(1, |(_, gap)| gap.count);
    let ranks = gaps.into_iter().map(|(name, gap)| plain_rank(name, gap.count, most, question.link("/gaps", &[])));
    ranks.take(FEW).collect()
}

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
        older: if more { question.link("/events", &[("before", &last)]) } else { String::new() },
        newest: if question.before.is_some() { question.link("/events", &[]) } else { String::new() },
        entries,
    })
}

/// Who and what: what is not asked for already, so that a click asks for it.
fn facets(tally: &Tally, question: &Question) -> Vec<Facet> {
    let all = &tally.all;
    let released = all.released();
    let outcomes: Vec<(&str, u64)> = OUTCOMES.into_iter().zip(all.outcomes.0).filter(|(_, n)| *n > 0).collect();
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
        let values = counted.iter().take(8).map(|(name, count)| plain_rank(name, *count, most, link(name)));
        Facet {
            label,
            values: values.collect(),
        }
    });
    facets.filter(|facet| !facet.values.is_empty()).collect()
}

/// A rule with the line that it begins on.
struct RuleLine {
    place: String,
    text: String,
}

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
    let sha256 = record.value.get("policy").and_then(|p| p.get("sha256")).and_then(|v| v.as_str());
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
        names.iter().map(|name| gap::named(name, policy, catalog.map(|(_, c)| &c.catalog))).collect()
    });
    let remedy = policy.as_ref().and_then(|p| reason::yaml(code, record.text("role"), record.text("purpose"), p));
    let page = Event {
        frame: Frame::new(face, visitor, &question, "/events/"),
        title: title(&rules.set, record.text("purpose")),
        reason: Some(reason::of(code)).filter(|r| !r.what.is_empty()),
        remedy: remedy.unwrap_or_default(),
        statement: words::visible(record.text("statement")),
        facts: facts.collect(),
        rules: if of_these { rule_lines(&rules.set, record, &fields) } else { Vec::new() },
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
    let mut places: Vec<&str> = fields.iter().map(|f| f.rule.as_str()).chain([record.text("rule")]).collect();
    places.retain(|place| !place.is_empty());
    places.sort_unstable();
    places.dedup();
    places.into_iter().filter_map(|place| rule_line(set, place)).collect()
}

/// `file:line` with the line as it was read.
fn rule_line(set: &PolicySet, place: &str) -> Option<RuleLine> {
    let (file, line) = place.rsplit_once(':')?;
    let text = set.line(file, line.parse().ok()?)?;
    Some(RuleLine {
        place: place.to_owned(),
        text: text.trim().to_owned(),
    })
}

/// Refusals with one code.
struct CodeGroup {
    code: String,
    reason: reason::Reason,
    count: String,
    link: String,
    lines: Vec<RefusalLine>,
}

struct RefusalLine {
    role: String,
    purpose: String,
    actors: String,
    columns: String,
    count: String,
    last: String,
    example: String,
    statement: String,
    rule: Option<RuleLine>,
    yaml: String,
}

#[derive(Template)]
#[template(path = "refused.html", config = "src/admin/askama.toml")]
struct Refused {
    frame: Frame,
    periods: Vec<Period>,
    period: String,
    total: String,
    groups: Vec<CodeGroup>,
}

/// What was refused to whom, and why.
pub fn refused(face: &Face, question: &Question, visitor: &Visitor) -> Made {
    let filter = question.filter(OffsetDateTime::now_utc());
    let tally = face.store.tally(&question.key(), &filter)?;
    let rules = face.shared.rules.load_full();
    let mut groups: Vec<CodeGroup> = Vec::new();
    for (code, count) in tally.all.codes.by_count() {
        let mut alike: Vec<(&RefusalKey, &Refusals)> = tally.refusals.iter().filter(|(key, _)| key.code == code).collect();
        alike.sort_by_key(|(_, refusals)| std::cmp::Reverse(refusals.count));
        groups.push(CodeGroup {
            code: code.to_owned(),
            reason: reason::of(code),
            count: words::count(count),
            link: question.link("/events", &[("code", code)]),
            lines: alike.into_iter().map(|(key, refusals)| refusal_line(&rules.set, key, refusals)).collect(),
        });
    }
    groups.retain(|group| !group.lines.is_empty());
    let page = Refused {
        frame: Frame::new(face, visitor, question, "/refused"),
        periods: question.periods("/refused"),
        period: question.period(),
        total: words::counted(tally.all.outcomes.of("refuse"), "statement"),
        groups,
    };
    Ok(page.render()?)
}

fn refusal_line(set: &PolicySet, key: &RefusalKey, refusals: &Refusals) -> RefusalLine {
    let names = |list: Vec<(&str, u64)>| {
        let names = list.into_iter().filter(|(name, _)| !name.is_empty()).take(6);
        names.map(|(name, _)| words::visible(name)).collect::<Vec<_>>().join(", ")
    };
    let policies: Vec<&Policy> = set.policies().map(|(_, policy)| policy.as_ref()).collect();
    let yaml = policies.iter().find_map(|policy| reason::yaml(&key.code, &key.role, &key.purpose, policy));
    RefusalLine {
        role: words::visible(&key.role),
        purpose: words::visible(&key.purpose),
        actors: names(refusals.actors.by_count()),
        columns: names(refusals.columns.by_count()),
        count: words::count(refusals.count),
        last: words::time(&refusals.last),
        example: uuid::Uuid::parse_str(&refusals.example).map_or_else(|_| String::new(), |id| format!("/events/{id}")),
        statement: words::one_line(&words::visible(&refusals.statement), 160),
        rule: rule_line(set, &key.rule),
        yaml: yaml.unwrap_or_default(),
    }
}

struct GapLine {
    gap: Gap,
    count: String,
    last: String,
    who: String,
    example: String,
}

struct DatabaseGaps {
    database: String,
    gaps: Vec<GapLine>,
}

#[derive(Template)]
#[template(path = "gaps.html", config = "src/admin/askama.toml")]
struct Gaps {
    frame: Frame,
    periods: Vec<Period>,
    period: String,
    met: Vec<GapLine>,
    unmet: Vec<DatabaseGaps>,
}

/// What no rule speaks of, asked for or not, and the lines that would change that.
pub fn gaps(face: &Face, question: &Question, visitor: &Visitor) -> Made {
    let filter = question.filter(OffsetDateTime::now_utc());
    let tally = face.store.tally(&question.key(), &filter)?;
    let rules = face.shared.rules.load_full();
    let catalogs = face.shared.catalogs.loaded();
    let mut met: Vec<_> = tally.gaps.iter().collect();
    met.sort_by_key(|(_, gap)| std::cmp::Reverse(gap.count));
    let met = met.into_iter().filter_map(|(name, used)| {
        let policy = rules.set.for_database(&used.database)?;
        let catalog = catalogs.iter().find(|(database, _)| *database == used.database);
        let purposes = used.purposes.by_count().into_iter().map(|(p, _)| words::visible(p)).take(4);
        let roles = used.roles.by_count().into_iter().map(|(r, _)| words::visible(r)).take(4);
        Some(GapLine {
            gap: gap::named(name, &policy, catalog.map(|(_, c)| &c.catalog)),
            count: words::count(used.count),
            last: words::time(&used.last),
            who: format!(
                "{} for {}",
                roles.collect::<Vec<_>>().join(", "),
                purposes.collect::<Vec<_>>().join(", ")
            ),
            example: uuid::Uuid::parse_str(&used.example).map_or_else(|_| String::new(), |id| format!("/events/{id}")),
        })
    });
    let unmet = catalogs.iter().filter_map(|(database, catalog)| {
        let policy = rules.set.for_database(database)?;
        let gaps = gap::of_database(&policy, &catalog.catalog).into_iter();
        let gaps = gaps.filter(|gap| !tally.gaps.contains_key(&gap.name)).map(|gap| GapLine {
            gap,
            count: String::new(),
            last: String::new(),
            who: String::new(),
            example: String::new(),
        });
        Some(DatabaseGaps {
            database: database.clone(),
            gaps: gaps.collect(),
        })
    });
    let page = Gaps {
        frame: Frame::new(face, visitor, question, "/gaps"),
        periods: question.periods("/gaps"),
        period: question.period(),
        met: met.collect(),
        unmet: unmet.collect(),
    };
    Ok(page.render()?)
}

struct Choice {
    label: String,
    link: String,
    here: bool,
}

#[derive(Template)]
#[template(path = "rules.html", config = "src/admin/askama.toml")]
struct RulesPage {
    frame: Frame,
    databases: Vec<Choice>,
    roles: Vec<Choice>,
    revision: String,
    sha256: String,
    contact: String,
    map: HeatMap,
}

/// Who sees what.
pub fn rules(face: &Face, parameters: &[(String, String)], visitor: &Visitor) -> Made {
    let of = |key: &str| parameters.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v.as_str());
    let rules = face.shared.rules.load_full();
    let policies: Vec<_> = rules.set.policies().map(|(name, policy)| (name.unwrap_or_default(), policy)).collect();
    let chosen = policies.iter().find(|(name, _)| *name == of("database")).or_else(|| policies.first());
    let (database, policy) = chosen.ok_or(Failure::NotFound("There are no rules."))?;
    let role = Some(of("role")).filter(|role| policy.roles.contains_key(*role));
    let matrix = policy.matrix(role, OffsetDateTime::now_utc()).ok_or(Failure::Fault)?;
    let link = |database: &str, role: &str| {
        let role = super::question::encoded(role);
        format!("/rules?database={}&role={role}", super::question::encoded(database))
    };
    let databases = policies.iter().map(|(name, _)| Choice {
        label: if name.is_empty() { "all others".into() } else { (*name).to_owned() },
        link: link(name, ""),
        here: name == database,
    });
    let everybody = Choice {
        label: "any role".into(),
        link: link(database, ""),
        here: role.is_none(),
    };
    let roles = policy.roles.keys().map(|name| Choice {
        label: name.clone(),
        link: link(database, name),
        here: role == Some(name),
    });
    let page = RulesPage {
        frame: Frame::new(face, visitor, &Question::new(&[]), "/rules"),
        databases: databases.collect(),
        roles: std::iter::once(everybody).chain(roles).collect(),
        revision: policy.revision.clone(),
        sha256: rules.set.sha256().to_owned(),
        contact: policy.contact.clone().unwrap_or_default(),
        map: heat::map(&matrix),
    };
    Ok(page.render()?)
}

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

struct LogFile {
    name: String,
    size: String,
}

#[derive(Template)]
#[template(path = "log.html", config = "src/admin/askama.toml")]
struct Log {
    frame: Frame,
    whole: bool,
    records: String,
    span: String,
    head: String,
    early: bool,
    faults: Vec<String>,
    more_faults: String,
    files: Vec<LogFile>,
    at: String,
    lag: String,
    life: Vec<Entry>,
}

/// Whether the log is whole.
pub fn log(face: &Face, question: &Question, visitor: &Visitor) -> Made {
    let verified = face.store.verify()?;
    let life_filter = Filter::default();
    let tally = face.store.tally("life", &life_filter)?;
    let Verification {
        summary,
        faults,
        files,
        at,
    } = verified.as_ref();
    let first = summary.first_seq.unwrap_or_default();
    let page = Log {
        frame: Frame::new(face, visitor, question, "/log"),
        whole: summary.holds(),
        records: words::counted(summary.records, "record"),
        span: summary.head.map(|head| format!("{first} to {}", head.seq)).unwrap_or_default(),
        head: summary.head.map(|head| format!("{}:{}", head.seq, head.hash)).unwrap_or_default(),
        early: first > 1,
        faults: faults.clone(),
        more_faults: match summary.faults.saturating_sub(faults.len() as u64) {
            0 => String::new(),
            more => words::count(more),
        },
        files: files
            .iter()
            .map(|(name, size)| LogFile {
                name: name.clone(),
                size: words::bytes(*size),
            })
            .collect(),
        at: words::time(&crate::audit::timestamp(*at)),
        lag: words::counted(face.shared.journal.lag(), "record"),
        life: entry::alone(tally.life.iter().rev().take(30)),
    };
    Ok(page.render()?)
}

#[derive(Template)]
#[template(path = "report_page.html", config = "src/admin/askama.toml")]
struct ReportPage {
    frame: Frame,
    periods: Vec<Period>,
    report: Report,
}

/// The record of processing activities for a period.
pub fn report(face: &Face, question: &Question, visitor: &Visitor) -> Made {
    let filter = question.filter(OffsetDateTime::now_utc());
    let tally = face.store.tally(&question.key(), &filter)?;
    let rules = face.shared.rules.load_full();
    let page = ReportPage {
        frame: Frame::new(face, visitor, question, "/report"),
        periods: question.periods("/report"),
        report: Report::new(&tally, Some(&rules.set), question.period(), OffsetDateTime::now_utc()),
    };
    Ok(page.render()?)
}

#[derive(Template)]
#[template(path = "login.html", config = "src/admin/askama.toml")]
struct LoginPage<'a> {
    next: &'a str,
    wrong: bool,
}

/// The form for the token.
pub fn login(next: &str, wrong: bool) -> Made {
    Ok(LoginPage { next, wrong }.render()?)
}

#[derive(Template)]
#[template(path = "problem.html", config = "src/admin/askama.toml")]
struct Problem<'a> {
    status: u16,
    message: &'a str,
}

/// Why there is no page.
pub fn problem(status: StatusCode, message: &str) -> Made {
    let page = Problem {
        status: status.as_u16(),
        message,
    };
    Ok(page.render()?)
}
