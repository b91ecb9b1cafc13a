//! The lists' common form: `[heading]` lines open blocks, `--` lines are comments, the others hold
//! the entries.
//!
//! Knows no entry's meaning. The texts are compiled in, so an error is a fault of ours: it is kept
//! for the tests to find, and its line is left out, which denies.

/// A line with entries, under the heading of its block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// From 1.
    pub number: usize,
    /// What stands between the brackets of the block's heading.
    pub heading: &'static str,
    /// Trimmed, not empty.
    pub text: &'static str,
}

impl Line {
    /// `[kind: reason]` taken apart.
    pub fn kind_and_reason(&self) -> Option<(&'static str, &'static str)> {
        self.heading
            .split_once(": ")
            .filter(|(kind, reason)| !kind.is_empty() && !reason.is_empty())
    }
}

/// What could not be read, for the tests.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<String>);

impl Faults {
    /// Keeps a fault.
    pub fn add(&mut self, line: usize, what: &str) {
        self.0.push(format!("line {line}: {what}"));
    }

    /// All of them.
    #[cfg(test)]
    pub fn all(&self) -> &[String] {
        &self.0
    }
}

/// The lines with entries. A line before the first heading, or under an empty one, has no reason
/// and is a fault.
pub(super) fn lines(text: &'static str, faults: &mut Faults) -> Vec<Line> {
    let mut heading = "";
    let mut found = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let number = index + 1;
        let text = raw.trim();
        if text.is_empty() || text.starts_with("--") {
            continue;
        }
        if let Some(opened) = text.strip_prefix('[') {
            heading = opened.strip_suffix(']').unwrap_or_default().trim();
            if heading.is_empty() {
                faults.add(number, "a heading without a reason");
            }
            continue;
        }
        if heading.is_empty() {
            faults.add(number, "an entry without a reason");
            continue;
        }
        found.push(Line { number, heading, text });
    }
    found
}
