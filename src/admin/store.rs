//! Where the page gets events: the newest out of memory, the rest out of the files.
//!
//! The window holds the lines of the last records, bounded in bytes; the journal never waits for it.
//! Reads files on the caller's thread: not for one that serves others. Decides nothing of what is shown.

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::broadcast;

use crate::audit::WrittenRecord;
use crate::audit::needles::{Needles, completes, time_of};
use crate::audit::query::{Filter, Found, Record, Sink, Skipped, query};
use crate::audit::reader::{self, Summary};
use crate::audit::tally::Tally;

/// So many bytes of lines are kept.
const WINDOW_BYTES: usize = 16 << 20;
/// So many tallies are kept.
const MOST_TALLIES: usize = 32;
/// A tally, or a verification, is not made again before it is this old.
const FRESH: Duration = Duration::from_secs(2);
/// Nor before it is so many times older than it took to make.
const WORTH: u32 = 10;

/// The events of one journal.
pub struct Store {
    path: PathBuf,
    window: Mutex<Window>,
    tallies: Mutex<Vec<Made<Filter, Tally>>>,
    verified: Mutex<Option<Made<u64, Verification>>>,
}

/// The last records, in order.
#[derive(Default)]
struct Window {
    lines: VecDeque<(u64, Arc<str>)>,
    bytes: usize,
}

/// What takes long to make.
struct Made<K, V> {
    key: String,
    of: K,
    value: Arc<V>,
    at: Instant,
    took: Duration,
}

impl<K, V> Made<K, V> {
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < FRESH.max(self.took * WORTH)
    }
}

/// What a verification of the whole log found.
pub struct Verification {
    /// The summary.
    pub summary: Summary,
    /// The first faults, in words.
    pub faults: Vec<String>,
    /// Files, in order, with their sizes in bytes.
    pub files: Vec<(String, u64)>,
    /// When it was made.
    pub at: time::OffsetDateTime,
}

/// Some events, the newest first.
#[derive(Debug, Default)]
pub struct Listed {
    /// What was found.
    pub found: Vec<Found>,
    /// There are older ones.
    pub more: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is held is only ever a copy of what stands in the files.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// Of the journal that writes this file, with its last records at hand.
    pub fn new(path: &Path) -> Self {
        let store = Self {
            path: path.to_owned(),
            window: Mutex::default(),
            tallies: Mutex::default(),
            verified: Mutex::default(),
        };
        // Without them the page begins with what is written from now on, and the files.
        if let Err(error) = store.read_tail() {
            tracing::debug!(%error, "the audit's last records are not at hand");
        }
        store
    }

    fn read_tail(&self) -> io::Result<()> {
        let mut file = BufReader::new(std::fs::File::open(&self.path)?);
        let length = file.get_ref().metadata()?.len();
        let from = length.saturating_sub(WINDOW_BYTES as u64);
        file.seek(SeekFrom::Start(from))?;
        if from > 0 {
            file.skip_until(b'\n')?;
        }
        let mut line = String::new();
        while file.read_line(&mut line)? > 0 {
            if let (Some(text), Some(seq)) = (line.strip_suffix('\n'), seq_of(&line)) {
                self.push(seq, text);
            }
            line.clear();
        }
        Ok(())
    }

    /// Takes records in as they are written, until the journal is closed.
    pub async fn follow(&self, mut records: broadcast::Receiver<WrittenRecord>) {
        loop {
            match records.recv().await {
                Ok(record) => {
                    if let Ok(line) = std::str::from_utf8(&record.line) {
                        self.push(record.seq, line);
                    }
                }
                // A window with a hole would hide it: it begins anew.
                Err(broadcast::error::RecvError::Lagged(_)) => *lock(&self.window) = Window::default(),
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    fn push(&self, seq: u64, line: &str) {
        let mut window = lock(&self.window);
        if window.lines.back().is_some_and(|(last, _)| seq <= *last) {
            return;
        }
        window.bytes += line.len();
        window.lines.push_back((seq, line.into()));
        while window.bytes > WINDOW_BYTES {
            let Some((_, line)) = window.lines.pop_front() else {
                break;
            };
            window.bytes -= line.len();
        }
    }

    /// The number of the last record that was seen.
    pub fn head(&self) -> u64 {
        lock(&self.window).lines.back().map_or(0, |(seq, _)| *seq)
    }

    /// The newest events that a filter asks for, older than record `before` if given.
    ///
    /// # Errors
    /// Those of the system.
    pub fn newest(&self, filter: &Filter, most: usize, before: Option<u64>) -> io::Result<Listed> {
        let lines: Vec<(u64, Arc<str>)> = lock(&self.window).lines.iter().cloned().collect();
        match newest_of(&lines, filter, most, before) {
            Some(listed) => Ok(listed),
            None => {
                let mut last = Last {
                    found: VecDeque::new(),
                    most,
                    before,
                    more: false,
                };
                query(&self.files()?, filter, &mut last)?;
                Ok(Listed {
                    found: last.found.into_iter().rev().collect(),
                    more: last.more,
                })
            }
        }
    }

    /// One event.
    ///
    /// # Errors
    /// Those of the system.
    pub fn event(&self, id: uuid::Uuid) -> io::Result<Option<Found>> {
        let mut filter = Filter {
            id: Some(id.to_string()),
            ..Filter::default()
        };
        let lines: Vec<(u64, Arc<str>)> = lock(&self.window).lines.iter().cloned().collect();
        if let Some(listed) = newest_of(&lines, &filter, 1, None)
            && let Some(found) = listed.found.into_iter().next()
        {
            return Ok(Some(found));
        }
        // The id tells when it was made (RFC 9562, version 7): files that end before are not read.
        if let Some((seconds, _)) = id.get_timestamp().map(|t| t.to_unix()) {
            let minute = i64::try_from(seconds / 60).unwrap_or_default();
            filter.since = Some(crate::audit::tally::time_of_minute(minute - 1));
        }
        let mut first = First(None);
        match query(&self.files()?, &filter, &mut first) {
            Err(error) if first.0.is_none() => Err(error),
            Ok(()) | Err(_) => Ok(first.0),
        }
    }

    /// All that a filter asks for, counted. Its times may be a little old; `key` names the filter, times as
    /// people gave them.
    ///
    /// # Errors
    /// Those of the system.
    pub fn tally(&self, key: &str, filter: &Filter) -> io::Result<Arc<Tally>> {
        let mut kept = lock(&self.tallies);
        kept.retain(Made::is_fresh);
        if let Some(made) = kept.iter().find(|made| made.key == key) {
            return Ok(Arc::clone(&made.value));
        }
        drop(kept);
        let begun = Instant::now();
        let mut tally = Tally::default();
        query(&self.files()?, filter, &mut tally)?;
        let made = Made {
            key: key.to_owned(),
            of: filter.clone(),
            value: Arc::new(tally),
            at: Instant::now(),
            took: begun.elapsed(),
        };
        let value = Arc::clone(&made.value);
        let mut kept = lock(&self.tallies);
        if kept.len() >= MOST_TALLIES {
            kept.remove(0);
        }
        tracing::trace!(filter = ?made.of, took = ?made.took, "the audit was counted");
        kept.push(made);
        Ok(value)
    }

    /// The whole log, held against its chain.
    ///
    /// # Errors
    /// Those of the system.
    pub fn verify(&self) -> io::Result<Arc<Verification>> {
        // Held throughout: one verification serves all who ask meanwhile.
        let mut kept = lock(&self.verified);
        if let Some(made) = kept.as_ref().filter(|made| made.is_fresh() && made.of == self.head()) {
            return Ok(Arc::clone(&made.value));
        }
        let begun = Instant::now();
        let files = reader::in_order(&self.files()?)?;
        let mut faults = Vec::new();
        let summary = reader::verify(&files, &[], |finding| {
            if faults.len() < 20 {
                let name = finding
                    .file
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                faults.push(format!("{name}:{}: {}", finding.line, finding.fault));
            }
        })?;
        let size = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (name, std::fs::metadata(path).map_or(0, |m| m.len()))
        };
        let value = Arc::new(Verification {
            summary,
            faults,
            files: files.iter().map(size).collect(),
            at: time::OffsetDateTime::now_utc(),
        });
        *kept = Some(Made {
            key: String::new(),
            of: self.head(),
            value: Arc::clone(&value),
            at: Instant::now(),
            took: begun.elapsed(),
        });
        Ok(value)
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        reader::with_rotated(std::slice::from_ref(&self.path))
    }
}

fn seq_of(line: &str) -> Option<u64> {
    let rest = line.strip_prefix("{\"seq\":")?;
    rest.get(..rest.find(',')?)?.parse().ok()
}

/// Looks backward through the window. `None`: it does not reach back far enough to tell.
fn newest_of(lines: &[(u64, Arc<str>)], filter: &Filter, most: usize, before: Option<u64>) -> Option<Listed> {
    if lines
        .first()
        .is_none_or(|(first, _)| before.is_some_and(|before| before <= *first))
    {
        return None;
    }
    let needles = Needles::of(filter);
    let mut completions: HashMap<&str, &str> = HashMap::new();
    let mut listed = Listed::default();
    for (seq, line) in lines.iter().rev() {
        if let Some(of) = completes(line) {
            completions.insert(of, line);
        }
        if filter
            .since
            .as_deref()
            .is_some_and(|since| time_of(line).is_some_and(|time| time < since))
        {
            return Some(listed);
        }
        let is_one = before.is_none_or(|before| *seq < before)
            && (completes(line).is_none() || filter.event.as_deref() == Some("completed"))
            && needles.may_match(line);
        let Some(record) = is_one.then(|| Record::read(line)).flatten() else {
            continue;
        };
        let completion = completions.get(record.text("id")).and_then(|line| Record::read(line));
        let found = Found { record, completion };
        if filter.accepts(&found) {
            if listed.found.len() == most {
                listed.more = true;
                return Some(listed);
            }
            listed.found.push(found);
        }
    }
    let is_whole = lines.first().is_some_and(|(first, _)| *first <= 1);
    is_whole.then_some(listed)
}

/// Keeps the last ones found.
struct Last {
    found: VecDeque<Found>,
    most: usize,
    before: Option<u64>,
    more: bool,
}

impl Sink for Last {
    fn found(&mut self, found: &Found) -> io::Result<()> {
        let seq = found.record.number("seq").unwrap_or_default();
        if self.before.is_none_or(|before| seq < before) {
            if self.found.len() == self.most {
                self.found.pop_front();
                self.more = true;
            }
            self.found.push_back(found.clone());
        }
        Ok(())
    }

    fn skipped(&mut self, _: &Skipped) {}
}

/// Keeps the first one found, and ends the search.
struct First(Option<Found>);

impl Sink for First {
    fn found(&mut self, found: &Found) -> io::Result<()> {
        self.0 = Some(found.clone());
        Err(io::ErrorKind::Interrupted.into())
    }

    fn skipped(&mut self, _: &Skipped) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(lines: &[&str]) -> (Store, PathBuf) {
        let path = std::env::temp_dir().join(format!("pgpurpose-store-{}.jsonl", uuid::Uuid::now_v7()));
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        (Store::new(&path), path)
    }

    const ID: &str = "019abc00-0000-7000-8000-000000000001";

    fn lines() -> Vec<String> {
        vec![
            format!(r#"{{"seq":1,"time":"2026-11-24T06:00:00.000000Z","event":"statement","id":"{ID}","role":"a","outcome":"allow"}}"#),
            r#"{"seq":2,"time":"2026-11-24T06:00:01.000000Z","event":"statement","id":"x","role":"b","outcome":"refuse"}"#.to_owned(),
            format!(r#"{{"seq":3,"time":"2026-11-24T06:00:02.000000Z","event":"completed","of":"{ID}","rows":3,"sqlstate":null}}"#),
        ]
    }

    fn seqs(listed: &Listed) -> Vec<u64> {
        listed.found.iter().filter_map(|f| f.record.number("seq")).collect()
    }

    #[test]
    fn the_window_and_the_files_say_the_same() {
        let lines = lines();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let (store, path) = store(&lines);
        for (filter, most, before, expected) in [
            (Filter::default(), 9, None, (vec![2, 1], false)),
            (Filter::default(), 1, None, (vec![2], true)),
            (Filter::default(), 9, Some(2), (vec![1], false)),
            (
                Filter {
                    role: Some("a".into()),
                    ..Filter::default()
                },
                9,
                None,
                (vec![1], false),
            ),
        ] {
            let from_window = store.newest(&filter, most, before).unwrap();
            assert_eq!((seqs(&from_window), from_window.more), expected);
            *lock(&store.window) = Window::default();
            let from_files = store.newest(&filter, most, before).unwrap();
            assert_eq!((seqs(&from_files), from_files.more), expected);
            assert_eq!(from_files.found, from_window.found);
            store.read_tail().unwrap();
        }
        let id = uuid::Uuid::parse_str(ID).unwrap();
        for _ in 0..2 {
            let event = store.event(id).unwrap().unwrap();
            assert_eq!(event.completion.unwrap().number("rows"), Some(3));
            *lock(&store.window) = Window::default();
        }
        assert!(store.event(uuid::Uuid::now_v7()).unwrap().is_none());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn the_window_is_bounded_and_keeps_the_newest() {
        let (store, path) = store(&[]);
        let long = "x".repeat(WINDOW_BYTES / 4);
        for seq in 1..=9 {
            store.push(seq, &long);
        }
        store.push(9, "again");
        let window = lock(&store.window);
        assert_eq!(
            window.lines.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(),
            [6, 7, 8, 9]
        );
        assert!(window.bytes <= WINDOW_BYTES);
        std::fs::remove_file(path).unwrap();
    }
}
