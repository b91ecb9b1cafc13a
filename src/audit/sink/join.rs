//! Statements with their completions, for forms that have one event for both. Bounded: past a number,
//! the oldest statement goes out without.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

/// So many statements may wait for their completion.
const MOST_WAITING: usize = 4096;

/// Statements that wait.
#[derive(Default)]
pub(super) struct Join {
    waiting: HashMap<String, Value>,
    /// Their ids as they came; those that no longer wait too.
    order: VecDeque<String>,
}

/// A record, and of a statement its completion.
pub(super) struct Joined {
    pub(super) record: Value,
    pub(super) completed: Option<Value>,
}

impl Join {
    /// Takes a record, and gives those that are whole by now.
    pub(super) fn next(&mut self, record: Value) -> Vec<Joined> {
        let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let refused = !text("code").is_empty();
        match text("event").as_str() {
            "completed" => {
                let statement = self.waiting.remove(&text("of"));
                statement
                    .map(|statement| Joined {
                        record: statement,
                        completed: Some(record),
                    })
                    .into_iter()
                    .collect()
            }
            // A refusal never runs.
            "statement" if !refused => {
                let id = text("id");
                self.order.push_back(id.clone());
                self.waiting.insert(id, record);
                self.release(MOST_WAITING)
            }
            _ => vec![Joined {
                record,
                completed: None,
            }],
        }
    }

    /// Gives all but the newest `most`.
    pub(super) fn release(&mut self, most: usize) -> Vec<Joined> {
        let mut given = Vec::new();
        while self.waiting.len() > most || self.order.len() > 4 * MOST_WAITING {
            let Some(id) = self.order.pop_front() else { break };
            given.extend(self.waiting.remove(&id).map(|record| Joined {
                record,
                completed: None,
            }));
        }
        given
    }
}
