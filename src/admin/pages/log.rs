//! Whether the log is whole.

use askama::Template;

use crate::audit::checkpoint::Checkpoint;
use crate::audit::query::{Filter, Record};

use super::super::question::Question;
use super::super::store::Verification;
use super::super::view::entry::{self, Entry};
use super::super::view::words;
use super::{Face, Frame, Made, Visitor};

struct LogFile {
    name: String,
    size: String,
}

/// A signature over all records up to one.
struct Signed {
    link: String,
    time: String,
    records: String,
}

/// So many checkpoints are listed, the newest first.
const MOST_SIGNED: usize = 5;

#[derive(Template)]
#[template(path = "log.html", config = "src/admin/askama.toml")]
struct Log {
    frame: Frame,
    whole: bool,
    records: String,
    span: String,
    head: String,
    early: bool,
    checkpoints: String,
    /// How many records came after the last checkpoint.
    unsigned: String,
    /// Of the last checkpoint.
    key: String,
    signed: Vec<Signed>,
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
    let checkpoints = Filter {
        event: Some(Checkpoint::EVENT.into()),
        ..Filter::default()
    };
    let signed = face.store.newest(&checkpoints, MOST_SIGNED, None)?;
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
        checkpoints: words::counted(summary.checkpoints, "signed checkpoint"),
        unsigned: match (summary.signed, summary.head) {
            // The checkpoint is a record itself.
            (Some(signed), Some(head)) => words::counted(head.seq.saturating_sub(signed.seq + 1), "record"),
            (_, _) => String::new(),
        },
        key: summary.key.clone().unwrap_or_default(),
        signed: signed
            .found
            .iter()
            .filter_map(|found| checkpoint(&found.record))
            .collect(),
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

fn checkpoint(record: &Record) -> Option<Signed> {
    let checkpoint = Checkpoint::read(record.line.as_bytes())?;
    let id = uuid::Uuid::parse_str(record.text("id")).ok()?;
    Some(Signed {
        link: format!("/events/{id}"),
        time: words::time(record.text("time")),
        records: format!("1 to {}", checkpoint.head.seq),
    })
}
