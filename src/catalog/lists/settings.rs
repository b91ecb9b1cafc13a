//! Which settings a client may set, in its start-up packet, by SET or by `set_config`, and which it
//! may read, by SHOW or by `current_setting`.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::format::{Faults, Line, lines};

/// What a client may do with a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Access {
    /// Set it to anything, and read it.
    Any,
    /// Set it to one of these, and read it.
    Values(Vec<&'static str>, &'static str),
    /// Read it.
    Show(&'static str),
    /// Nothing.
    Deny(&'static str),
}

/// The list of settings.
#[derive(Debug, Default)]
pub(super) struct Settings {
    by_name: HashMap<&'static str, Access>,
    /// The names, and what stands between their dots.
    words: HashSet<&'static str>,
    #[cfg_attr(not(test), allow(dead_code))]
    pub faults: Faults,
}

pub(super) static SETTINGS: LazyLock<Settings> = LazyLock::new(|| Settings::read(include_str!("settings.txt")));

const UNLISTED: &str = "it is on no list of settings";

impl Settings {
    /// Reads the file.
    pub fn read(text: &'static str) -> Self {
        let mut read = Self::default();
        for line in lines(text, &mut read.faults) {
            read.add(line);
        }
        read
    }

    fn add(&mut self, line: Line) {
        let Some((kind, reason)) = line.kind_and_reason() else {
            return self.faults.add(line.number, "a heading without a reason");
        };
        let access = match kind {
            "any" => Access::Any,
            "show" => Access::Show(reason),
            "deny" => Access::Deny(reason),
            "values" => {
                let Some((name, values)) = line.text.split_once(" = ") else {
                    return self.faults.add(line.number, "not `name = values`");
                };
                let access = Access::Values(values.split_whitespace().collect(), reason);
                return self.insert(line.number, name.trim(), access);
            }
            _ => return self.faults.add(line.number, "unknown kind of block"),
        };
        for name in line.text.split_whitespace() {
            self.insert(line.number, name, access.clone());
        }
    }

    fn insert(&mut self, line: usize, name: &'static str, access: Access) {
        if name.chars().any(|c| c.is_ascii_uppercase()) {
            self.faults.add(line, &format!("{name} is not in lower case"));
        }
        self.words.extend(name.split('.'));
        if self.by_name.insert(name, access).is_some() {
            self.faults.add(line, &format!("{name} is listed twice"));
        }
    }

    fn access(&self, name: &str) -> Option<&Access> {
        self.by_name.get(name.to_ascii_lowercase().as_str())
    }
}

/// Why a call of `current_setting` is refused.
pub const ONLY_LISTED: &str =
    "current_setting is allowed only with the name of a harmless setting, as a constant or a parameter";

/// Whether a setting that is listed has this name, or it is a part of one between dots (in lower case).
pub fn is_word_of_setting(name: &str) -> bool {
    SETTINGS.words.contains(name)
}

/// Whether a client may set `name` (in any case) to `value`. `search_path` and the settings of
/// `pgpurpose` may be set to anything here: the session gives them their meaning.
///
/// # Errors
/// The reason, to stand in a refusal.
pub fn may_set(name: &str, value: &str) -> Result<(), &'static str> {
    match SETTINGS.access(name) {
        Some(Access::Any) => Ok(()),
        Some(Access::Values(values, reason)) => {
            let value = value.trim();
            let known = values.iter().any(|v| v.eq_ignore_ascii_case(value));
            if known { Ok(()) } else { Err(reason) }
        }
        Some(Access::Show(_)) => Err("it can be read only"),
        Some(Access::Deny(reason)) => Err(reason),
        None => Err(UNLISTED),
    }
}

/// Whether a client may read `name` (in any case). `all` is no setting.
///
/// # Errors
/// The reason, to stand in a refusal.
pub fn may_show(name: &str) -> Result<(), &'static str> {
    match SETTINGS.access(name) {
        Some(Access::Any | Access::Values(..) | Access::Show(_)) => Ok(()),
        Some(Access::Deny(reason)) => Err(reason),
        None => Err(UNLISTED),
    }
}
