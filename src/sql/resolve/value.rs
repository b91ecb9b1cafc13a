//! What the resolver knows of an expression, and of the place where it stands.

use pg_query::protobuf as pb;

use crate::catalog::Oid;
use crate::pipeline::Position;
use crate::sql::grammar::Tree;

use super::scope::{Scope, Sources};

/// `bool`, `int4`, `text` of `pg_type.dat`: fixed in every server.
pub(super) const BOOL: Oid = 16;
pub(super) const INT4: Oid = 23;
pub(super) const TEXT: Oid = 25;

/// What an expression is, as far as we need to know.
#[derive(Debug, Clone, Default)]
pub(super) struct Value {
    pub sources: Sources,
    pub type_oid: Option<Oid>,
    /// A literal or parameter: takes the type of what it is compared with.
    pub constant: bool,
    /// Cannot fail and has no effect, whatever the rows hold.
    pub total: bool,
}

impl Value {
    /// A literal or parameter of no type of its own.
    pub(super) fn takes_type(&self) -> bool {
        self.constant && self.type_oid.is_none()
    }

    /// One of several values of which one is taken: where their types differ, it is cast.
    pub(super) fn join_arm(&mut self, arm: Self) {
        let alike = arm.constant || self.type_oid.is_none() || arm.type_oid == self.type_oid;
        self.total &= arm.total && alike && (arm.constant || arm.type_oid.is_some());
        self.sources.extend(arm.sources);
        if !arm.constant {
            self.type_oid = arm.type_oid;
        }
    }
    pub(super) fn constant(type_oid: Option<Oid>) -> Self {
        Self {
            type_oid,
            constant: true,
            total: true,
            ..Self::default()
        }
    }
}

/// Where a column reference stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'s> {
    pub scope: &'s Scope<'s>,
    /// `None`: in a derived table, whose columns count where they are used.
    pub position: Option<Position>,
    /// Directly an output column without a name, or inside one.
    pub returning: Returning,
}

/// How a reference stands in a list of outputs: their names must stay.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Returning {
    No,
    Inside,
    Whole,
}

impl Returning {
    /// How the value of an output column stands.
    pub(super) fn of(target: &pb::ResTarget) -> Self {
        match target.val.as_deref().map(Tree::of) {
            Some(Ok(Tree::ColumnRef(_))) if target.name.is_empty() => Self::Whole,
            _ => Self::Inside,
        }
    }
}

impl<'s> Place<'s> {
    pub fn new(scope: &'s Scope<'s>, position: Option<Position>) -> Self {
        Self {
            scope,
            position,
            returning: Returning::No,
        }
    }
    pub(super) fn inside(self) -> Self {
        let returning = match self.returning {
            Returning::No => Returning::No,
            Returning::Inside | Returning::Whole => Returning::Inside,
        };
        Self { returning, ..self }
    }
}
