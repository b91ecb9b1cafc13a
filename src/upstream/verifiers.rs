//! What clients' passwords are checked against where the proxy authenticates them: a file, or `pg_authid` of the
//! server, read with a credential of our own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use zeroize::Zeroizing;

use super::ask::AskError;
use super::loader;
use super::needs::Report;
use super::{Server, Target};
use crate::password::Verifier;

/// What is kept of a role's password.
#[derive(Clone)]
pub enum Stored {
    /// For SCRAM-SHA-256.
    Scram(Verifier),
    /// `md5` and 32 hex digits.
    Md5(Zeroizing<String>),
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stored")
    }
}

impl Stored {
    /// Reads what `pg_authid.rolpassword` holds; none: a form that is not known.
    pub fn read(text: &str) -> Option<Self> {
        match text.strip_prefix("md5") {
            Some(hex) if hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Some(Self::Md5(Zeroizing::new(text.to_owned())))
            }
            Some(_) | None => Verifier::read(text).map(Self::Scram),
        }
    }
}

/// Why verifiers cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum VerifiersError {
    /// The file cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// A line is not of the form. What it holds is not shown.
    #[error("{}:{line}: expected \"role\" \"SCRAM-SHA-256$…\"", path.display())]
    Line {
        /// In which file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// The server does not tell.
    #[error("verifiers cannot be read from the server: {0}")]
    Query(#[from] AskError),
}

type File = HashMap<String, Stored>;

/// Where verifiers come from.
#[derive(Debug)]
pub enum Verifiers {
    /// A file, `"role" "verifier"` a line, as PgBouncer has it.
    File {
        /// Which.
        path: PathBuf,
        /// What it holds.
        known: ArcSwap<File>,
    },
    /// A query, with a credential of our own.
    Query {
        /// The server.
        server: Box<Server>,
        /// Who asks where.
        target: Box<Target>,
        /// What was asked a moment ago.
        recent: Mutex<HashMap<String, (Instant, Option<Stored>)>>,
    },
}

/// So long an answer of the server's holds.
const KEPT: Duration = Duration::from_secs(30);
/// So many answers are kept.
const MOST_KEPT: usize = 10_000;

impl Verifiers {
    /// Of a file.
    ///
    /// # Errors
    /// See [`VerifiersError`].
    pub fn of_file(path: &Path) -> Result<Self, VerifiersError> {
        let known = read_file(path)?;
        Ok(Self::File {
            path: path.to_owned(),
            known: ArcSwap::from_pointee(known),
        })
    }

    /// Of a query.
    pub fn of_query(server: Server, target: Target) -> Self {
        Self::Query {
            server: Box::new(server),
            target: Box::new(target),
            recent: Mutex::default(),
        }
    }

    /// Reads a file anew, or forgets what was asked.
    ///
    /// # Errors
    /// See [`VerifiersError`]; what was known stays.
    pub fn reload(&self) -> Result<(), VerifiersError> {
        match self {
            Self::File { path, known } => known.store(Arc::new(read_file(path)?)),
            Self::Query { recent, .. } => recent.lock().unwrap_or_else(PoisonError::into_inner).clear(),
        }
        Ok(())
    }

    /// What is kept of a role's password; none: nothing, or no such role.
    ///
    /// # Errors
    /// The server does not tell.
    pub async fn of(&self, role: &str) -> Result<Option<Stored>, VerifiersError> {
        match self {
            Self::File { known, .. } => Ok(known.load().get(role).cloned()),
            Self::Query { server, target, recent } => {
                let kept = |recent: &HashMap<String, (Instant, Option<Stored>)>| {
                    let (at, stored) = recent.get(role)?;
                    (at.elapsed() < KEPT).then(|| stored.clone())
                };
                let known = kept(&recent.lock().unwrap_or_else(PoisonError::into_inner));
                if let Some(known) = known {
                    return Ok(known);
                }
                let found = loader::verifier_of(server, target, role).await?;
                let stored = found.as_deref().and_then(|text| Stored::read(text));
                let mut recent = recent.lock().unwrap_or_else(PoisonError::into_inner);
                if recent.len() >= MOST_KEPT {
                    recent.clear();
                }
                recent.insert(role.to_owned(), (Instant::now(), stored.clone()));
                Ok(stored)
            }
        }
    }

    /// Looks at the server over the connection that verifiers are asked for on; none: they are in a file.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn look_at_server(&self) -> Option<Result<Report, AskError>> {
        match self {
            Self::File { .. } => None,
            Self::Query { server, target, .. } => Some(loader::look_at(server, target).await),
        }
    }

    /// A proof failed: perhaps the password was changed a moment ago.
    pub fn forget(&self, role: &str) {
        match self {
            Self::File { .. } => {}
            Self::Query { recent, .. } => {
                recent.lock().unwrap_or_else(PoisonError::into_inner).remove(role);
            }
        }
    }
}

fn read_file(path: &Path) -> Result<File, VerifiersError> {
    let text = Zeroizing::new(
        std::fs::read_to_string(path).map_err(|cause| VerifiersError::Unreadable {
            path: path.to_owned(),
            cause,
        })?,
    );
    parse(&text).map_err(|line| VerifiersError::Line {
        path: path.to_owned(),
        line,
    })
}

/// `"role" "verifier"` a line (a `"` of a name is written twice), `;` or `#` before a comment. A password in clear text
/// is an error: it need not lie here.
fn parse(text: &str) -> Result<File, usize> {
    let mut file = File::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with([';', '#']) {
            continue;
        }
        let (role, rest) = quoted(line).ok_or(index + 1)?;
        let (stored, rest) = quoted(rest.trim_start()).ok_or(index + 1)?;
        let stored = Stored::read(&stored)
            .filter(|_| rest.trim().is_empty())
            .ok_or(index + 1)?;
        if file.insert(role, stored).is_some() {
            return Err(index + 1);
        }
    }
    Ok(file)
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut word = String::new();
    loop {
        let (part, after) = rest.split_once('"')?;
        word.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                word.push('"');
                rest = more;
            }
            None => return Some((word, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_verifiers_and_no_password() {
        let scram = "SCRAM-SHA-256$4096:c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let md5 = "md50123456789abcdef0123456789abcdef";
        let text = format!("; ours\n\"app\" \"{scram}\"\n\n\"a\"\"b\" \"{md5}\"\n");
        let file = parse(&text).unwrap();
        assert!(matches!(file.get("app"), Some(Stored::Scram(_))));
        assert!(matches!(file.get("a\"b"), Some(Stored::Md5(_))));
        let wrong = [
            "\"app\" \"open sesame\"".to_owned(),
            "app x".to_owned(),
            format!("\"a\" \"{scram}\" x"),
            format!("\"a\" \"{scram}\"\n\"a\" \"{scram}\""),
        ];
        for (text, line) in wrong.iter().zip([1, 1, 1, 2]) {
            assert_eq!(parse(text).err(), Some(line), "{text}");
        }
    }
}
