//! An audit's files: how they are named, which belong together, and how each is read.
//!
//! ```text
//!  audit.jsonl                        is being written
//!  audit-000000000017.jsonl           was full; begins with record 17
//!  audit-000000000001.jsonl.gz        the same, compressed
//! ```
//!
//! Knows no event and no chain.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

const BUFFER: usize = 256 * 1024;
/// How many digits of a record's number a name has at least.
const DIGITS: usize = 12;
/// The first two bytes of what gzip wrote (RFC 1952, 2.3.1).
const GZIP: &[u8] = &[0x1f, 0x8b];

/// The folder of a file.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// A file beside this one, named after it.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// `audit.jsonl` that begins with record 17 becomes `audit-000000000017.jsonl`: sorted by name, the
/// files are in order.
pub(super) fn rotated_name(path: &Path, first_seq: u64) -> PathBuf {
    let (stem, extension) = stem_and_extension(path);
    path.with_file_name(format!("{stem}-{first_seq:0DIGITS$}{extension}"))
}

/// The name of a file once it is compressed.
pub(super) fn compressed_name(path: &Path) -> PathBuf {
    beside(path, ".gz")
}

fn stem_and_extension(path: &Path) -> (String, String) {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let extension = path
        .extension()
        .map(|e| format!(".{}", e.to_string_lossy()))
        .unwrap_or_default();
    (stem, extension)
}

/// The number of the first record that the name of a file states, if it was rotated away.
pub(super) fn stated_first(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let stem = Path::new(name).file_stem()?.to_str()?;
    let (_, digits) = stem.rsplit_once('-')?;
    (digits.len() >= DIGITS).then(|| digits.parse().ok())?
}

/// A file that was rotated away.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rotated {
    /// Its first record's number.
    pub(super) first_seq: u64,
    /// It stands compressed; `false` sorts first.
    pub(super) compressed: bool,
    /// Where it is.
    pub(super) path: PathBuf,
}

/// The files that were rotated away from `path`, in order. Of one that stands there both plain and
/// compressed (its compression was cut off before the end), the plain one.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn rotated(path: &Path) -> io::Result<Vec<Rotated>> {
    let (stem, extension) = stem_and_extension(path);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder(path))? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let (plain, compressed) = match name.strip_suffix(".gz") {
            Some(plain) => (plain, true),
            None => (name, false),
        };
        let first_seq = plain
            .strip_prefix(stem.as_str())
            .and_then(|rest| rest.strip_prefix('-')?.strip_suffix(extension.as_str()))
            .filter(|digits| digits.len() >= DIGITS && digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok());
        if let Some(first_seq) = first_seq {
            found.push(Rotated {
                first_seq,
                compressed,
                path: path.with_file_name(name),
            });
        }
    }
    found.sort();
    found.dedup_by_key(|file| file.first_seq);
    Ok(found)
}

/// The given files, and those that were rotated away from each. Of a file that was rotated away and not yet
/// followed by another (a kill between the two leaves it so) only those are there.
///
/// # Errors
/// A folder cannot be read; the error names the file.
pub fn with_rotated(files: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in files {
        let rotated = rotated(path).map_err(|error| named(path, &error))?;
        if rotated.is_empty() || path.exists() {
            all.push(path.clone());
        }
        all.extend(rotated.into_iter().map(|file| file.path));
    }
    all.sort();
    all.dedup();
    Ok(all)
}

/// Opens a file to read its text, compressed or not, and if it was compressed since somebody looked.
///
/// # Errors
/// Those of the system.
pub fn open(path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    let file = File::open(path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => File::open(compressed_name(path)).map_err(|_| error),
        _ => Err(error),
    })?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut input = BufReader::with_capacity(BUFFER, file);
    if input.fill_buf()?.starts_with(GZIP) {
        return Ok(Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(input))));
    }
    Ok(Box::new(input))
}

/// An error of the system with the name of the file that it befell.
pub fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
