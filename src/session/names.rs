//! Names of prepared statements and portals, as PostgreSQL will know them when it has read all that
//! was sent: what is confirmed, and over it what is under way, in order.

use std::collections::{HashMap, VecDeque};

/// A table of names.
#[derive(Debug)]
pub struct Names<T> {
    confirmed: HashMap<String, T>,
    pending: VecDeque<(String, Option<T>)>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self {
            confirmed: HashMap::new(),
            pending: VecDeque::new(),
        }
    }
}

impl<T> Names<T> {
    /// What the name will mean.
    pub fn get(&self, name: &str) -> Option<&T> {
        match self.pending.iter().rev().find(|(n, _)| n == name) {
            Some((_, value)) => value.as_ref(),
            None => self.confirmed.get(name),
        }
    }

    /// A message was sent that gives the name (`None` takes it away) when it is answered.
    pub fn sent(&mut self, name: String, value: Option<T>) {
        self.pending.push_back((name, value));
    }

    /// The oldest message under way was answered.
    pub fn confirm(&mut self) {
        match self.pending.pop_front() {
            Some((name, Some(value))) => {
                self.confirmed.insert(name, value);
            }
            Some((name, None)) => {
                self.confirmed.remove(&name);
            }
            None => {}
        }
    }

    /// The oldest message under way failed or was skipped.
    pub fn forget(&mut self) {
        self.pending.pop_front();
    }

    /// A name that a completed SQL command gave.
    pub fn insert(&mut self, name: String, value: T) {
        self.confirmed.insert(name, value);
    }

    /// A name that a completed SQL command took away.
    pub fn remove(&mut self, name: &str) -> Option<T> {
        self.confirmed.remove(name)
    }

    /// Keeps only what `keep` says of what is confirmed.
    pub fn retain(&mut self, keep: impl Fn(&str, &T) -> bool) {
        self.confirmed.retain(|name, value| keep(name, value));
    }

    /// All that is confirmed.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &T)> {
        self.confirmed.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_hides_what_is_confirmed_and_errors_bring_it_back() {
        let mut names = Names::default();
        names.sent("a".into(), Some(1));
        assert_eq!(names.get("a"), Some(&1));
        names.confirm();
        names.sent("a".into(), None);
        names.sent("b".into(), Some(2));
        names.sent("a".into(), Some(3));
        assert_eq!((names.get("a"), names.get("b")), (Some(&3), Some(&2)));
        names.confirm();
        assert_eq!(names.get("a"), Some(&3));
        names.forget();
        names.forget();
        assert_eq!((names.get("a"), names.get("b")), (None, None));
    }
}
