//! Audit files as a stream of lines, compressed ones too, and their verification, in constant memory.
//!
//! Knows the chain; of events nothing.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use super::chain::{Checker, Digest, Fault, Head, Link};
use super::checkpoint::{Checkpoint, PublicKey};
use super::files;

pub use super::files::{named, with_rotated};

/// No record is longer.
const LONGEST_LINE: u64 = 24 * 1024 * 1024;

/// What stands between two line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// A whole line, without its end.
    Whole(&'a [u8]),
    /// The last line, so many bytes, does not end.
    Torn(&'a [u8]),
    /// Longer than any record; what it holds is passed over.
    TooLong,
    /// The file is compressed, and cannot be decompressed from here on.
    Undecodable,
}

/// Lines with their numbers.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    number: u64,
    buffer: Vec<u8>,
    ended: bool,
}

impl Lines<Box<dyn BufRead + Send>> {
    /// Of a file, compressed or not.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self::new(files::open(path)?))
    }
}

impl<R: BufRead> Lines<R> {
    /// Of any input.
    pub fn new(input: R) -> Self {
        Self {
            input,
            number: 0,
            buffer: Vec::new(),
            ended: false,
        }
    }

    /// The next line and its number, from 1; `None` at the end.
    ///
    /// # Errors
    /// Those of the system.
    pub fn next_line(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        self.buffer.clear();
        if self.ended {
            return Ok(None);
        }
        let read = (&mut self.input).take(LONGEST_LINE).read_until(b'\n', &mut self.buffer);
        let read = match read {
            Ok(0) => return Ok(None),
            Ok(read) => read,
            Err(error) if is_of_decoder(&error) => {
                self.ended = true;
                return Ok(Some((self.number + 1, Line::Undecodable)));
            }
            Err(error) => return Err(error),
        };
        self.number += 1;
        let line = match self.buffer.strip_suffix(b"\n") {
            Some(line) => Line::Whole(line),
            None if (read as u64) < LONGEST_LINE => Line::Torn(&self.buffer),
            None => {
                self.input.skip_until(b'\n')?;
                Line::TooLong
            }
        };
        Ok(Some((self.number, line)))
    }
}

/// What flate2 says of bytes that are not what gzip wrote; a plain file gives none of these.
fn is_of_decoder(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    )
}

/// The given files in the order of their first records; such as have none stand last.
///
/// # Errors
/// Those of the system, with the file's name.
pub fn in_order(files: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut keyed = Vec::with_capacity(files.len());
    for path in files {
        let mut start = Vec::new();
        let read = files::open(path).and_then(|file| file.take(32).read_to_end(&mut start));
        match read {
            Ok(_) => {}
            Err(error) if is_of_decoder(&error) => {}
            Err(error) => return Err(named(path, &error)),
        }
        keyed.push((Link::seq_of(&start).unwrap_or(u64::MAX), path.clone()));
    }
    keyed.sort_by_key(|(seq, _)| *seq);
    Ok(keyed.into_iter().map(|(_, path)| path).collect())
}

/// A fault and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which file.
    pub file: PathBuf,
    /// Which line, from 1.
    pub line: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What a verification saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Sound records in their place.
    pub records: u64,
    /// The first record's number.
    pub first_seq: Option<u64>,
    /// The last record.
    pub head: Option<Head>,
    /// How many faults were found.
    pub faults: u64,
    /// What became of each head that was known from elsewhere.
    pub known: Vec<(Head, Known)>,
    /// How many sound checkpoints there are.
    pub checkpoints: u64,
    /// The last record under a sound checkpoint.
    pub signed: Option<Head>,
    /// The key of the last sound checkpoint, hex.
    pub key: Option<String>,
    /// They had to be signed with a given key.
    pub key_given: bool,
}

/// What files are held against.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// Heads noted earlier.
    pub heads: Vec<Head>,
    /// The key of all checkpoints.
    pub key: Option<PublicKey>,
}

/// A head that was noted earlier, against the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// The record is there, as it was.
    Holds,
    /// The record's hash is another: it, or one before it, was rewritten.
    Rewritten(Digest),
    /// The record is not there: cut off, or in a file that was not given.
    NotThere,
}

/// Holds files against the chain, and against heads noted earlier.
///
/// # Errors
/// Those of the system, with the file's name. Faults of the files go to `found`.
pub fn verify(files: &[PathBuf], known: &[Head], found: impl FnMut(Finding)) -> io::Result<Summary> {
    let expected = Expected {
        heads: known.to_vec(),
        key: None,
    };
    verify_against(files, &expected, found)
}

/// Holds files against the chain, their checkpoints, and what is known from elsewhere.
///
/// # Errors
/// Those of the system, with the file's name. Faults of the files go to `found`.
pub fn verify_against(files: &[PathBuf], expected: &Expected, mut found: impl FnMut(Finding)) -> io::Result<Summary> {
    let mut verification = Verification {
        chain: Checker::default(),
        expected,
        stated: None,
        summary: Summary {
            records: 0,
            first_seq: None,
            head: None,
            faults: 0,
            known: expected.heads.iter().map(|&head| (head, Known::NotThere)).collect(),
            checkpoints: 0,
            signed: None,
            key: None,
            key_given: expected.key.is_some(),
        },
    };
    for path in in_order(files)? {
        let mut lines = Lines::open(&path).map_err(|error| named(&path, &error))?;
        verification.stated = files::stated_first(&path);
        while let Some((number, line)) = lines.next_line().map_err(|error| named(&path, &error))? {
            if let Err(fault) = verification.next(line) {
                verification.summary.faults += 1;
                found(Finding {
                    file: path.clone(),
                    line: number,
                    fault,
                });
            }
        }
    }
    let Verification { chain, mut summary, .. } = verification;
    summary.first_seq = chain.first_seq();
    summary.head = chain.head();
    Ok(summary)
}

struct Verification<'e> {
    chain: Checker,
    expected: &'e Expected,
    /// The number of the first record by the file's name, at its first line.
    stated: Option<u64>,
    summary: Summary,
}

impl Verification<'_> {
    fn next(&mut self, line: Line<'_>) -> Result<(), Fault> {
        let line = match line {
            Line::Whole(line) => line,
            Line::Torn(part) => {
                let bytes = part.len() as u64;
                return Err(Fault::Torn { bytes });
            }
            Line::TooLong => return Err(Fault::TooLong),
            Line::Undecodable => return Err(Fault::Undecodable),
        };
        let is_first = self.chain.head().is_none();
        let stated = self.stated.take();
        match self.chain.next(line) {
            Ok(link) => {
                self.summary.records += 1;
                compare(&mut self.summary.known, link.seq, link.hash);
                self.checkpoint(line, &link)?;
                match stated {
                    // Of later files the chain itself shows it.
                    Some(from) if is_first && from < link.seq => Err(Fault::Missing {
                        from,
                        to: link.seq - 1,
                        next: link.seq,
                    }),
                    Some(_) | None => Ok(()),
                }
            }
            Err(fault) => {
                // A sound record that stands wrongly is a record still.
                if let (true, Some(head)) = (fault.is_of_position(), self.chain.head()) {
                    compare(&mut self.summary.known, head.seq, head.hash);
                }
                Err(fault)
            }
        }
    }

    /// A checkpoint signs the record before it, with the right key.
    fn checkpoint(&mut self, line: &[u8], link: &Link) -> Result<(), Fault> {
        if !Checkpoint::is_one(line) {
            return Ok(());
        }
        let forged = Fault::Forged { seq: link.seq };
        let checkpoint = Checkpoint::read(line).ok_or(forged)?;
        let before = Head {
            seq: link.seq.saturating_sub(1),
            hash: link.prev,
        };
        if checkpoint.head != before || !checkpoint.is_signed(self.expected.key.as_ref()) {
            return Err(forged);
        }
        self.summary.checkpoints += 1;
        self.summary.signed = Some(before);
        self.summary.key = Some(checkpoint.key());
        Ok(())
    }
}

fn compare(known: &mut [(Head, Known)], seq: u64, hash: Digest) {
    for (head, state) in known.iter_mut().filter(|(head, _)| head.seq == seq) {
        *state = if head.hash == hash {
            Known::Holds
        } else {
            Known::Rewritten(hash)
        };
    }
}

impl Summary {
    /// Nothing is wrong, as far as a chain can tell. Where a key is given, something must be signed with it.
    pub fn holds(&self) -> bool {
        let signed = !self.key_given || self.signed.is_some();
        signed && self.faults == 0 && self.known.iter().all(|(_, state)| *state == Known::Holds)
    }
}

#[cfg(test)]
mod tampering_tests;
#[cfg(test)]
mod tests;
