//! Prepared statements and portals as the session knows them.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use uuid::Uuid;

use crate::audit::SubjectHash;
use crate::pipeline::{Plan, PlannedStatement};
use crate::sql::Command;

use super::planning::Inner;
use super::request::Ground;
use super::text::Text;

/// One statement of a plan.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The plan of the message it stands in.
    pub plan: Arc<Plan>,
    /// Which of its statements.
    pub index: usize,
}

impl Planned {
    /// The statement; none only for an empty query.
    pub fn statement(&self) -> Option<&PlannedStatement> {
        self.plan.statements.get(self.index)
    }

    /// What it does to the session.
    pub fn command(&self) -> Option<&Command> {
        self.statement().map(|s| &s.command)
    }

    /// The text as PostgreSQL gets it.
    pub fn outgoing(&self) -> &str {
        self.plan.verified.text()
    }
}

/// How a statement was prepared.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A Parse message, with its parameter types: it can be prepared again under another name.
    Parse(Vec<u32>),
    /// SQL PREPARE of this statement: under another name it is prepared by a Parse message.
    Sql(Option<Carried>),
}

/// The statement that a PREPARE carries.
#[derive(Debug, Clone)]
pub struct Carried {
    /// Its text.
    pub text: Text,
    /// Types of its parameters.
    pub types: Vec<u32>,
}

/// A prepared statement under its client's name.
#[derive(Debug)]
pub struct Prepared {
    /// The client's text.
    pub text: Text,
    /// How it was prepared.
    pub origin: Origin,
    /// As PostgreSQL knows it under the client's name.
    pub base: Planned,
    /// The declaration it was planned under.
    pub ground: Ground,
    /// The rules and the catalog it was planned under.
    pub versions: (u64, u64),
    /// The entries of search_path it was planned under.
    pub search_path: Vec<String>,
    /// Our names for the same statement under other purposes.
    pub variants: std::sync::Mutex<Vec<Variant>>,
}

/// A statement that we prepared under a name of our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// The text as PostgreSQL got it.
    pub outgoing: String,
    /// Our name.
    pub name: String,
}

impl Prepared {
    /// The types of its parameters, as its Parse message gave them.
    pub fn parameters(&self) -> &[u32] {
        match &self.origin {
            Origin::Parse(types) => types,
            Origin::Sql(_) => &[],
        }
    }

    /// Our name for that outgoing text, if there is one.
    pub fn variant(&self, outgoing: &str) -> Option<String> {
        let variants = self.variants.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        variants.iter().find(|v| v.outgoing == outgoing).map(|v| v.name.clone())
    }

    /// Remembers a name of ours.
    pub fn add_variant(&self, outgoing: &str, name: String) {
        let mut variants = self.variants.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        variants.push(Variant {
            outgoing: outgoing.to_owned(),
            name,
        });
    }

    /// Forgets a name of ours, which PostgreSQL did not take.
    pub fn drop_variant(&self, name: &str) {
        let mut variants = self.variants.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        variants.retain(|v| v.name != name);
    }

    /// All our names.
    pub fn variant_names(&self) -> Vec<String> {
        let variants = self.variants.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        variants.iter().map(|v| v.name.clone()).collect()
    }
}

/// An open portal or cursor.
#[derive(Debug)]
pub struct Portal {
    /// The client's text, for positions.
    pub text: Text,
    /// What it runs.
    pub planned: Planned,
    /// Whose rows that gives.
    pub inner: Inner,
    /// The declaration it was opened under; it is read under the same.
    pub ground: Ground,
    /// The rules it was planned under.
    pub rules: u64,
    /// Outlives its transaction.
    pub hold: bool,
    /// Texts of the parameters that set_config reads.
    pub parameters: Vec<Option<String>>,
    /// Data subjects that it names.
    pub subjects: Vec<SubjectHash>,
    /// The event of its first execution, which later ones point to.
    pub opened: OnceLock<Uuid>,
    /// Rows that were forwarded of it, over all fetches.
    pub rows: AtomicU64,
    /// What it does to settings has been counted.
    applied: AtomicBool,
}

impl Portal {
    /// A portal that has not run.
    pub fn new(text: Text, planned: Planned, ground: Ground, rules: u64) -> Self {
        Self {
            text,
            planned,
            inner: Inner::Itself,
            ground,
            rules,
            hold: false,
            parameters: Vec::new(),
            subjects: Vec::new(),
            opened: OnceLock::new(),
            rows: AtomicU64::new(0),
            applied: AtomicBool::new(false),
        }
    }

    /// The text of the n-th parameter, from 1.
    pub fn parameter(&self, n: u16) -> Option<String> {
        let index = usize::from(n).checked_sub(1)?;
        self.parameters.get(index).cloned().flatten()
    }

    /// Whether this is the first time that its effect shows.
    pub fn first_effect(&self) -> bool {
        !self.applied.swap(true, Ordering::Relaxed)
    }
}
