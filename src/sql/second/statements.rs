//! Statements: which kinds are read, and what they hold.
//!
//! Every structure is taken apart field by field, so that a field that a later sqlparser adds does not
//! compile until it is walked.

use sqlparser::ast::{
    CopySource, Declare, DeclareType, Lock, LockTableTarget, Statement, Truncate, TruncateTableTarget,
};

use super::{Walk, Walked, require};

impl Walk {
    pub(super) fn statement(&mut self, statement: &Statement) -> Walked {
        match statement {
            Statement::Query(query) => self.query(query),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            Statement::Merge(merge) => self.merge(merge),
            Statement::Copy {
                source,
                to: _,
                target: _,
                options: _,
                legacy_options: _,
                payload,
            } => {
                require(payload.is_none(), "COPY with its data")?;
                match source {
                    CopySource::Table { table_name, columns: _ } => self.relation(table_name),
                    CopySource::Query(query) => self.query(query),
                }
            }
            Statement::Explain {
                describe_alias: _,
                analyze: _,
                verbose: _,
                query_plan,
                estimate,
                statement,
                format: _,
                options,
            } => {
                require(!query_plan && !estimate, "EXPLAIN of another dialect")?;
                self.exprs(options.iter().flatten().filter_map(|option| option.arg.as_ref()))?;
                self.statement(statement)
            }
            Statement::Prepare {
                name: _,
                data_types: _,
                statement,
            } => self.statement(statement),
            Statement::Declare { stmts, separator: _ } => self.each(stmts, Self::declare),
            Statement::Execute {
                name: _,
                parameters,
                has_parentheses: _,
                immediate,
                into,
                using,
                output,
                default,
            } => {
                require(
                    !immediate && into.is_empty() && using.is_empty(),
                    "EXECUTE IMMEDIATE, INTO or USING",
                )?;
                require(!output && !default, "EXECUTE of another dialect")?;
                self.exprs(parameters)
            }
            Statement::Call(function) => self.function(function),
            Statement::Truncate(truncate) => self.truncate(truncate),
            Statement::Lock(Lock {
                tables,
                lock_mode: _,
                nowait: _,
            }) => self.each(
                tables,
                |walk,
                 LockTableTarget {
                     name,
                     only: _,
                     has_asterisk: _,
                 }| walk.relation(name),
            ),
            Statement::StartTransaction {
                modes: _,
                begin: _,
                transaction: _,
                modifier: _,
                statements,
                exception,
                has_end_keyword,
            } => require(
                statements.is_empty() && exception.is_none() && !has_end_keyword,
                "a block of statements",
            ),
            Statement::Fetch {
                name: _,
                direction: _,
                position: _,
                into,
            } => require(into.is_none(), "FETCH INTO"),
            // Where PostgreSQL has these, no relation can be named in them.
            Statement::Set(_)
            | Statement::ShowVariable { .. }
            | Statement::Reset(_)
            | Statement::Commit { .. }
            | Statement::Rollback { .. }
            | Statement::Savepoint { .. }
            | Statement::ReleaseSavepoint { .. }
            | Statement::Discard { .. }
            | Statement::Deallocate { .. }
            | Statement::Close { .. }
            | Statement::LISTEN { .. }
            | Statement::UNLISTEN { .. }
            | Statement::NOTIFY { .. } => Ok(()),
            // Definitions, and what tends a table: not a query's business.
            Statement::Analyze(_)
            | Statement::Vacuum(_)
            | Statement::RefreshMaterializedView(_)
            | Statement::Comment { .. }
            | Statement::CreateView(_)
            | Statement::CreateTable(_)
            | Statement::CreateIndex(_)
            | Statement::CreateRole(_)
            | Statement::CreateServer(_)
            | Statement::CreateForeignTable(_)
            | Statement::CreateForeignDataWrapper(_)
            | Statement::CreateUserMapping(_)
            | Statement::CreatePolicy(_)
            | Statement::CreateRule(_)
            | Statement::CreateOperator(_)
            | Statement::CreateOperatorFamily(_)
            | Statement::CreateOperatorClass(_)
            | Statement::CreateTextSearch(_)
            | Statement::CreateAggregate(_)
            | Statement::CreateExtension(_)
            | Statement::CreateCollation(_)
            | Statement::CreateSchema { .. }
            | Statement::CreateDatabase { .. }
            | Statement::CreateFunction(_)
            | Statement::CreateTrigger(_)
            | Statement::CreateProcedure { .. }
            | Statement::CreateSequence { .. }
            | Statement::CreateDomain(_)
            | Statement::CreateType { .. }
            | Statement::CreateUser(_)
            | Statement::AlterTable(_)
            | Statement::AlterSchema(_)
            | Statement::AlterIndex { .. }
            | Statement::AlterView(_)
            | Statement::AlterFunction(_)
            | Statement::AlterType(_)
            | Statement::AlterCollation(_)
            | Statement::AlterOperator(_)
            | Statement::AlterOperatorFamily(_)
            | Statement::AlterOperatorClass(_)
            | Statement::AlterTextSearch(_)
            | Statement::AlterRole { .. }
            | Statement::AlterPolicy(_)
            | Statement::AlterTrigger(_)
            | Statement::AlterUser(_)
            | Statement::AlterDefaultPrivileges(_)
            | Statement::Drop { .. }
            | Statement::DropFunction(_)
            | Statement::DropDomain(_)
            | Statement::DropProcedure { .. }
            | Statement::DropPolicy(_)
            | Statement::DropRule(_)
            | Statement::DropTrigger(_)
            | Statement::DropExtension(_)
            | Statement::DropOperator(_)
            | Statement::DropOperatorFamily(_)
            | Statement::DropOperatorClass(_)
            | Statement::Grant(_)
            | Statement::GrantRole(_)
            | Statement::Revoke(_)
            | Statement::RevokeRole(_)
            | Statement::Load { .. } => Err("a definition or maintenance statement"),
            Statement::Msck(_)
            | Statement::Install { .. }
            | Statement::Directory { .. }
            | Statement::Case(_)
            | Statement::If(_)
            | Statement::While(_)
            | Statement::Raise(_)
            | Statement::CopyIntoSnowflake { .. }
            | Statement::Open(_)
            | Statement::CreateVirtualTable { .. }
            | Statement::CreateSecret { .. }
            | Statement::CreateConnector(_)
            | Statement::AlterConnector { .. }
            | Statement::AlterSession { .. }
            | Statement::AttachDatabase { .. }
            | Statement::AttachDuckDBDatabase { .. }
            | Statement::DetachDuckDBDatabase { .. }
            | Statement::DropSecret { .. }
            | Statement::DropConnector { .. }
            | Statement::Flush { .. }
            | Statement::ShowFunctions { .. }
            | Statement::ShowStatus { .. }
            | Statement::ShowVariables { .. }
            | Statement::ShowCreate { .. }
            | Statement::ShowColumns { .. }
            | Statement::ShowCatalogs { .. }
            | Statement::ShowDatabases { .. }
            | Statement::ShowProcessList { .. }
            | Statement::ShowSchemas { .. }
            | Statement::ShowCharset(_)
            | Statement::ShowObjects(_)
            | Statement::ShowTables { .. }
            | Statement::ShowViews { .. }
            | Statement::ShowCollation { .. }
            | Statement::Use(_)
            | Statement::CreateMacro { .. }
            | Statement::CreateStage { .. }
            | Statement::CreateFileFormat { .. }
            | Statement::CreateWarehouse(_)
            | Statement::Assert { .. }
            | Statement::Deny(_)
            | Statement::Kill { .. }
            | Statement::ExplainTable { .. }
            | Statement::Cache { .. }
            | Statement::UNCache { .. }
            | Statement::Pragma { .. }
            | Statement::LockTables { .. }
            | Statement::UnlockTables
            | Statement::Unload { .. }
            | Statement::OptimizeTable { .. }
            | Statement::LoadData { .. }
            | Statement::RenameTable(_)
            | Statement::List(_)
            | Statement::Put { .. }
            | Statement::Remove(_)
            | Statement::RaisError { .. }
            | Statement::Throw(_)
            | Statement::Print(_)
            | Statement::WaitFor(_)
            | Statement::Return(_)
            | Statement::ExportData(_) => Err("a statement of another dialect"),
        }
    }

    pub(super) fn each<'t, T: 't>(
        &mut self,
        items: impl IntoIterator<Item = &'t T>,
        mut walk: impl FnMut(&mut Self, &'t T) -> Walked,
    ) -> Walked {
        items.into_iter().try_for_each(|item| walk(self, item))
    }

    fn declare(&mut self, declare: &Declare) -> Walked {
        let Declare {
            names: _,
            data_type,
            assignment,
            declare_type,
            binary: _,
            sensitive: _,
            scroll: _,
            hold: _,
            for_query,
        } = declare;
        let is_cursor = matches!(declare_type, Some(DeclareType::Cursor));
        require(
            is_cursor && data_type.is_none() && assignment.is_none(),
            "DECLARE of another dialect",
        )?;
        self.query(for_query.as_deref().ok_or("DECLARE without a query")?)
    }

    fn truncate(&mut self, truncate: &Truncate) -> Walked {
        let Truncate {
            table_names,
            partitions,
            table: _,
            if_exists,
            identity: _,
            cascade: _,
            on_cluster,
        } = truncate;
        require(
            partitions.is_none() && !if_exists && on_cluster.is_none(),
            "TRUNCATE of another dialect",
        )?;
        self.each(
            table_names,
            |walk,
             TruncateTableTarget {
                 name,
                 only: _,
                 has_asterisk: _,
             }| walk.relation(name),
        )
    }
}
