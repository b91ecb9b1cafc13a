//! Which built-in functions a client may call.
//!
//! The key is a name and a number of arguments: overloads cannot be told apart without types.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::format::{Faults, lines};

/// What the lists say of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionStatus {
    /// Harmless with that number of arguments, whatever their types.
    Allowed {
        /// It cannot raise an error and has no effect, whatever the values; provided that its text
        /// arguments have one collation (no COLLATE in the statement, no column whose collation is
        /// not the database's default).
        total: bool,
    },
    /// Known, and not for clients.
    Denied {
        /// Why.
        reason: &'static str,
        /// Where it may be called all the same.
        unless: Unless,
    },
    /// On no list: denied.
    Unknown,
}

/// Where a denied function may be called all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unless {
    /// Nowhere, however the rules read.
    Never,
    /// Where the rules name it.
    Named,
    /// There, and where the rules protect nothing in the database.
    Bare,
}

/// Functions that are denied here, and that the core may serve under conditions of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// `current_setting`: with a constant name that [`super::may_show`] allows.
    ReadsSetting,
    /// `set_config`: with a constant name that [`super::may_set`] allows.
    ChangesSetting,
}

/// How one name may be called.
#[derive(Debug, Default, Clone)]
struct Counts {
    /// `*`: any number of arguments, and VARIADIC.
    any: bool,
    /// Numbers of arguments, and whether such a call is total.
    listed: Vec<(usize, bool)>,
}

impl Counts {
    fn find(&self, args: usize) -> Option<bool> {
        let listed = self.listed.iter().find(|(count, _)| *count == args);
        match listed {
            Some((_, total)) => Some(*total),
            None => self.any.then_some(false),
        }
    }
}

/// The two lists of functions.
#[derive(Debug, Default)]
pub(super) struct Functions {
    allowed: HashMap<&'static str, Counts>,
    denied: HashMap<&'static str, Vec<(Counts, &'static str, Unless)>>,
    #[cfg_attr(not(test), allow(dead_code))]
    pub faults: Faults,
}

pub(super) static FUNCTIONS: LazyLock<Functions> =
    LazyLock::new(|| Functions::read(include_str!("functions.txt"), include_str!("denied_functions.txt")));

impl Functions {
    /// Reads both files.
    pub fn read(allowed: &'static str, denied: &'static str) -> Self {
        let mut read = Self::default();
        for line in lines(allowed, &mut read.faults) {
            for entry in line.text.split_whitespace() {
                if let Err(fault) = read.allow(entry) {
                    read.faults.add(line.number, &fault);
                }
            }
        }
        for line in lines(denied, &mut read.faults) {
            let (unless, reason) = match line.kind_and_reason() {
                Some(("unless named", reason)) => (Unless::Named, reason),
                Some(("unless bare", reason)) => (Unless::Bare, reason),
                Some(_) | None => (Unless::Never, line.heading),
            };
            for entry in line.text.split_whitespace() {
                if let Err(fault) = read.deny(entry, reason, unless) {
                    read.faults.add(line.number, &fault);
                }
            }
        }
        read
    }

    /// `name/1,2`, `name/1!` or `name/*`.
    fn allow(&mut self, entry: &'static str) -> Result<(), String> {
        let (name, counts) = entry.split_once('/').ok_or_else(|| format!("{entry} has no number"))?;
        let counts = parse_counts(counts).ok_or_else(|| format!("{entry} has no readable number"))?;
        let known = self.allowed.entry(name).or_default();
        let any_count_twice = known.any || (counts.any && !known.listed.is_empty());
        let twice = any_count_twice || counts.listed.iter().any(|(n, _)| known.find(*n).is_some());
        if twice {
            return Err(format!("{entry} is listed twice"));
        }
        known.any |= counts.any;
        known.listed.extend(counts.listed);
        Ok(())
    }

    /// `name` or `name/1,2`.
    fn deny(&mut self, entry: &'static str, reason: &'static str, unless: Unless) -> Result<(), String> {
        let (name, counts) = match entry.split_once('/') {
            Some((name, counts)) => (name, parse_counts(counts)),
            None => (entry, parse_counts("*")),
        };
        let counts = counts.ok_or_else(|| format!("{entry} has no readable number"))?;
        if self.overlaps(name, &counts) {
            return Err(format!("{entry} is listed twice"));
        }
        self.denied.entry(name).or_default().push((counts, reason, unless));
        Ok(())
    }

    fn overlaps(&self, name: &str, counts: &Counts) -> bool {
        let denied = self.denied.get(name).into_iter().flatten().map(|(known, ..)| known);
        let mut known = denied.chain(self.allowed.get(name));
        known.any(|known| known.any || counts.any || counts.listed.iter().any(|(n, _)| known.find(*n).is_some()))
    }

    /// The lists' word on a call.
    fn status(&self, name: &str, args: usize, variadic_call: bool) -> FunctionStatus {
        let denied = self.denied.get(name).into_iter().flatten();
        for (counts, reason, unless) in denied {
            if counts.find(args).is_some() {
                return FunctionStatus::Denied {
                    reason,
                    unless: *unless,
                };
            }
        }
        let Some(counts) = self.allowed.get(name) else {
            return FunctionStatus::Unknown;
        };
        if variadic_call && !counts.any {
            return FunctionStatus::Unknown;
        }
        match counts.find(args) {
            Some(total) => FunctionStatus::Allowed { total },
            None => FunctionStatus::Unknown,
        }
    }
}

fn parse_counts(text: &str) -> Option<Counts> {
    let (text, total) = match text.strip_suffix('!') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let mut counts = Counts::default();
    if text == "*" {
        counts.any = true;
        return (!total).then_some(counts);
    }
    for number in text.split(',') {
        counts.listed.push((number.parse().ok()?, total));
    }
    Some(counts)
}

/// Whether a client may call the function of `pg_catalog` with that exact name and `args`
/// arguments. The ORDER BY of a WITHIN GROUP counts as arguments, `count(*)` has none.
/// `variadic_call`: the last argument carries the VARIADIC keyword.
pub fn function(name: &str, args: usize, variadic_call: bool) -> FunctionStatus {
    match special(name, args) {
        Some(Special::ReadsSetting) => FunctionStatus::Denied {
            reason: "reads a setting: only one with a constant name that may be shown",
            unless: Unless::Never,
        },
        Some(Special::ChangesSetting) => FunctionStatus::Denied {
            reason: "changes a setting: only one with a constant name that may be set",
            unless: Unless::Never,
        },
        None => FUNCTIONS.status(name, args, variadic_call),
    }
}

/// As [`function`], for the schemas that PostgreSQL itself brings; any other schema is unknown here.
pub fn function_in(schema: &str, name: &str, args: usize, variadic_call: bool) -> FunctionStatus {
    match schema {
        "pg_catalog" => function(name, args, variadic_call),
        "information_schema" => FUNCTIONS.status(&format!("information_schema.{name}"), args, variadic_call),
        _ => FunctionStatus::Unknown,
    }
}

/// The functions of `pg_catalog` that the core treats itself; [`function`] denies them.
pub fn special(name: &str, args: usize) -> Option<Special> {
    match (name, args) {
        ("current_setting", 1 | 2) => Some(Special::ReadsSetting),
        ("set_config", 3) => Some(Special::ChangesSetting),
        _ => None,
    }
}
