//! Closed files become gzip files (RFC 1952) beside the path of statements.
//!
//! A file is replaced whole: written under another name, brought to disk, renamed, and only then is
//! the plain one removed. What was cut off in between is made good at the next start.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::files;

/// Compresses files on a thread of its own. One that fails stays as it is.
pub(super) fn in_background(files: Vec<PathBuf>) {
    let spawned = std::thread::Builder::new().name("audit-gzip".into()).spawn(move || {
        for path in files {
            if let Err(error) = compress(&path) {
                tracing::warn!(%error, "a closed audit file could not be compressed; it stays as it is");
            }
        }
    });
    if let Err(error) = spawned {
        tracing::warn!(%error, "closed audit files are not compressed");
    }
}

/// Compresses one file.
///
/// # Errors
/// Those of the system; the plain file is there still.
pub(super) fn compress(path: &Path) -> io::Result<()> {
    let part = files::beside(path, ".gz.part");
    let mut plain = File::open(path)?;
    let mut options = OpenOptions::new();
    let target = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)?;
    let mut gzip = GzEncoder::new(target, Compression::default());
    let written = io::copy(&mut plain, &mut gzip).and_then(|_| gzip.finish()?.sync_all());
    if let Err(error) = written {
        // Half of a copy is of no use; that it may stay is told with the failure.
        let _ = std::fs::remove_file(&part);
        return Err(error);
    }
    std::fs::rename(&part, files::compressed_name(path))?;
    File::open(files::folder(path))?.sync_all()?;
    std::fs::remove_file(path)
}

/// Files that were closed and are not compressed yet.
///
/// # Errors
/// Those of the system.
pub(super) fn left_over(path: &Path) -> io::Result<Vec<PathBuf>> {
    let rotated = files::rotated(path)?;
    Ok(rotated
        .into_iter()
        .filter(|file| !file.compressed)
        .map(|file| file.path)
        .collect())
}
