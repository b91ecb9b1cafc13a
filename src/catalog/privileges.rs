//! Who holds which privilege on what, as PostgreSQL would say: roles, their memberships, grants.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Oid;

/// A privilege that statements of clients need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Privilege {
    /// Of a schema.
    Usage,
    /// Of a relation or a column.
    Select,
}

/// On what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum On {
    /// A schema.
    Schema(String),
    /// A whole relation.
    Relation(Oid),
    /// One column, by its number.
    Column(Oid, i16),
}

/// One entry of an access control list (`aclitem`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The role; `None`: PUBLIC.
    pub to: Option<String>,
    /// What it may do.
    pub privilege: Privilege,
    /// With what.
    pub on: On,
}

/// A row of `pg_roles`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseRole {
    /// `rolsuper`
    pub superuser: bool,
    /// `rolcanlogin`
    pub login: bool,
    /// Roles whose privileges it has without SET ROLE, direct ones.
    pub member_of: Vec<String>,
}

/// All roles, and the grants on what is not PostgreSQL's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Privileges {
    /// By name.
    pub roles: BTreeMap<String, DatabaseRole>,
    /// In no order that matters. Owners stand in them too.
    pub grants: Vec<Grant>,
}

impl Privileges {
    /// What a role may do; `None`: there is no such role.
    pub fn of(&self, role: &str) -> Option<Held<'_>> {
        let mut names = BTreeSet::new();
        let mut to_visit = vec![role];
        let mut superuser = self.roles.get(role)?.superuser;
        while let Some(name) = to_visit.pop() {
            if let (true, Some(found)) = (names.insert(name.to_owned()), self.roles.get(name)) {
                superuser |= found.superuser && name == role;
                to_visit.extend(found.member_of.iter().map(String::as_str));
            }
        }
        // What the predefined role holds stands in no access control list.
        let reads_all = superuser || names.contains("pg_read_all_data");
        let holds = |grant: &&Grant| grant.to.as_ref().is_none_or(|to| names.contains(to));
        Some(Held {
            reads_all,
            superuser,
            grants: self.grants.iter().filter(holds).collect(),
        })
    }
}

/// The privileges of one role.
#[derive(Debug, Clone)]
pub struct Held<'p> {
    reads_all: bool,
    superuser: bool,
    grants: Vec<&'p Grant>,
}

impl Held<'_> {
    /// The role is a superuser.
    pub fn is_superuser(&self) -> bool {
        self.superuser
    }

    /// Names in the schema can be used.
    pub fn may_use_schema(&self, schema: &str) -> bool {
        let on = |on: &On| matches!(on, On::Schema(name) if name == schema);
        self.reads_all || self.grants.iter().any(|g| g.privilege == Privilege::Usage && on(&g.on))
    }

    /// SELECT on the whole relation or on that column.
    pub fn may_select(&self, relation: Oid, column: i16) -> bool {
        let on = |on: &On| match on {
            On::Relation(oid) => *oid == relation,
            On::Column(oid, number) => *oid == relation && *number == column,
            On::Schema(_) => false,
        };
        self.reads_all
            || self
                .grants
                .iter()
                .any(|g| g.privilege == Privilege::Select && on(&g.on))
    }

    /// SELECT on the whole relation or on some column of it.
    pub fn may_select_some(&self, relation: Oid) -> bool {
        let on = |on: &On| matches!(on, On::Relation(oid) | On::Column(oid, _) if *oid == relation);
        self.reads_all
            || self
                .grants
                .iter()
                .any(|g| g.privilege == Privilege::Select && on(&g.on))
    }
}
