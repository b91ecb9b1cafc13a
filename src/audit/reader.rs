//! Audit files as a stream of lines, compressed ones too, and their verification, in constant memory.
//!
//! Knows the chain; of events nothing.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use super::chain::{Checker, Digest, Fault, Head, Link};
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
pub fn verify(files: &[PathBuf], known: &[Head], mut found: impl FnMut(Finding)) -> io::Result<Summary> {
    let mut chain = Checker::default();
    let mut known: Vec<(Head, Known)> = known.iter().map(|&head| (head, Known::NotThere)).collect();
    let (mut records, mut faults) = (0, 0);
    for path in in_order(files)? {
        let mut lines = Lines::open(&path).map_err(|error| named(&path, &error))?;
        while let Some((number, line)) = lines.next_line().map_err(|error| named(&path, &error))? {
            let checked = match line {
                Line::Whole(line) => chain.next(line),
                Line::Torn(part) => Err(Fault::Torn {
                    bytes: part.len() as u64,
                }),
                Line::TooLong => Err(Fault::TooLong),
                Line::Undecodable => Err(Fault::Undecodable),
            };
            match checked {
                Ok(link) => {
                    records += 1;
                    compare(&mut known, link.seq, link.hash);
                }
                Err(fault) => {
                    // A sound record that stands wrongly is a record still.
                    if let (true, Some(head)) = (fault.is_of_position(), chain.head()) {
                        compare(&mut known, head.seq, head.hash);
                    }
                    faults += 1;
                    found(Finding {
                        file: path.clone(),
                        line: number,
                        fault,
                    });
                }
            }
        }
    }
    Ok(Summary {
        records,
        first_seq: chain.first_seq(),
        head: chain.head(),
        faults,
        known,
    })
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
    /// Nothing is wrong, as far as a chain can tell.
    pub fn holds(&self) -> bool {
        self.faults == 0 && self.known.iter().all(|(_, state)| *state == Known::Holds)
    }
}

#[cfg(test)]
mod tests;
