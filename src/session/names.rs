//! Names of prepared statements and portals, as PostgreSQL will know them when it has read all that
//! was sent: what is confirmed, and over it what is under way, in order.

use std::collections::{HashMap, VecDeque};

/// A table of names.
#[derive(Debug)]
pub struct Names<T> {
    confirmed: HashMap<String, T>,
    pending: VecDeque<Pending<T>>,
    /// Counts the Syncs that were sent: an error makes the server pass over what came before one.
    segment: u64,
}

#[derive(Debug)]
struct Pending<T> {
    name: String,
    value: Option<T>,
    segment: u64,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self {
            confirmed: HashMap::new(),
            pending: VecDeque::new(),
            segment: 0,
        }
    }
}

impl<T> Names<T> {
    /// What the name will mean.
    pub fn get(&self, name: &str) -> Option<&T> {
        match self.newest(name) {
            Some(pending) => pending.value.as_ref(),
            None => self.confirmed.get(name),
        }
    }

    /// What the name will mean depends on answers that are under way: before the last Sync a message
    /// was sent that gives or takes it, and an error may make the server pass over that, though not
    /// over what is sent now.
    pub fn is_uncertain(&self, name: &str) -> bool {
        self.newest(name).is_some_and(|pending| pending.segment < self.segment)
    }

    /// Some name is uncertain.
    pub fn any_uncertain(&self) -> bool {
        self.pending
            .front()
            .is_some_and(|pending| pending.segment < self.segment)
    }

    fn newest(&self, name: &str) -> Option<&Pending<T>> {
        self.pending.iter().rev().find(|pending| pending.name == name)
    }

    /// A message was sent that gives the name (`None` takes it away) when it is answered.
    pub fn sent(&mut self, name: String, value: Option<T>) {
        let segment = self.segment;
        self.pending.push_back(Pending { name, value, segment });
    }

    /// A Sync was sent.
    pub fn synced(&mut self) {
        self.segment += 1;
    }

    /// The oldest message under way was answered.
    pub fn confirm(&mut self) {
        match self.pending.pop_front() {
            Some(Pending {
                name,
                value: Some(value),
                ..
            }) => {
                self.confirmed.insert(name, value);
            }
            Some(Pending { name, value: None, .. }) => {
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

    #[test]
    fn a_name_is_uncertain_when_a_sync_stands_between_it_and_its_use() {
        let mut names = Names::default();
        names.sent("a".into(), Some(1));
        assert!(!names.is_uncertain("a"));
        names.synced();
        assert!(names.is_uncertain("a") && names.any_uncertain() && !names.is_uncertain("b"));
        names.sent("a".into(), Some(2));
        assert!(!names.is_uncertain("a") && names.any_uncertain());
        names.confirm();
        assert!(!names.any_uncertain());
    }
}
