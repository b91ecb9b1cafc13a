//! Which statement does what: to the catalog, to the script's search_path, or nothing.

use pg_query::NodeEnum;
use pg_query::protobuf as pb;

use super::{Builder, Outcome, Remark, Statement, dotted, names, written};
use crate::catalog::{QualifiedName, RelationKind, Type};

impl Builder {
    /// Carries out one statement.
    pub(super) fn run(&mut self, node: &NodeEnum, statement: &Statement<'_>) -> Outcome {
        match node {
            NodeEnum::CreateSchemaStmt(create) => self.create_schema(create, statement),
            NodeEnum::CreateStmt(create) => {
                let kind = match create.partspec {
                    Some(_) => RelationKind::PartitionedTable,
                    None => RelationKind::Table,
                };
                self.create_table(create, kind)
            }
            NodeEnum::CreateForeignTableStmt(create) => match &create.base_stmt {
                Some(base) => self.create_table(base, RelationKind::ForeignTable),
                None => Err("this foreign table is not understood".to_owned()),
            },
            NodeEnum::AlterTableStmt(alter) => self.alter_table(alter),
            NodeEnum::ViewStmt(view) => {
                let made = self.create_view(view, statement);
                self.left_out(made, view.view.as_ref(), statement);
                Ok(())
            }
            NodeEnum::CreateTableAsStmt(create) => {
                let made = self.create_as(create, statement);
                let range = create.into.as_ref().and_then(|into| into.rel.as_ref());
                self.left_out(made, range, statement);
                Ok(())
            }
            NodeEnum::CompositeTypeStmt(create) => self.composite_type(create),
            NodeEnum::CreateEnumStmt(create) => self.enum_type(create),
            NodeEnum::CreateRangeStmt(create) => self.range_type(create),
            NodeEnum::CreateDomainStmt(create) => self.domain(create),
            NodeEnum::CreateFunctionStmt(create) => self.create_function(create),
            NodeEnum::CreateSeqStmt(create) => self.create_sequence(create),
            NodeEnum::CreateExtensionStmt(create) => {
                // Of the base catalog; the objects of others are not known here.
                if create.extname != "plpgsql" {
                    self.extensions.push(create.extname.clone());
                }
                Ok(())
            }
            NodeEnum::DropStmt(drop) => self.drop_objects(drop),
            NodeEnum::RenameStmt(rename) => self.rename(rename),
            NodeEnum::AlterObjectSchemaStmt(alter) => self.set_schema(alter),
            NodeEnum::VariableSetStmt(set) => {
                self.set(set);
                Ok(())
            }
            NodeEnum::SelectStmt(select) => self.select(select),
            NodeEnum::DoStmt(_) => {
                self.pass_over(statement, "DO: what it makes is not known".to_owned());
                Ok(())
            }
            NodeEnum::DiscardStmt(discard) => {
                self.discard(discard);
                Ok(())
            }
            // Rows, rights, comments, indexes, triggers, statistics, settings: nothing to the catalog.
            NodeEnum::InsertStmt(_)
            | NodeEnum::UpdateStmt(_)
            | NodeEnum::DeleteStmt(_)
            | NodeEnum::MergeStmt(_)
            | NodeEnum::CopyStmt(_)
            | NodeEnum::TruncateStmt(_)
            | NodeEnum::TransactionStmt(_)
            | NodeEnum::ConstraintsSetStmt(_)
            | NodeEnum::VariableShowStmt(_)
            | NodeEnum::GrantStmt(_)
            | NodeEnum::GrantRoleStmt(_)
            | NodeEnum::AlterDefaultPrivilegesStmt(_)
            | NodeEnum::CreateRoleStmt(_)
            | NodeEnum::AlterRoleStmt(_)
            | NodeEnum::AlterRoleSetStmt(_)
            | NodeEnum::DropRoleStmt(_)
            | NodeEnum::ReassignOwnedStmt(_)
            | NodeEnum::AlterOwnerStmt(_)
            | NodeEnum::CommentStmt(_)
            | NodeEnum::SecLabelStmt(_)
            | NodeEnum::IndexStmt(_)
            | NodeEnum::ReindexStmt(_)
            | NodeEnum::ClusterStmt(_)
            | NodeEnum::VacuumStmt(_)
            | NodeEnum::CreateTrigStmt(_)
            | NodeEnum::CreateEventTrigStmt(_)
            | NodeEnum::AlterEventTrigStmt(_)
            | NodeEnum::CreatePolicyStmt(_)
            | NodeEnum::AlterPolicyStmt(_)
            | NodeEnum::CreateStatsStmt(_)
            | NodeEnum::AlterStatsStmt(_)
            | NodeEnum::AlterSeqStmt(_)
            | NodeEnum::AlterEnumStmt(_)
            | NodeEnum::AlterDomainStmt(_)
            | NodeEnum::AlterFunctionStmt(_)
            | NodeEnum::AlterExtensionStmt(_)
            | NodeEnum::AlterExtensionContentsStmt(_)
            | NodeEnum::AlterObjectDependsStmt(_)
            | NodeEnum::AlterDatabaseStmt(_)
            | NodeEnum::AlterDatabaseSetStmt(_)
            | NodeEnum::CreatedbStmt(_)
            | NodeEnum::DropdbStmt(_)
            | NodeEnum::CreateTableSpaceStmt(_)
            | NodeEnum::CreateForeignServerStmt(_)
            | NodeEnum::CreateFdwStmt(_)
            | NodeEnum::CreateUserMappingStmt(_)
            | NodeEnum::CreatePublicationStmt(_)
            | NodeEnum::AlterPublicationStmt(_)
            | NodeEnum::CreateSubscriptionStmt(_)
            | NodeEnum::CreatePlangStmt(_)
            | NodeEnum::RefreshMatViewStmt(_)
            | NodeEnum::NotifyStmt(_)
            | NodeEnum::LockStmt(_)
            | NodeEnum::CheckPointStmt(_) => Ok(()),
            _ => Err(format!(
                "{} is not understood in a schema file; write a snapshot of the database with `pgpurpose catalog` and name that",
                first_words(statement.text)
            )),
        }
    }

    fn pass_over(&mut self, statement: &Statement<'_>, message: String) {
        let line = statement.line;
        self.passed_over.push(Remark { line, message });
    }

    /// A view whose query cannot be read does not exist here: statements that name it are refused.
    fn left_out(&mut self, made: Outcome, range: Option<&pb::RangeVar>, statement: &Statement<'_>) {
        if let Err(why) = made {
            let name = range.map(written).unwrap_or_default();
            self.pass_over(statement, format!("{name}: {why}"));
        }
    }

    fn create_schema(&mut self, create: &pb::CreateSchemaStmt, statement: &Statement<'_>) -> Outcome {
        let name = match (&create.authrole, create.schemaname.as_str()) {
            (Some(role), "") => role.rolename.clone(),
            (_, name) => name.to_owned(),
        };
        if self.catalog.schemas.contains(&name) {
            // Every database has public; dumps make it all the same.
            return match create.if_not_exists || name == "public" {
                true => Ok(()),
                false => Err(format!("schema \"{name}\" already exists")),
            };
        }
        self.catalog.schemas.push(name.clone());
        self.dirty = true;
        // Its elements are made in it.
        let before = std::mem::replace(&mut self.search_path, vec![name]);
        let mut elements = create.schema_elts.iter().filter_map(|element| element.node.as_ref());
        let done = elements.try_for_each(|element| self.run(element, statement));
        self.search_path = before;
        done
    }

    fn create_sequence(&mut self, create: &pb::CreateSeqStmt) -> Outcome {
        let range = create.sequence.as_ref().ok_or("a sequence without a name")?;
        match self.name_for_new(range)? {
            Some(name) => self.sequence(name),
            None => Ok(()),
        }
    }

    /// `SET search_path` and the `set_config('search_path', …)` of pg_dump.
    fn set(&mut self, set: &pb::VariableSetStmt) {
        if set.name != "search_path" {
            return;
        }
        let texts: Vec<String> = set.args.iter().filter_map(constant).collect();
        self.search_path = match texts.is_empty() {
            true => vec!["$user".to_owned(), "public".to_owned()],
            false => texts.into_iter().filter(|s| !s.is_empty()).collect(),
        };
    }

    fn select(&mut self, select: &pb::SelectStmt) -> Outcome {
        if select.into_clause.is_some() {
            return Err("SELECT INTO is not understood in a schema file; write CREATE TABLE".to_owned());
        }
        for node in &select.target_list {
            let Some(NodeEnum::ResTarget(target)) = &node.node else {
                continue;
            };
            if let Some(NodeEnum::FuncCall(call)) = target.val.as_deref().and_then(|v| v.node.as_ref())
                && names(&call.funcname).last() == Some(&"set_config")
                && let [name, value, ..] = call.args.as_slice()
                && constant(name).as_deref() == Some("search_path")
                && let Some(value) = constant(value)
            {
                let schemas = value.split(',').map(|s| s.trim().trim_matches('"').to_owned());
                self.search_path = schemas.filter(|s| !s.is_empty()).collect();
            }
        }
        Ok(())
    }

    fn drop_objects(&mut self, drop: &pb::DropStmt) -> Outcome {
        use pb::ObjectType as Object;
        for object in &drop.objects {
            let listed = match &object.node {
                Some(NodeEnum::List(list)) => list.items.as_slice(),
                Some(NodeEnum::TypeName(name)) => name.names.as_slice(),
                Some(_) | None => std::slice::from_ref(object),
            };
            let done = match Object::try_from(drop.remove_type) {
                Ok(
                    Object::ObjectTable
                    | Object::ObjectView
                    | Object::ObjectMatview
                    | Object::ObjectForeignTable
                    | Object::ObjectSequence,
                ) => self.drop_relation(listed),
                Ok(Object::ObjectType | Object::ObjectDomain) => self.drop_type(listed),
                Ok(Object::ObjectFunction | Object::ObjectProcedure | Object::ObjectRoutine) => {
                    self.drop_function(object)
                }
                Ok(Object::ObjectSchema) => self.drop_schema(names(listed).first().copied().unwrap_or_default()),
                // Indexes, triggers, policies, extensions and the like: nothing to the catalog.
                _ => Ok(()),
            };
            match done {
                Err(_) if drop.missing_ok => {}
                other => other?,
            }
        }
        Ok(())
    }

    fn drop_relation(&mut self, listed: &[pb::Node]) -> Outcome {
        let (schema, name) = dotted(listed)?;
        if self.is_temporary(&schema, &name) {
            self.temporary.remove(&name);
            return Ok(());
        }
        match self.relation_index(&schema, &name) {
            Some(index) => {
                let gone = self.catalog.relations.remove(index);
                self.forget(&[gone.oid]);
                Ok(())
            }
            None => Err(format!("relation \"{name}\" does not exist")),
        }
    }

    fn drop_schema(&mut self, schema: &str) -> Outcome {
        if !self.catalog.schemas.iter().any(|s| s == schema) {
            return Err(format!("schema \"{schema}\" does not exist"));
        }
        self.catalog.schemas.retain(|s| s != schema);
        self.drop_all_in(schema);
        Ok(())
    }

    /// DISCARD TEMP, and what DISCARD ALL has of it.
    fn discard(&mut self, discard: &pb::DiscardStmt) {
        use pb::DiscardMode as Mode;
        let temporary = matches!(Mode::try_from(discard.target), Ok(Mode::DiscardTemp | Mode::DiscardAll));
        if let Some(schema) = self.catalog.temp_schema.clone().filter(|_| temporary) {
            self.drop_all_in(&schema);
        }
    }

    fn drop_all_in(&mut self, schema: &str) {
        let inside = |r: &std::sync::Arc<crate::catalog::Relation>| r.name.schema == schema;
        let gone: Vec<_> = self
            .catalog
            .relations
            .iter()
            .filter(|r| inside(r))
            .map(|r| r.oid)
            .collect();
        self.catalog.relations.retain(|r| !inside(r));
        self.catalog.functions.retain(|f| f.name.schema != schema);
        self.forget(&gone);
        let in_schema = |t: &&Type| t.name.schema == schema;
        let types: Vec<_> = self.catalog.types.iter().filter(in_schema).map(|t| t.oid).collect();
        self.remove_types(&types);
    }

    /// Drops what goes with relations: their names, row types and partitions.
    fn forget(&mut self, gone: &[u32]) {
        self.relations.retain(|_, oid| !gone.contains(oid));
        let of_rows = |t: &&Type| matches!(t.kind, crate::catalog::TypeKind::Composite(r) if gone.contains(&r));
        let types: Vec<_> = self.catalog.types.iter().filter(of_rows).map(|t| t.oid).collect();
        self.remove_types(&types);
        self.dirty = true;
    }

    fn rename(&mut self, rename: &pb::RenameStmt) -> Outcome {
        use pb::ObjectType as Object;
        let Some(range) = &rename.relation else {
            return match Object::try_from(rename.rename_type) {
                Ok(Object::ObjectType | Object::ObjectDomain | Object::ObjectFunction | Object::ObjectSchema) => {
                    Err("renaming this is not understood in a schema file".to_owned())
                }
                _ => Ok(()),
            };
        };
        let kind = Object::try_from(rename.rename_type);
        let in_catalog = matches!(
            kind,
            Ok(Object::ObjectTable
                | Object::ObjectView
                | Object::ObjectMatview
                | Object::ObjectSequence
                | Object::ObjectForeignTable
                | Object::ObjectColumn
                | Object::ObjectAttribute)
        );
        if !in_catalog || self.is_temporary(&range.schemaname, &range.relname) {
            return Ok(());
        }
        let Some(index) = self.relation_index(&range.schemaname, &range.relname) else {
            return match rename.missing_ok {
                true => Ok(()),
                false => Err(format!("relation \"{}\" does not exist", written(range))),
            };
        };
        if matches!(kind, Ok(Object::ObjectColumn | Object::ObjectAttribute)) {
            self.edit_relation(index, |relation| {
                for column in relation.columns.iter_mut().filter(|c| c.name == rename.subname) {
                    column.name.clone_from(&rename.newname);
                }
            });
            return Ok(());
        }
        self.renamed(index, |name| name.name.clone_from(&rename.newname));
        Ok(())
    }

    fn set_schema(&mut self, alter: &pb::AlterObjectSchemaStmt) -> Outcome {
        let Some(range) = &alter.relation else {
            return Err("SET SCHEMA of this is not understood in a schema file".to_owned());
        };
        let index = self.range(range)?;
        let schema = self.schema_for_new(&alter.newschema)?;
        self.renamed(index, |name| name.schema = schema);
        Ok(())
    }

    fn renamed(&mut self, index: usize, change: impl FnOnce(&mut QualifiedName)) {
        let Some(relation) = self.catalog.relations.get(index) else {
            return;
        };
        let (before, oid) = (relation.name.clone(), relation.oid);
        let mut after = before.clone();
        change(&mut after);
        self.relations.remove(&before);
        self.relations.insert(after.clone(), oid);
        // The row type is called like its relation.
        if let Some(of) = self.catalog.types.iter_mut().find(|t| t.name == before) {
            of.name = after.clone();
            let oid = of.oid;
            self.types.remove(&before);
            self.types.insert(after.clone(), oid);
        }
        self.edit_relation(index, |relation| relation.name = after);
    }
}

/// A constant's text.
fn constant(node: &pb::Node) -> Option<String> {
    match &node.node {
        Some(NodeEnum::AConst(constant)) => match &constant.val {
            Some(pb::a_const::Val::Sval(text)) => Some(text.sval.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn first_words(text: &str) -> String {
    let tokens = crate::sql::lexer::Lexer::new(text).map_while(Result::ok);
    let words = tokens.filter(|t| t.kind.is_identifier()).take(2);
    words
        .map(|t| t.text(text).to_ascii_uppercase())
        .collect::<Vec<_>>()
        .join(" ")
}
