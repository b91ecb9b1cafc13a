//! What a server says of itself at login, and whether it will do.
//!
//! Pure: knows no socket.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// `target_session_attrs`: which of several servers will do, as in libpq.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SessionAttributes {
    /// Each.
    #[default]
    Any,
    /// One where sessions may write.
    ReadWrite,
    /// One where they may not.
    ReadOnly,
    /// One that is no standby.
    Primary,
    /// One that is.
    Standby,
}

/// What a server says of itself at login.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// `in_hot_standby`
    pub standby: bool,
    /// `default_transaction_read_only`
    pub read_only: bool,
    /// Of `server_version`: another server answers, or it was upgraded, where this differs.
    pub version: u64,
}

impl Standing {
    /// Takes in the body of a ParameterStatus message.
    pub fn hear(&mut self, body: &[u8]) {
        match body {
            b"in_hot_standby\0on\0" => self.standby = true,
            b"default_transaction_read_only\0on\0" => self.read_only = true,
            _ if body.starts_with(b"server_version\0") => {
                let mut hasher = DefaultHasher::new();
                body.hash(&mut hasher);
                self.version = hasher.finish();
            }
            _ => {}
        }
    }
}

impl SessionAttributes {
    /// A server that says this of itself will do.
    pub const fn are_met(self, standing: Standing) -> bool {
        match self {
            Self::Any => true,
            Self::ReadWrite => !standing.standby && !standing.read_only,
            Self::ReadOnly => standing.standby || standing.read_only,
            Self::Primary => !standing.standby,
            Self::Standby => standing.standby,
        }
    }

    pub(super) fn read(word: &str) -> Option<Self> {
        match word {
            "any" => Some(Self::Any),
            "read-write" => Some(Self::ReadWrite),
            "read-only" => Some(Self::ReadOnly),
            "primary" => Some(Self::Primary),
            "standby" => Some(Self::Standby),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_will_do() {
        let standings = [(false, false), (false, true), (true, true)];
        for (word, expected) in [
            ("any", [true, true, true]),
            ("read-write", [true, false, false]),
            ("read-only", [false, true, true]),
            ("primary", [true, true, false]),
            ("standby", [false, false, true]),
        ] {
            let attributes = SessionAttributes::read(word).unwrap();
            let met = standings.map(|(standby, read_only)| {
                attributes.are_met(Standing {
                    standby,
                    read_only,
                    version: 0,
                })
            });
            assert_eq!(met, expected, "{word}");
        }
    }

    #[test]
    fn what_a_server_says_is_heard() {
        let mut standing = Standing::default();
        for body in [
            &b"in_hot_standby\0off\0"[..],
            b"",
            b"default_transaction_read_only\0off\0",
        ] {
            standing.hear(body);
        }
        assert_eq!(standing, Standing::default());
        standing.hear(b"in_hot_standby\0on\0");
        standing.hear(b"server_version\0PostgreSQL 15.1\0");
        let before = standing.version;
        standing.hear(b"server_version\0PostgreSQL 15.2\0");
        assert!(standing.standby && standing.version != before);
    }
}
