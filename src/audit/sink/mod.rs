//! Where records go besides the journal: standard output, a file, a program, syslog, OpenTelemetry; as
//! they are, or as OCSF.
//!
//! Each sink is a thread that follows the journal's feed. None holds up a statement, and the journal is
//! the authority: what a sink could not be given is counted, in a metric and in an event of its own.
//! A sink maps records, and knows no session.

mod file;
mod join;
pub mod ocsf;
mod otlp;
mod syslog;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use super::checkpoint::Checkpoint;
use super::desk::Desk;
use super::event::Event;
use super::feed::WrittenRecord;

/// How often at most an event tells of what a sink was not given.
const TELL: Duration = Duration::from_secs(10);

/// In which form records go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As they are in the journal.
    Json,
    /// As OCSF Datastore Activity; only what is one.
    Ocsf,
}

/// Where to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Stdout,
    File(PathBuf),
    Program(PathBuf),
    Syslog(syslog::Address),
    /// The base URL of a collector.
    Otlp(String),
}

/// A sink as the settings name it: `[ocsf:]stdout`, `file:PATH`, `exec:PROGRAM`, `syslog+udp://HOST:PORT`,
/// `syslog+tcp://HOST:PORT`, `syslog+unix:PATH`, `otlp+http://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    form: Form,
    place: Place,
    text: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (form, rest) = match text.split_once(':') {
            Some(("ocsf", rest)) => (Form::Ocsf, rest),
            Some(("json", rest)) => (Form::Json, rest),
            Some(_) | None => (Form::Json, text),
        };
        let path = |rest: &str| match rest {
            "" => Err("a path is missing".to_owned()),
            rest => Ok(PathBuf::from(rest)),
        };
        let place = match rest.split_once(':') {
            None if rest == "stdout" => Place::Stdout,
            Some(("file", rest)) => Place::File(path(rest)?),
            Some(("exec", rest)) => Place::Program(path(rest)?),
            Some(("syslog+unix", rest)) => Place::Syslog(syslog::Address::Unix(path(rest)?)),
            Some(("syslog+udp", rest)) => Place::Syslog(syslog::Address::Udp(host_and_port(rest)?)),
            Some(("syslog+tcp", rest)) => Place::Syslog(syslog::Address::Tcp(host_and_port(rest)?)),
            Some(("otlp+http", _)) if form == Form::Ocsf => {
                return Err("OTLP has a form of its own".into());
            }
            Some(("otlp+https", _)) => {
                return Err("a collector is reached by http only: put one on this host that goes on by https".into());
            }
            Some(("otlp+http", _)) => Place::Otlp(rest.trim_start_matches("otlp+").trim_end_matches('/').to_owned()),
            Some(_) | None => {
                return Err(
                    "stdout, file:, exec:, syslog+udp://, syslog+tcp://, syslog+unix: or otlp+http:// is \
                     expected, with ocsf: before it where records go out as OCSF"
                        .into(),
                );
            }
        };
        Ok(Self {
            form,
            place,
            text: text.to_owned(),
        })
    }
}

fn host_and_port(rest: &str) -> Result<String, String> {
    let address = rest.strip_prefix("//").unwrap_or(rest);
    let port = address.rsplit_once(':').map(|(_, port)| port.parse::<u16>().is_ok());
    match port {
        Some(true) => Ok(address.to_owned()),
        Some(false) | None => Err("//HOST:PORT is expected".into()),
    }
}

/// What takes records, one after the other.
trait Outlet: Send {
    /// Gives one on; an error: it is lost.
    fn give(&mut self, record: &WrittenRecord) -> io::Result<()>;
    /// Nothing more comes: gives on what is held back, for a few seconds at most.
    fn end(&mut self) {}
}

/// A sink's thread.
#[derive(Debug)]
pub(super) struct Running {
    ended: mpsc::Receiver<()>,
}

impl Running {
    /// Waits for the end of what it was given.
    pub(super) fn wait(&self, at_most: Duration) {
        // Both ways of failing say that there is nothing to wait for any more.
        let _ = self.ended.recv_timeout(at_most);
    }
}

/// Opens a sink that gives on what `feed` brings.
///
/// # Errors
/// It cannot be opened. What fails later is counted.
pub(super) fn open(
    target: &Target,
    only_checkpoints: bool,
    feed: Receiver<WrittenRecord>,
    desk: Arc<Desk>,
) -> io::Result<Running> {
    let outlet: Box<dyn Outlet> = match &target.place {
        Place::Otlp(url) => Box::new(otlp::Collector::open(url)?),
        Place::Stdout => formed(target.form, file::Lines::stdout()),
        Place::File(path) => formed(target.form, file::Lines::open(path)?),
        Place::Program(program) => formed(target.form, file::Program::new(program)),
        Place::Syslog(address) => formed(target.form, syslog::Sender::new(address.clone())),
    };
    let (alive, ended) = mpsc::channel();
    let mut sink = Sink {
        name: target.text.clone(),
        outlet,
        only_checkpoints,
        desk,
        dropped: 0,
        told: None,
        failing: false,
    };
    std::thread::Builder::new().name("audit-sink".into()).spawn(move || {
        sink.run(feed);
        drop(alive);
    })?;
    Ok(Running { ended })
}

fn formed(form: Form, outlet: impl Outlet + 'static) -> Box<dyn Outlet> {
    match form {
        Form::Json => Box::new(outlet),
        Form::Ocsf => Box::new(ocsf::Mapper::new(outlet)),
    }
}

struct Sink {
    name: String,
    outlet: Box<dyn Outlet>,
    only_checkpoints: bool,
    desk: Arc<Desk>,
    /// Not told of yet.
    dropped: u64,
    told: Option<Instant>,
    failing: bool,
}

impl Sink {
    fn run(&mut self, mut feed: Receiver<WrittenRecord>) {
        loop {
            match feed.blocking_recv() {
                Ok(record) => self.take(&record),
                Err(RecvError::Lagged(missed)) => self.lose(missed),
                Err(RecvError::Closed) => break,
            }
        }
        self.outlet.end();
    }

    fn take(&mut self, record: &WrittenRecord) {
        if self.only_checkpoints && !Checkpoint::is_one(&record.line) {
            return;
        }
        match self.outlet.give(record) {
            Ok(()) => self.failing = false,
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(sink = self.name, %error, "a sink of the audit fails; the journal has all records");
                }
                self.lose(1);
            }
        }
        self.tell();
    }

    fn lose(&mut self, records: u64) {
        self.desk.sinks_dropped.fetch_add(records, Ordering::Relaxed);
        self.dropped += records;
        self.tell();
    }

    /// Puts on record what was dropped: at once, then at intervals, since that record may be dropped too.
    fn tell(&mut self) {
        if self.dropped == 0 || self.told.is_some_and(|told| told.elapsed() < TELL) {
            return;
        }
        let event = Event::SinkDropped {
            sink: self.name.clone(),
            records: std::mem::take(&mut self.dropped),
        };
        self.told = Some(Instant::now());
        let id = Uuid::now_v7();
        self.desk.queue.note(id, event.body(id, OffsetDateTime::now_utc()));
    }
}

#[cfg(test)]
mod tests;
