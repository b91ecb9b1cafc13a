//! How many connections there may be, in all, of one role and before they have logged in; and how often a login may
//! fail. Each is counted while a guard lives.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::wire::ErrorFields;

use super::refusal::fatal;

/// The numbers; 0: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one role.
    pub per_role: usize,
    /// Connections that have not logged in.
    pub unauthenticated: usize,
    /// Failed logins from one address for one role within a minute.
    pub failures: u32,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            connections: 0,
            per_role: 0,
            unauthenticated: 200,
            failures: 20,
        }
    }
}

/// Failed logins are counted over so long.
const WINDOW: Duration = Duration::from_secs(60);
/// So many addresses and roles are remembered; beyond that the oldest are forgotten.
const MOST_REMEMBERED: usize = 10_000;

#[derive(Debug, Default)]
struct Counts {
    connections: usize,
    unauthenticated: usize,
    roles: HashMap<String, usize>,
    failures: HashMap<(IpAddr, String), (Instant, u32)>,
}

/// The limits of a process, and where it stands.
#[derive(Debug, Default)]
pub struct Limits {
    numbers: Numbers,
    counts: Mutex<Counts>,
}

/// A connection that is counted.
#[derive(Debug)]
pub struct Counted {
    limits: Arc<Limits>,
    role: Option<String>,
}

impl Limits {
    /// With these numbers.
    pub fn new(numbers: Numbers) -> Self {
        Self {
            numbers,
            counts: Mutex::default(),
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection that has not logged in; none: there are too many of those, and it is hung up on.
    pub fn arrives(self: &Arc<Self>) -> Option<Counted> {
        let mut counts = self.counts();
        if is_full(counts.unauthenticated, self.numbers.unauthenticated) {
            return None;
        }
        counts.unauthenticated += 1;
        Some(Counted {
            limits: Arc::clone(self),
            role: None,
        })
    }

    /// Whether somebody at that address may try to log in as that role.
    ///
    /// # Errors
    /// What the client is told.
    pub fn may_try(&self, address: IpAddr, role: &str) -> Result<(), ErrorFields> {
        let counts = self.counts();
        let failed = counts.failures.get(&(address, role.to_owned()));
        match failed {
            Some((since, times))
                if since.elapsed() < WINDOW && is_full(*times as usize, self.numbers.failures as usize) =>
            {
                Err(fatal("28000", "too many failed logins; wait a minute"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A login failed for want of a right password.
    pub fn failed(&self, address: IpAddr, role: &str) {
        let mut counts = self.counts();
        if counts.failures.len() >= MOST_REMEMBERED {
            counts.failures.retain(|_, (since, _)| since.elapsed() < WINDOW);
            if counts.failures.len() >= MOST_REMEMBERED {
                counts.failures.clear();
            }
        }
        let entry = counts
            .failures
            .entry((address, role.to_owned()))
            .or_insert((Instant::now(), 0));
        if entry.0.elapsed() >= WINDOW {
            *entry = (Instant::now(), 0);
        }
        entry.1 += 1;
    }
}

fn is_full(count: usize, limit: usize) -> bool {
    limit > 0 && count >= limit
}

impl Counted {
    /// It has logged in as `role`.
    ///
    /// # Errors
    /// What the client is told, in PostgreSQL's words.
    pub fn logs_in(&mut self, role: &str) -> Result<(), ErrorFields> {
        let mut counts = self.limits.counts();
        let numbers = &self.limits.numbers;
        if is_full(counts.connections, numbers.connections) {
            return Err(fatal("53300", "sorry, too many clients already"));
        }
        let of_role = counts.roles.entry(role.to_owned()).or_default();
        if is_full(*of_role, numbers.per_role) {
            return Err(fatal("53300", format!("too many connections for role \"{role}\"")));
        }
        *of_role += 1;
        counts.connections += 1;
        counts.unauthenticated = counts.unauthenticated.saturating_sub(1);
        self.role = Some(role.to_owned());
        Ok(())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.limits.counts();
        match &self.role {
            None => counts.unauthenticated = counts.unauthenticated.saturating_sub(1),
            Some(role) => {
                counts.connections = counts.connections.saturating_sub(1);
                let left = counts.roles.get_mut(role).map(|n| {
                    *n = n.saturating_sub(1);
                    *n
                });
                if left == Some(0) {
                    counts.roles.remove(role);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_while_they_live() {
        let limits = Arc::new(Limits::new(Numbers {
            connections: 3,
            per_role: 2,
            unauthenticated: 2,
            failures: 0,
        }));
        let mut first = limits.arrives().unwrap();
        let mut second = limits.arrives().unwrap();
        assert!(limits.arrives().is_none(), "two wait for their login");
        first.logs_in("a").unwrap();
        second.logs_in("a").unwrap();
        let mut third = limits.arrives().unwrap();
        assert_eq!(third.logs_in("a").unwrap_err().sqlstate(), "53300");
        third.logs_in("b").unwrap();
        let mut fourth = limits.arrives().unwrap();
        assert_eq!(fourth.logs_in("c").unwrap_err().sqlstate(), "53300");
        drop(first);
        fourth.logs_in("a").unwrap();
    }

    #[test]
    fn tries_are_counted_by_address_and_role() {
        let limits = Limits::new(Numbers {
            failures: 2,
            ..Numbers::default()
        });
        let (here, there): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        limits.failed(here, "a");
        assert!(limits.may_try(here, "a").is_ok());
        limits.failed(here, "a");
        assert!(limits.may_try(here, "a").is_err());
        assert!(limits.may_try(here, "b").is_ok() && limits.may_try(there, "a").is_ok());
    }
}
