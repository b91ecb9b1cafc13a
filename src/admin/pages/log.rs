//! Whether the log is whole.

use askama::Template;

use crate::audit::query::Filter;

use super::super::question::Question;
use super::super::store::Verification;
use super::super::view::entry::{self, Entry};
use super::super::view::words;
use super::{Face, Frame, Made, Visitor};

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
        span: summary
            .head
            .map(|head| format!("{first} to {}", head.seq))
            .unwrap_or_default(),
        head: summary
            .head
            .map(|head| format!("{}:{}", head.seq, head.hash))
            .unwrap_or_default(),
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
