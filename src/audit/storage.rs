//! Where records lie: a file that only grows by whole batches.
//!
//! [`Ledger`] keeps the promise that the file ends after a whole batch, whatever fails in between;
//! [`Medium`] is the little that it needs of a file, so that tests can let it fail at any byte.
//! Knows no event; of the chain only what the last record says.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::chain::{Checker, Fault, Head, Link};
use super::files;
use super::reader::{Line, Lines};

/// How much of a file's end is held against the chain before it is continued. A batch is smaller.
const TAIL: u64 = 32 * 1024 * 1024;

/// Whether the file is as we left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// As we left it.
    Intact,
    /// Moved away or removed.
    Gone,
    /// Somebody else wrote, cut or exchanged it.
    Tampered,
}

/// What a journal needs of a file.
pub(super) trait Medium: Send + std::fmt::Debug + 'static {
    /// Appends; on failure a part may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when all that was appended is on disk.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts to that length.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Whether the file is as we left it, of that length.
    fn condition(&self, length: u64) -> io::Result<Condition>;
    /// Begins an empty file where there is none.
    fn begin(&mut self) -> io::Result<()>;
    /// Gives the file, whose first record has that number, a name of its own, and begins another. Gives
    /// that name.
    fn rotate(&mut self, first_seq: u64) -> io::Result<PathBuf>;
}

/// What came of writing a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It follows the batch before.
    Appended,
    /// The file was gone; the batch begins another.
    Began,
}

/// How often it is looked whether the file is still as we left it, where a batch is not synced anyway.
const LOOK: Duration = Duration::from_millis(100);

/// A medium that always ends after a whole batch.
#[derive(Debug)]
pub(super) struct Ledger {
    medium: Box<dyn Medium>,
    /// The length after the last whole batch.
    length: u64,
    /// More than that may be in the file.
    dirty: bool,
    /// When the file was last seen to be as we left it.
    seen: Option<Instant>,
}

impl Ledger {
    pub(super) fn new(medium: impl Medium, length: u64) -> Self {
        Self {
            medium: Box::new(medium),
            length,
            dirty: false,
            seen: None,
        }
    }

    /// The length after the last whole batch.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Writes a whole batch or none of it.
    pub(super) fn write(&mut self, batch: &[u8], durable: bool) -> io::Result<Written> {
        if self.dirty {
            self.clean()?;
        }
        let written = match self.condition(durable)? {
            Condition::Intact => Written::Appended,
            Condition::Gone => {
                self.medium.begin()?;
                self.length = 0;
                Written::Began
            }
            Condition::Tampered => {
                return Err(io::Error::other("somebody else changed the audit file"));
            }
        };
        self.dirty = true;
        let done = self
            .medium
            .append(batch)
            .and_then(|()| if durable { self.medium.sync() } else { Ok(()) });
        match done {
            Ok(()) => {
                self.length = self.length.saturating_add(batch.len() as u64);
                self.dirty = false;
                Ok(written)
            }
            Err(error) => {
                // The batch is not in the file even if its bytes are: nobody is told that it is. A
                // failure to take them off now is made good before the next batch.
                let _ = self.clean();
                Err(error)
            }
        }
    }

    fn condition(&mut self, always: bool) -> io::Result<Condition> {
        if !always && self.seen.is_some_and(|seen| seen.elapsed() < LOOK) {
            return Ok(Condition::Intact);
        }
        let condition = self.medium.condition(self.length)?;
        self.seen = (condition == Condition::Intact).then(Instant::now);
        Ok(condition)
    }

    fn clean(&mut self) -> io::Result<()> {
        self.seen = None;
        self.medium.cut(self.length)?;
        self.dirty = false;
        Ok(())
    }

    /// Begins another file; the one so far keeps a name with the number of its first record.
    pub(super) fn rotate(&mut self, first_seq: u64) -> io::Result<PathBuf> {
        let full = self.medium.rotate(first_seq)?;
        self.length = 0;
        Ok(full)
    }
}

/// A file of a file system.
#[derive(Debug)]
pub(super) struct FileMedium {
    path: PathBuf,
    file: File,
}

/// Where a file begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct First {
    /// The number of its first record.
    pub(super) seq: u64,
    /// The time of that record, where it can be read.
    pub(super) time: Option<OffsetDateTime>,
}

/// What was found where a journal is to go on.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) ledger: Ledger,
    /// The last record of all files so far.
    pub(super) head: Head,
    /// The file's first record, if it has one.
    pub(super) first: Option<First>,
    /// How many bytes of a record that was cut off were set aside.
    pub(super) torn: u64,
}

/// Opens or begins the file and finds where the chain stands.
///
/// # Errors
/// Those of the system; another process that holds the file; a file that does not end in a chain
/// that holds: it is evidence, and not gone on with.
pub(super) fn open(path: &Path) -> io::Result<Opened> {
    let mut medium = FileMedium {
        path: path.to_owned(),
        file: locked(path, OpenOptions::new().create(true))?,
    };
    let tail = Tail::read(&mut medium.file)?;
    let torn = tail.length - tail.whole;
    if torn > 0 {
        medium.set_aside(tail.whole, torn)?;
    }
    let head = match tail.head {
        Some(head) => head,
        None => last_rotated(path)?.unwrap_or(Head::GENESIS),
    };
    Ok(Opened {
        ledger: Ledger::new(medium, tail.whole),
        head,
        first: tail.first,
        torn,
    })
}

/// Opens for appending, readable by us alone, and keeps other processes out.
fn locked(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.read(true).append(true).mode(0o600).open(path)?;
    file.try_lock().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => {
            io::Error::new(io::ErrorKind::WouldBlock, "another process writes this audit file")
        }
        std::fs::TryLockError::Error(error) => error,
    })?;
    Ok(file)
}

impl FileMedium {
    /// Moves what stands after `whole` into a file beside this one.
    fn set_aside(&mut self, whole: u64, torn: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(whole))?;
        let mut side = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(files::beside(&self.path, ".torn"))?;
        io::copy(&mut (&self.file).take(torn), &mut side)?;
        side.sync_all()?;
        self.file.set_len(whole)?;
        self.file.sync_all()
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(files::folder(&self.path))?.sync_all()
    }
}

impl Medium for FileMedium {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        // Only ever shorter: a file that somebody cut must not be filled up with zeros.
        if self.file.metadata()?.len() > length {
            self.file.set_len(length)?;
        }
        Ok(())
    }

    fn condition(&self, length: u64) -> io::Result<Condition> {
        let there = match std::fs::metadata(&self.path) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Condition::Gone),
            Err(error) => return Err(error),
        };
        let ours = self.file.metadata()?;
        let same = there.dev() == ours.dev() && there.ino() == ours.ino() && there.len() == length;
        Ok(if same { Condition::Intact } else { Condition::Tampered })
    }

    fn begin(&mut self) -> io::Result<()> {
        self.file = locked(&self.path, OpenOptions::new().create_new(true))?;
        self.sync_folder()
    }

    fn rotate(&mut self, first_seq: u64) -> io::Result<PathBuf> {
        self.file.sync_all()?;
        let full = files::rotated_name(&self.path, first_seq);
        if full.try_exists()? {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "the name for the full audit file is taken",
            ));
        }
        std::fs::rename(&self.path, &full)?;
        self.begin()?;
        Ok(full)
    }
}

/// The last record of the newest file that was rotated away.
fn last_rotated(path: &Path) -> io::Result<Option<Head>> {
    match files::rotated(path)?.pop() {
        Some(newest) if newest.compressed => last_compressed(&newest.path).map(Some),
        Some(newest) => Ok(Tail::read(&mut File::open(newest.path)?)?.head),
        None => Ok(None),
    }
}

/// The last record of a compressed file, which must be read from its beginning.
fn last_compressed(path: &Path) -> io::Result<Head> {
    let mut lines = Lines::open(path)?;
    let mut chain = Checker::default();
    while let Some((_, line)) = lines.next_line()? {
        let checked = match line {
            Line::Whole(line) => chain.next(line).map(|_| ()),
            Line::Torn(part) => Err(Fault::Torn {
                bytes: part.len() as u64,
            }),
            Line::TooLong => Err(Fault::TooLong),
            Line::Undecodable => Err(Fault::Undecodable),
        };
        checked.map_err(|fault| not_continued(&fault))?;
    }
    chain.head().ok_or_else(|| not_continued(&Fault::NotARecord))
}

/// The end of a file.
struct Tail {
    /// How long the file is.
    length: u64,
    /// Up to where it consists of whole records.
    whole: u64,
    /// The last whole record.
    head: Option<Head>,
    /// The file's first record.
    first: Option<First>,
}

impl Tail {
    fn read(file: &mut File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let from = length.saturating_sub(TAIL);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        let mut rest = bytes.as_slice();
        if from > 0 {
            // Begins within a record.
            rest = rest.splitn(2, |&c| c == b'\n').nth(1).unwrap_or_default();
        }
        let mut whole = length - rest.len() as u64;
        let mut chain = Checker::default();
        while let Some(end) = rest.iter().position(|&c| c == b'\n') {
            let (line, after) = rest.split_at_checked(end + 1).unwrap_or((rest, &[]));
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if is_debris(line) {
                break;
            }
            chain.next(line).map_err(|fault| not_continued(&fault))?;
            whole += end as u64 + 1;
            rest = after;
        }
        if from > 0 && chain.head().is_none() {
            return Err(not_continued(&Fault::TooLong));
        }
        Ok(Self {
            length,
            whole,
            head: chain.head(),
            first: First::read(file)?,
        })
    }
}

/// What a crash leaves where blocks of a batch did not reach the disk: zeros. A record has none.
fn is_debris(line: &[u8]) -> bool {
    line.contains(&0)
}

impl First {
    fn read(file: &mut File) -> io::Result<Option<Self>> {
        file.seek(SeekFrom::Start(0))?;
        let mut start = Vec::new();
        file.take(80).read_to_end(&mut start)?;
        let Some(seq) = Link::seq_of(&start) else {
            return Ok(None);
        };
        let start = String::from_utf8_lossy(&start);
        let time = start
            .split("\"time\":\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let time = time.and_then(|time| OffsetDateTime::parse(time, &Rfc3339).ok());
        Ok(Some(Self { seq, time }))
    }
}

fn not_continued(fault: &Fault) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "the audit file does not end in a chain that holds ({fault}); it is not gone on with: \
             look at it with `pgpurpose audit verify`, and move it away to begin another"
        ),
    )
}

#[cfg(test)]
pub(super) mod tests;
