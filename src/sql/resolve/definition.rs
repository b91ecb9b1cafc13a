//! Statements that are neither queries nor writes and yet name relations: those that make a relation of a
//! query's rows, LOCK, and LISTEN.

use pg_query::protobuf as pb;

use crate::catalog::QualifiedName;
use crate::pipeline::Position;
use crate::policy::Code;
use crate::sql::grammar::Tree;

use super::query::rename;
use super::scope::Scope;
use super::{Created, Problem, Resolver, Result, Use};

/// `RELPERSISTENCE_TEMP`, pg_class.h
const TEMPORARY: &str = "t";

impl Resolver<'_> {
    /// CREATE TABLE AS, CREATE MATERIALIZED VIEW.
    pub(super) fn create_as(&mut self, create: &pb::CreateTableAsStmt) -> Result<()> {
        let Some(into) = &create.into else {
            return Err(not_understood());
        };
        if let Some(Ok(Tree::ExecuteStmt(_))) = create.query.as_deref().map(Tree::of) {
            let message = "a table cannot be made of EXECUTE";
            return Err(Problem::refuse(Code::StatementNotAllowed, message, None).hint("write the query itself"));
        }
        self.carried(create.query.as_deref())?;
        self.created(into)
    }

    /// SELECT INTO.
    pub(super) fn select_into(&mut self, into: &pb::IntoClause, select: &pb::SelectStmt) -> Result<()> {
        self.depth += 1;
        self.into_allowed = true;
        let columns = self.select(select, &Scope::default(), Some(Position::Output));
        self.into_allowed = false;
        self.depth -= 1;
        self.out.outputs = columns?;
        self.created(into)
    }

    /// The new relation, by the name and in the schema that it will have.
    fn created(&mut self, into: &pb::IntoClause) -> Result<()> {
        let Some(range) = &into.rel else {
            return Err(not_understood());
        };
        let Ok(location) = usize::try_from(range.location) else {
            return Err(not_understood());
        };
        let database = &self.env.catalog.database;
        if !range.catalogname.is_empty() && range.catalogname != *database {
            let message = "cross-database references are not implemented";
            return Err(Problem::postgres("0A000", message, Some(location)));
        }
        let temporary = range.relpersistence == TEMPORARY || range.schemaname == "pg_temp";
        let schema = if temporary {
            "pg_temp".to_owned()
        } else if range.schemaname.is_empty() {
            let none = || Problem::postgres("3F000", "no schema has been selected to create in", Some(location));
            self.env.search_path.creation_schema().ok_or_else(none)?.to_owned()
        } else {
            range.schemaname.clone()
        };
        let mut columns = self.out.outputs.clone();
        rename(&mut columns, &into.col_names);
        self.out.created = Some(Created {
            name: QualifiedName::new(schema, &range.relname),
            temporary,
            columns,
            location,
            written: [
                range.catalogname.clone(),
                range.schemaname.clone(),
                range.relname.clone(),
            ],
        });
        Ok(())
    }

    /// LOCK shows nothing of a relation.
    pub(super) fn lock(&mut self, lock: &pb::LockStmt) -> Result<()> {
        for node in &lock.relations {
            let Tree::RangeVar(range) = Tree::of(node)? else {
                return Err(Problem::refuse(
                    Code::NotUnderstood,
                    "this LOCK is not understood",
                    None,
                ));
            };
            let relation = self.relation(range)?;
            self.note_relation(&relation, range, Use::Lock, false)?;
        }
        Ok(())
    }

    /// LISTEN hears what triggers say, and nobody looks at that: each must be known to say nothing.
    pub(super) fn listen(&mut self) -> Result<()> {
        let catalog = self.env.catalog;
        for oid in &catalog.trigger_functions {
            let function = catalog.function_by_oid(*oid);
            let harmless = function.is_some_and(|f| f.name.schema == "pg_catalog" || (self.env.allowed)(f));
            if !harmless {
                let signature = function.map_or_else(|| "a function".to_owned(), |f| f.signature.clone());
                let message = format!("LISTEN would hear what triggers send by {signature}");
                let hint = format!(
                    "if it sends nothing that is not released, add to the rules: functions: {{allow: [\"{signature}\"]}}"
                );
                return Err(Problem::refuse(Code::StatementNotAllowed, message, None)
                    .hint(hint)
                    .gap());
            }
        }
        Ok(())
    }
}

fn not_understood() -> Problem {
    Problem::refuse(Code::NotUnderstood, "this CREATE is not understood", None)
}
