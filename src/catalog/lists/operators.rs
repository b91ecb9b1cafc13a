//! Which built-in operators a client may use, which of them are total, and whose extensions'
//! operators are trusted.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::format::{Faults, lines};

/// The list of operators.
#[derive(Debug, Default)]
pub(super) struct Operators {
    pub allowed: HashSet<&'static str>,
    /// Name, left type, right type.
    pub total: HashSet<(&'static str, &'static str, &'static str)>,
    #[cfg_attr(not(test), allow(dead_code))]
    pub faults: Faults,
}

pub(super) static OPERATORS: LazyLock<Operators> = LazyLock::new(|| Operators::read(include_str!("operators.txt")));

impl Operators {
    /// Reads the file.
    pub fn read(text: &'static str) -> Self {
        let mut read = Self::default();
        for line in lines(text, &mut read.faults) {
            match line.kind_and_reason() {
                Some(("allowed", _)) => {
                    for name in line.text.split_whitespace() {
                        if !read.allowed.insert(name) {
                            read.faults.add(line.number, &format!("{name} is listed twice"));
                        }
                    }
                }
                Some(("total", _)) => {
                    if !read.add_total(line.text) {
                        read.faults.add(line.number, "not `operators : types`");
                    }
                }
                Some(_) | None => read.faults.add(line.number, "unknown kind of block"),
            }
        }
        read
    }

    /// `names : types`: each name between any two of the types.
    fn add_total(&mut self, line: &'static str) -> bool {
        let Some((names, types)) = line.split_once(" : ") else {
            return false;
        };
        for name in names.split_whitespace() {
            for left in types.split_whitespace() {
                for right in types.split_whitespace() {
                    self.total.insert((name, left, right));
                }
            }
        }
        true
    }
}

/// Extensions with pure operators.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    names: HashSet<&'static str>,
    #[cfg_attr(not(test), allow(dead_code))]
    pub faults: Faults,
}

pub(super) static EXTENSIONS: LazyLock<Extensions> = LazyLock::new(|| {
    let mut read = Extensions::default();
    for line in lines(include_str!("extensions.txt"), &mut read.faults) {
        for name in line.text.split_whitespace() {
            if !read.names.insert(name) {
                read.faults.add(line.number, &format!("{name} is listed twice"));
            }
        }
    }
    read
});

/// Whether a client may use the operators of `pg_catalog` with that name, whatever their operands.
pub fn operator_allowed(name: &str) -> bool {
    OPERATORS.allowed.contains(name)
}

/// Whether the operator of `pg_catalog` cannot raise an error between values of these types of
/// `pg_catalog` (`pg_type.typname`, such as `int4`; `anyenum` for an enum type; a domain by its base
/// type), whatever the values; provided that text operands have one collation (no COLLATE in the
/// statement, no column whose collation is not the database's default).
pub fn operator_total(name: &str, left_type_name: &str, right_type_name: &str) -> bool {
    OPERATORS.total.contains(&(name, left_type_name, right_type_name))
}

/// Whether the operators of an extension are functions of their operands and nothing else. Says
/// nothing of its functions, which rules name by signature.
pub fn trusted_extension(name: &str) -> bool {
    EXTENSIONS.names.contains(name)
}
