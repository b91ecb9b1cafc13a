//! Records as lines: to standard output, to a file, to a program's standard input.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Outlet, WrittenRecord};

/// A program that takes longer is ended.
const LONGEST_RUN: Duration = Duration::from_secs(10);

/// A stream of lines.
pub(super) struct Lines {
    out: Box<dyn Write + Send>,
}

impl Lines {
    pub(super) fn stdout() -> Self {
        Self {
            out: Box::new(io::stdout()),
        }
    }

    /// Appends, readable by us alone where the file is new.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        Ok(Self { out: Box::new(file) })
    }
}

impl Outlet for Lines {
    fn give(&mut self, record: &WrittenRecord) -> io::Result<()> {
        // One write: whatever else appends to the file stands between lines.
        let line = [&record.line, &b"\n"[..]].concat();
        self.out.write_all(&line)?;
        self.out.flush()
    }
}

/// A program that is run for each record.
pub(super) struct Program {
    path: PathBuf,
}

impl Program {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }
}

impl Outlet for Program {
    fn give(&mut self, record: &WrittenRecord) -> io::Result<()> {
        let mut child = Command::new(&self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read says by its exit code whether that was meant.
            let _ = stdin.write_all(&record.line).and_then(|()| stdin.write_all(b"\n"));
        }
        let until = Instant::now() + LONGEST_RUN;
        let status = loop {
            match child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() >= until => {
                    child.kill()?;
                    child.wait()?;
                    return Err(io::ErrorKind::TimedOut.into());
                }
                None => std::thread::park_timeout(Duration::from_millis(5)),
            }
        };
        if status.success() {
            return Ok(());
        }
        Err(io::Error::other(format!("the program ended with {status}")))
    }
}
