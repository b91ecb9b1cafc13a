//! The pages: what each takes out of the log and the rules, and its template.

mod changes;
mod event;
mod events;
mod gaps;
mod log;
mod overview;
mod refused;
mod rules;

use std::io;

use askama::Template;
use axum::http::StatusCode;
use time::OffsetDateTime;

use crate::audit::tally::{OUTCOMES, Outcomes};
use crate::rules::PolicySet;
use crate::session::Rules;

use super::Face;
use super::gate::Visitor;
use super::question::{Period, Question};
use super::report::Report;
use super::view::{chart, words};

pub use changes::changes;
pub use event::event;
pub use events::{events, list};
pub use gaps::gaps;
pub use log::log;
pub use overview::overview;
pub use refused::refused;
pub use rules::rules;

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
            glass: if open > 0 {
                words::counted(open, "break-glass use")
            } else {
                String::new()
            },
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

fn is_glass(rules: &Rules, purpose: &str) -> bool {
    let mut policies = rules.set.policies();
    policies.any(|(_, policy)| policy.purposes.get(purpose).is_some_and(|p| p.break_glass.is_some()))
}

/// The purpose's title, in whichever database's rules it is.
fn title(set: &PolicySet, purpose: &str) -> String {
    let mut titles = set
        .policies()
        .filter_map(|(_, policy)| policy.purposes.get(purpose)?.title.clone());
    titles.next().unwrap_or_default()
}

/// A rule with the line that it begins on.
struct RuleLine {
    place: String,
    text: String,
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
