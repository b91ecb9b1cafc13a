//! Names to catalog objects: which relations a statement reads and writes, which columns it uses and
//! where, which functions, operators and types it calls on.
//!
//! Follows PostgreSQL's own rules of scope (`parse_relation.c`, `parse_clause.c`, `parse_target.c`).
//! Where a name cannot be given one meaning for sure, the statement is not understood. Knows no
//! purpose and no rule; that a function is allowed is asked of the caller.

mod call;
mod column;
mod conjunct;
mod definition;
mod expr;
mod figure;
mod from;
mod group;
mod merge;
mod names;
mod parameter;
mod printer;
mod query;
mod scope;
mod table_function;
mod total;
mod value;
mod with;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Catalog, Function, Oid, QualifiedName, SearchPath};
use crate::pipeline::Position;
use crate::policy::{Code, Verb};

use super::command::Command;
use super::grammar::Unknown;
use super::parsed::ParsedStatement;
pub use from::is_system;
pub use scope::Sources;

/// A column of a stored relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BaseColumn {
    /// `pg_class.oid`
    pub relation: Oid,
    /// `pg_attribute.attnum`
    pub column: i16,
}

/// How a relation is used at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// In FROM, JOIN, USING or TABLE.
    Read,
    /// The target of a write.
    Target(Verb),
    /// COPY relation TO.
    CopyOut,
    /// LOCK.
    Lock,
}

/// A relation at one place of the text.
#[derive(Debug, Clone)]
pub struct RelationUse {
    /// Which relation.
    pub oid: Oid,
    /// Its name.
    pub name: QualifiedName,
    /// Byte offset of its name in the text (`RangeVar.location`).
    pub location: usize,
    /// The name as the grammar read it: database, schema, relation; empty where not given.
    pub written: [String; 3],
    /// `ONLY`
    pub only: bool,
    /// It has an alias in the text.
    pub aliased: bool,
    /// That alias.
    pub alias: Option<String>,
    /// TABLESAMPLE applies to it.
    pub sampled: bool,
    /// How it is used.
    pub usage: Use,
    /// WHERE conjuncts of its own query level that compare one of its columns with a constant or
    /// parameter: may be copied inside a fence.
    pub conjuncts: Vec<Conjunct>,
    /// Of a target: conjuncts that compare one of its columns with a column of another relation.
    pub joins: Vec<JoinConjunct>,
}

/// `column operator value`, total and strict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conjunct {
    /// The column's number.
    pub column: i16,
    /// The operator's name.
    pub operator: String,
    /// Byte offset of the value, one token: a constant or a parameter.
    pub value: usize,
}

/// `column operator other`, total and strict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinConjunct {
    /// The column's number.
    pub column: i16,
    /// The operator's name, the column on its left.
    pub operator: String,
    /// Byte offset of the other column's reference.
    pub other: usize,
    /// How many dotted parts that has.
    pub parts: usize,
}

/// A reference to a column of a write's target, to be replaced by its released form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetReference {
    /// Of which target: its place among the relations.
    pub target: usize,
    /// `ColumnRef.location`
    pub location: usize,
    /// How many dotted parts it has in the text.
    pub parts: usize,
    /// The column.
    pub column: i16,
    /// The name it must keep, where it stands in RETURNING.
    pub output_name: Option<String>,
    /// It is the whole of an output column without a name.
    pub whole: bool,
    /// Names that hide the target's where the reference stands.
    pub nearer: Vec<String>,
}

/// `RETURNING *` or `target.*` of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetStar {
    /// Of which target: its place among the relations.
    pub target: usize,
    /// `ColumnRef.location`
    pub location: usize,
    /// How many dotted parts it has in the text, the star included.
    pub parts: usize,
    /// What it gives the columns of, in order: the target (none), and other relations by name.
    pub items: Vec<Option<String>>,
    /// Columns of others are merged, or have no name to ask for.
    pub joined: bool,
}

/// `schema.table.column` (or longer): its first parts go where the table becomes a sub-select.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongReference {
    /// `ColumnRef.location`
    pub location: usize,
    /// How many leading parts to drop.
    pub drop: usize,
    /// The relation it refers to.
    pub relation: Oid,
}

/// Columns that a grouped primary key carries: to be named in GROUP BY where the table becomes a
/// sub-select.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupAddition {
    /// Byte offset of an element of GROUP BY, before which they go.
    pub location: usize,
    /// The table.
    pub relation: Oid,
    /// Its primary key.
    pub key: Vec<i16>,
    /// The names by which the query knows table and column.
    pub columns: Vec<(String, String)>,
}

/// A call that prints the text of a definition, to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printer {
    /// `FuncCall.location`
    pub location: usize,
    /// How many dotted parts its name has in the text.
    pub parts: usize,
    /// What it prints.
    pub kind: PrinterKind,
    /// The second argument, where there is one.
    pub pretty: Option<bool>,
}

/// What a function prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrinterKind {
    /// A view's query.
    View,
    /// A rule, a function's body, a partition's bound.
    Other,
}

/// A name of a function or type to print with its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qualification {
    /// Byte offset of the name.
    pub location: usize,
    /// The schema.
    pub schema: String,
    /// A function or a type.
    pub kind: QualifiedKind,
}

/// What is qualified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QualifiedKind {
    /// `FuncCall`
    Function,
    /// `TypeName`
    Type,
}

/// An assignment of a write: column and what flows into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Of which target: its place among the relations.
    pub target: usize,
    /// The target's column.
    pub column: i16,
    /// Stored columns whose values may flow into it.
    pub sources: Sources,
    /// It is set by UPDATE (or DO UPDATE), rather than inserted.
    pub update: bool,
}

/// A relation that the statement makes of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Its name; in schema `pg_temp` where it is temporary.
    pub name: QualifiedName,
    /// It is the session's own, and ends with it.
    pub temporary: bool,
    /// Its columns.
    pub columns: Vec<OutputColumn>,
    /// Byte offset of its name.
    pub location: usize,
    /// The name as the grammar read it: database, schema, relation; empty where not given.
    pub written: [String; 3],
}

/// A relation that the statement writes to, at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its place among the relations.
    pub relation: usize,
    /// The kind of write.
    pub write: WriteKind,
    /// What it may do to rows.
    pub verbs: Vec<Verb>,
    /// ON CONFLICT: which keys tell of a conflict.
    pub conflict: Option<Arbiter>,
}

/// The kinds of write, as they differ in where their condition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
    /// INSERT, COPY FROM: looks at no stored row but by ON CONFLICT.
    Insert,
    /// UPDATE, DELETE: WHERE.
    Where,
    /// MERGE: ON, and what its WHEN clauses ask besides.
    Merge {
        /// WHEN NOT MATCHED BY SOURCE: meets rows that no condition of ON has met.
        by_source: bool,
    },
}

/// What ON CONFLICT names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arbiter {
    /// Columns of a key.
    Columns(Vec<i16>),
    /// A key by its name.
    Constraint(String),
    /// Any key.
    Any,
    /// Expressions, or a condition.
    Expression,
}

/// What a statement is, with all names resolved.
#[derive(Debug, Clone, Default)]
pub struct Resolved {
    /// Relations, in the order in which they were met.
    pub relations: Vec<RelationUse>,
    /// Columns used, with their position.
    pub columns: BTreeSet<(BaseColumn, Position)>,
    /// Columns that are met at all, at any place.
    pub touched: BTreeSet<BaseColumn>,
    /// Columns that the text names (not through a star, a whole row or a view).
    pub named: BTreeSet<BaseColumn>,
    /// Columns whose values may reach the result.
    pub outputs: Vec<OutputColumn>,
    /// References to be replaced in writes.
    pub target_references: Vec<TargetReference>,
    /// Stars to be spelled out in writes.
    pub target_stars: Vec<TargetStar>,
    /// References to shorten.
    pub long_references: Vec<LongReference>,
    /// Columns to add to GROUP BY.
    pub group_additions: Vec<GroupAddition>,
    /// Names to qualify.
    pub qualifications: Vec<Qualification>,
    /// Calls that print definitions.
    pub printers: Vec<Printer>,
    /// Names of operators without a schema: the search_path says what they mean.
    pub operators: BTreeSet<String>,
    /// System columns used: relation, name, byte offset.
    pub system_columns: Vec<(Oid, String, usize)>,
    /// What is written to.
    pub targets: Vec<Target>,
    /// The relation that the statement makes of its rows.
    pub created: Option<Created>,
    /// What flows to where no rule is: into a sequence, or to whoever listens.
    pub outflows: Sources,
    /// What writes store.
    pub assignments: Vec<Assignment>,
    /// WHERE CURRENT OF.
    pub current_of: bool,
    /// An expression that may run before a row filter could fail, or its effect be seen.
    pub partial: bool,
    /// Views read through, by oid.
    pub views: BTreeMap<Oid, ViewUse>,
    /// Parameters that name the setting which is read.
    pub setting_names: BTreeSet<u16>,
    /// The types that PREPARE gives its parameters.
    pub parameter_types: Vec<Oid>,
    /// TABLE commands: byte offset of the relation's name.
    pub table_commands: Vec<usize>,
}

/// A view that was read through.
#[derive(Debug, Clone)]
pub struct ViewUse {
    /// Its definition, fully qualified.
    pub text: String,
    /// Its definition, resolved.
    pub resolved: Box<Resolved>,
    /// Its columns' names, as the catalog has them.
    pub columns: Vec<String>,
    /// `security_barrier`
    pub barrier: bool,
}

/// A column of a query's result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputColumn {
    /// Its name.
    pub name: String,
    /// Stored columns whose values may flow into it.
    pub sources: Sources,
    /// Its type, where it is known.
    pub type_oid: Option<Oid>,
}

/// Why a statement could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The reason's code.
    pub code: Code,
    /// PostgreSQL's SQLSTATE where it would fail there too, else 42501.
    pub sqlstate: &'static str,
    /// What happened.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Byte offset.
    pub position: Option<usize>,
    /// Something is not in the catalog.
    pub stale_catalog: bool,
    /// No rule speaks of it.
    pub gap: bool,
}

impl Problem {
    /// A refusal of ours.
    pub fn refuse(code: Code, message: impl Into<String>, position: Option<usize>) -> Self {
        let message = message.into();
        Self {
            code,
            sqlstate: "42501",
            message,
            hint: None,
            position,
            stale_catalog: false,
            gap: false,
        }
    }

    /// What PostgreSQL itself would say.
    pub fn postgres(sqlstate: &'static str, message: impl Into<String>, position: Option<usize>) -> Self {
        Self {
            code: Code::NotUnderstood,
            sqlstate,
            message: message.into(),
            hint: None,
            position,
            stale_catalog: true,
            gap: false,
        }
    }

    /// With a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What no rule speaks of.
    pub fn gap(mut self) -> Self {
        self.gap = true;
        self
    }
}

impl From<Unknown> for Problem {
    fn from(unknown: Unknown) -> Self {
        Self::refuse(Code::NotUnderstood, format!("{} is not understood", unknown.0), None)
    }
}

pub(crate) type Result<T> = std::result::Result<T, Problem>;

/// What names are resolved against.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// What exists.
    pub catalog: &'a Catalog,
    /// Where unqualified names are searched.
    pub search_path: &'a SearchPath,
    /// Whether the rules allow a function that is not built in.
    pub allowed: &'a dyn Fn(&Function) -> bool,
    /// Whether the rules protect nothing in the database.
    pub bare: bool,
    /// The types that the Parse message gives its parameters; 0 where it gives none.
    pub parameters: &'a [Oid],
}

/// Resolves one statement.
///
/// # Errors
/// What does not exist, is not allowed for anybody, or cannot be given one meaning.
pub fn resolve(statement: &ParsedStatement, env: Env<'_>) -> Result<Resolved> {
    let mut resolver = Resolver {
        env,
        out: Resolved::default(),
        depth: 0,
        view_depth: 0,
        steps: 0,
        met: group::Met::new(),
        into_allowed: false,
        sets: matches!(statement.command, Command::SetConfig(_)),
        parameters: parameter::Parameters::of(&statement.node, env.parameters)?,
    };
    resolver.statement(&statement.node)?;
    resolver.sets_alone()?;
    Ok(resolver.out)
}

/// One run over one statement.
struct Resolver<'a> {
    env: Env<'a>,
    out: Resolved,
    /// Query levels above the one at hand.
    depth: usize,
    /// Views above the one at hand: bounds recursion.
    view_depth: usize,
    /// Queries looked at so far: bounds work.
    steps: usize,
    /// Columns met outside aggregates, at the level at hand and above.
    met: group::Met,
    /// SELECT INTO may stand at the level at hand.
    into_allowed: bool,
    /// The session follows the settings that the statement's outputs set. In any other statement a set_config would
    /// change the server's settings and not the proxy's.
    sets: bool,
    /// The statement's parameters.
    parameters: parameter::Parameters,
}
