//! Prepared statements and portals as the session knows them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use uuid::Uuid;

use crate::audit::SubjectHash;
use crate::pipeline::{Plan, PlannedStatement};
use crate::sql::Command;

use super::kept::{LastForm, Stamp};
use super::planning::Inner;
use super::request::{Ground, Request};
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
    pub search_path: Arc<[String]>,
    /// Our names for the same statement under other purposes.
    pub variants: Mutex<Vec<Variant>>,
    /// How it was bound last.
    pub last: Mutex<Option<LastForm>>,
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
        let variants = held(&self.variants);
        variants.iter().find(|v| v.outgoing == outgoing).map(|v| v.name.clone())
    }

    /// Remembers a name of ours.
    pub fn add_variant(&self, outgoing: &str, name: String) {
        let mut variants = held(&self.variants);
        variants.push(Variant {
            outgoing: outgoing.to_owned(),
            name,
        });
    }

    /// What it was when it was bound last, if it would come out the same.
    pub fn as_before(&self, stamp: Stamp, request: &Request<'_>) -> Option<(Planned, String)> {
        let last = held(&self.last);
        let form = last.as_ref().filter(|form| form.holds(stamp, request))?;
        Some((form.planned.clone(), form.upstream_name.clone()))
    }

    /// Remembers how it was bound.
    pub fn remember(&self, form: LastForm) {
        *held(&self.last) = Some(form);
    }

    /// Forgets a name of ours, which PostgreSQL did not take.
    pub fn drop_variant(&self, name: &str) {
        held(&self.last).take();
        let mut variants = held(&self.variants);
        variants.retain(|v| v.name != name);
    }

    /// Forgets all names of ours, which PostgreSQL has dropped.
    pub fn drop_variants(&self) {
        held(&self.last).take();
        held(&self.variants).clear();
    }

    /// All our names.
    pub fn variant_names(&self) -> Vec<String> {
        let variants = held(&self.variants);
        variants.iter().map(|v| v.name.clone()).collect()
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
