//! A search that goes on: what a log holds, then what is added to it, as `tail -F` shows a file.
//!
//! Records are known by their numbers, so that none is missed and none comes twice while files are rotated
//! and compressed. Waits by asking its caller, who knows how long and whether to go on.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::chain::Link;
use super::files;
use super::query::{Filter, Search, Sink, Skipped, ends_before};
use super::reader::{Line, Lines};

/// Searches the log whose newest file is `path`, and goes on while `idle` says so, which is asked whenever all
/// that was written has been read. A statement that runs for longer than from one such moment to the next is
/// shown without its end.
///
/// # Errors
/// Those of the system, with the file's name; those of the sink.
pub fn follow(path: &Path, filter: &Filter, sink: &mut dyn Sink, idle: &mut dyn FnMut() -> bool) -> io::Result<()> {
    let mut follower = Follower {
        search: Search::new(filter),
        last: 0,
    };
    // Opened before the others are looked for: what is rotated meanwhile is read twice rather than never.
    let mut current = Current::open(path)?;
    follower.full_files(path, Some(filter), sink)?;
    loop {
        if let Some(current) = &mut current {
            follower.rest(path, current, sink)?;
        }
        follower.search.settle(sink)?;
        if !idle() {
            return follower.search.finish(sink);
        }
        if current.as_ref().is_none_or(|current| !current.is(path)) {
            if let Some(current) = &mut current {
                follower.rest(path, current, sink)?; // what it got before it was rotated away
            }
            current = Current::open(path)?;
            follower.full_files(path, None, sink)?;
        }
    }
}

struct Follower {
    search: Search,
    /// The number of the last record that was seen.
    last: u64,
}

/// The file that is being written.
struct Current {
    input: BufReader<File>,
    inode: (u64, u64),
    /// A line that is not whole yet.
    part: Vec<u8>,
    lines: u64,
}

impl Current {
    /// `None`: it was rotated away, and the next one is not there yet.
    fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !files::rotated(path)?.is_empty() => {
                return Ok(None);
            }
            Err(error) => return Err(files::named(path, &error)),
        };
        let metadata = file.metadata()?;
        Ok(Some(Self {
            input: BufReader::new(file),
            inode: (metadata.dev(), metadata.ino()),
            part: Vec::new(),
            lines: 0,
        }))
    }

    fn is(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == self.inode)
    }

    /// The next whole line, without its end; `None`: there is none yet.
    fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.input.read_until(b'\n', &mut self.part)?;
        if self.part.pop_if(|&mut end| end == b'\n').is_none() {
            return Ok(None);
        }
        self.lines += 1;
        Ok(Some(std::mem::take(&mut self.part)))
    }
}

impl Follower {
    /// What there is of the file that is being written.
    fn rest(&mut self, path: &Path, current: &mut Current, sink: &mut dyn Sink) -> io::Result<()> {
        while let Some(line) = current.next_line().map_err(|error| files::named(path, &error))? {
            self.line(path, current.lines, &line, sink)?;
        }
        Ok(())
    }

    /// Files that were rotated away and not read yet; of the first ones only those that hold what is asked for.
    fn full_files(&mut self, path: &Path, first: Option<&Filter>, sink: &mut dyn Sink) -> io::Result<()> {
        let full: Vec<PathBuf> = files::rotated(path)?
            .into_iter()
            .filter(|file| file.first_seq > self.last)
            .map(|file| file.path)
            .collect();
        for (index, path) in full.iter().enumerate() {
            if first.is_some_and(|filter| ends_before(full.get(index + 1), filter)) {
                continue;
            }
            let mut lines = Lines::open(path).map_err(|error| files::named(path, &error))?;
            while let Some((number, line)) = lines.next_line().map_err(|error| files::named(path, &error))? {
                match line {
                    Line::Whole(line) => self.line(path, number, line, sink)?,
                    Line::Torn(_) | Line::TooLong | Line::Undecodable => self.line(path, number, b"", sink)?,
                }
            }
        }
        Ok(())
    }

    fn line(&mut self, path: &Path, number: u64, line: &[u8], sink: &mut dyn Sink) -> io::Result<()> {
        let seq = Link::seq_of(line);
        if seq.is_some_and(|seq| seq <= self.last) {
            return Ok(());
        }
        self.last = seq.unwrap_or(self.last);
        let is_record = match std::str::from_utf8(line) {
            Ok(text) => self.search.line(text, sink)?,
            Err(_) => false,
        };
        if !is_record {
            sink.skipped(&Skipped {
                file: path.to_owned(),
                line: number,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
