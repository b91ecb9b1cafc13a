//! What exists in one upstream database, as data: relations, columns, types, functions, operators,
//! inheritance. Loaded by `upstream::loader`, read by everything in the core.
//!
//! Knows no SQL text, no purpose and no connection. Names are exact (already folded and cut to 63
//! bytes by whoever asks).

mod base;
pub mod lists;
pub mod privileges;
mod search_path;

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use base::base;
pub use search_path::SearchPath;

/// PostgreSQL's object identifier.
pub type Oid = u32;

/// A schema-qualified name, exact.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct QualifiedName {
    /// Schema, for example `public`.
    pub schema: String,
    /// Name within the schema.
    pub name: String,
}

impl QualifiedName {
    /// Joins schema and name.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
            name: name.into(),
        }
    }
}

impl std::fmt::Display for QualifiedName {
    /// `schema.name`, unquoted: for messages and the audit, never for SQL.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// `pg_class.relkind`, as far as a statement can name such a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RelationKind {
    /// `r`
    Table,
    /// `p`
    PartitionedTable,
    /// `v`
    View,
    /// `m`
    MaterializedView,
    /// `f`
    ForeignTable,
    /// `S`
    Sequence,
    /// `c`: the type of a CREATE TYPE … AS (…); cannot stand in FROM.
    CompositeType,
    /// `i`, `I`, `t`: cannot be read by a statement.
    Other,
}

/// A column of a relation, dropped ones left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// `pg_attribute.attnum`, from 1; has holes where columns were dropped.
    pub number: i16,
    /// Exact name.
    pub name: String,
    /// `pg_attribute.atttypid`
    pub type_oid: Oid,
    /// `format_type(atttypid, atttypmod)` under an empty search_path: schema-qualified unless in
    /// `pg_catalog`, ready to stand in SQL, for example `character varying(40)`.
    pub type_sql: String,
    /// `pg_attribute.attnotnull`
    pub not_null: bool,
    /// `pg_attribute.attgenerated` is set.
    pub generated: bool,
}

/// A row of `pg_class` that a statement can name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relation {
    /// `pg_class.oid`
    pub oid: Oid,
    /// Schema and name.
    pub name: QualifiedName,
    /// What it is.
    pub kind: RelationKind,
    /// In order of `attnum`.
    pub columns: Vec<Column>,
    /// `pg_inherits`: direct parents (partitioned table or inheritance parent); of a sequence, the table whose
    /// column owns it.
    pub parents: Vec<Oid>,
    /// `pg_get_viewdef(oid)` under an empty search_path: fully qualified, without trailing `;`.
    pub definition: Option<String>,
    /// The view has `security_barrier`.
    pub security_barrier: bool,
    /// Column numbers of the primary key, empty if none.
    pub primary_key: Vec<i16>,
    /// Its unique indexes and exclusion constraints, the primary key among them.
    #[serde(default)]
    pub unique_keys: Vec<UniqueKey>,
    /// It is a table with rules of its own, which turn writes into other statements.
    #[serde(default)]
    pub has_rules: bool,
    /// The extension it belongs to, if any.
    pub extension: Option<String>,
}

/// A unique index or exclusion constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UniqueKey {
    /// Of the index, and of the constraint that it serves.
    pub name: String,
    /// Numbers of its columns.
    pub columns: Vec<i16>,
    /// It has neither expressions nor a condition.
    pub plain: bool,
}

impl Relation {
    /// The column of that exact name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// `pg_type.typtype`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TypeKind {
    /// `b`
    Base,
    /// `c`, with `pg_type.typrelid`
    Composite(Oid),
    /// `d`, with `pg_type.typbasetype`
    Domain(Oid),
    /// `e`
    Enum,
    /// `p`
    Pseudo,
    /// `r`
    Range,
    /// `m`
    Multirange,
}

/// A row of `pg_type`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Type {
    /// `pg_type.oid`
    pub oid: Oid,
    /// Schema and name (`pg_catalog.int4`).
    pub name: QualifiedName,
    /// What kind of type.
    pub kind: TypeKind,
    /// `pg_type.typcategory`
    pub category: char,
    /// `pg_type.typelem`, 0 if none.
    pub element: Oid,
    /// The extension it belongs to, if any.
    pub extension: Option<String>,
}

/// What a call gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FunctionResult {
    /// One value of this type (a composite type's columns are those of its relation).
    Type(Oid),
    /// OUT, INOUT or TABLE parameters, name and type.
    Columns(Vec<(String, Oid)>),
}

/// A row of `pg_proc`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// `pg_proc.oid`
    pub oid: Oid,
    /// Schema and name.
    pub name: QualifiedName,
    /// Input parameter types (`proargtypes`).
    pub arguments: Vec<Oid>,
    /// How many of the last input parameters have defaults.
    pub defaults: usize,
    /// The last parameter is VARIADIC.
    pub variadic: bool,
    /// What a call gives.
    pub result: FunctionResult,
    /// `pg_proc.proretset`
    pub returns_set: bool,
    /// `pg_proc.prokind`: `f`, `p`, `a` or `w`.
    pub kind: char,
    /// `name(type, type)`, schema-qualified, as `regprocedure` prints it under an empty
    /// search_path: the signature by which `functions: {allow: […]}` names it.
    pub signature: String,
    /// The extension it belongs to, if any.
    pub extension: Option<String>,
}

/// A row of `pg_operator`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// Schema and name (`pg_catalog.||`).
    pub name: QualifiedName,
    /// Left operand type, 0 for a prefix operator.
    pub left: Oid,
    /// Right operand type.
    pub right: Oid,
    /// `oprcode`'s oid.
    pub function: Oid,
    /// The extension it belongs to, if any.
    pub extension: Option<String>,
}

/// Everything that exists in one database, at one moment, as one role's connection saw it.
///
/// Temporary schemas of other sessions are left out. Swapped in whole, never changed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Catalog {
    /// Which database.
    pub database: String,
    /// `server_version_num`
    pub server_version: u32,
    /// All relations, in no order that matters.
    pub relations: Vec<Arc<Relation>>,
    /// All types.
    pub types: Vec<Type>,
    /// All functions, procedures, aggregates.
    pub functions: Vec<Function>,
    /// All operators.
    pub operators: Vec<Operator>,
    /// Schemas that exist (temporary ones of this session under their real name).
    pub schemas: Vec<String>,
    /// Functions that triggers call, PostgreSQL's own aside.
    #[serde(default)]
    pub trigger_functions: Vec<Oid>,
    /// `pg_my_temp_schema()`'s name, if this session has one.
    pub temp_schema: Option<String>,
    /// Who holds what; only where it was asked for (by `check` and `catalog`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privileges: Option<privileges::Privileges>,
    #[serde(skip)]
    index: Index,
}

#[derive(Debug, Clone, Default)]
struct Index {
    relation_by_name: HashMap<QualifiedName, usize>,
    relation_by_oid: HashMap<Oid, usize>,
    type_by_oid: HashMap<Oid, usize>,
    type_by_name: HashMap<QualifiedName, usize>,
    functions_by_name: HashMap<String, Vec<usize>>,
    operators_by_name: HashMap<String, Vec<usize>>,
    /// Names of schemas, relations, columns, types and functions: what a statement may show in the audit.
    names: std::collections::HashSet<String>,
}

impl Catalog {
    /// Builds the look-up tables; call once after filling or deserialising the lists.
    pub fn indexed(mut self) -> Self {
        let mut index = Index::default();
        for (i, r) in self.relations.iter().enumerate() {
            index.relation_by_name.insert(r.name.clone(), i);
            index.relation_by_oid.insert(r.oid, i);
        }
        for (i, t) in self.types.iter().enumerate() {
            index.type_by_oid.insert(t.oid, i);
            index.type_by_name.insert(t.name.clone(), i);
        }
        for (i, f) in self.functions.iter().enumerate() {
            index.functions_by_name.entry(f.name.name.clone()).or_default().push(i);
        }
        for (i, o) in self.operators.iter().enumerate() {
            index.operators_by_name.entry(o.name.name.clone()).or_default().push(i);
        }
        index.names.extend(self.schemas.iter().cloned());
        // What a session named for itself alone is its client's words.
        let lasts = |name: &QualifiedName| self.temp_schema.as_ref() != Some(&name.schema);
        for relation in self.relations.iter().filter(|r| lasts(&r.name)) {
            index.names.insert(relation.name.name.clone());
            index.names.extend(relation.columns.iter().map(|c| c.name.clone()));
        }
        let types = self.types.iter().map(|t| &t.name);
        let functions = self.functions.iter().map(|f| &f.name);
        let named = types.chain(functions).filter(|name| lasts(name));
        index.names.extend(named.map(|name| name.name.clone()));
        self.index = index;
        self
    }

    /// The relation of that exact schema and name.
    pub fn relation(&self, name: &QualifiedName) -> Option<&Arc<Relation>> {
        self.index
            .relation_by_name
            .get(name)
            .and_then(|&i| self.relations.get(i))
    }

    /// The relation of that oid.
    pub fn relation_by_oid(&self, oid: Oid) -> Option<&Arc<Relation>> {
        self.index
            .relation_by_oid
            .get(&oid)
            .and_then(|&i| self.relations.get(i))
    }

    /// The type of that oid.
    pub fn type_by_oid(&self, oid: Oid) -> Option<&Type> {
        self.index.type_by_oid.get(&oid).and_then(|&i| self.types.get(i))
    }

    /// The type of that exact schema and name.
    pub fn type_by_name(&self, name: &QualifiedName) -> Option<&Type> {
        self.index.type_by_name.get(name).and_then(|&i| self.types.get(i))
    }

    /// All functions of that name, whatever their schema.
    pub fn functions_named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Function> + use<'a> {
        let found = self
            .index
            .functions_by_name
            .get(name)
            .map(Vec::as_slice)
            .unwrap_or_default();
        found.iter().filter_map(|&i| self.functions.get(i))
    }

    /// All operators of that name, whatever their schema.
    pub fn operators_named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Operator> + use<'a> {
        let found = self
            .index
            .operators_by_name
            .get(name)
            .map(Vec::as_slice)
            .unwrap_or_default();
        found.iter().filter_map(|&i| self.operators.get(i))
    }

    /// Whether something in the catalog that others see as well has that name.
    pub fn knows(&self, name: &str) -> bool {
        self.index.names.contains(name)
    }

    /// The function of that oid.
    pub fn function_by_oid(&self, oid: Oid) -> Option<&Function> {
        self.functions.iter().find(|f| f.oid == oid)
    }
}
