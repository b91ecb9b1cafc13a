//! Tables: CREATE TABLE with what it takes from others, and ALTER TABLE as far as it changes columns,
//! keys and parents.

use std::sync::Arc;

use pg_query::NodeEnum;
use pg_query::protobuf as pb;

use super::types::{Typed, serial};
use super::{Builder, Outcome, names};
use crate::catalog::{Column, Oid, QualifiedName, Relation, RelationKind, TypeKind};

/// `CREATE_TABLE_LIKE_GENERATED`, `CREATE_TABLE_LIKE_INDEXES`
const LIKE_GENERATED: u32 = 1 << 4;
const LIKE_INDEXES: u32 = 1 << 6;

impl Builder {
    /// CREATE TABLE
    pub(super) fn create_table(&mut self, statement: &pb::CreateStmt, kind: RelationKind) -> Outcome {
        let range = statement.relation.as_ref().ok_or("a table without a name")?;
        let Some(name) = self.name_for_new(range)? else {
            return Ok(());
        };
        if statement.if_not_exists && self.relations.contains_key(&name) {
            return Ok(());
        }
        let mut parents = Vec::new();
        let mut columns: Vec<Column> = Vec::new();
        for node in &statement.inh_relations {
            if let Some(NodeEnum::RangeVar(parent)) = &node.node {
                let parent = self.relation_of(parent)?;
                parents.push(parent.oid);
                parent.columns.iter().for_each(|c| merge(&mut columns, c.clone()));
            }
        }
        if let Some(of) = &statement.of_typename {
            let of = self.typed(of)?;
            self.row_columns(of.oid)?
                .into_iter()
                .for_each(|c| merge(&mut columns, c));
        }
        let mut keys: Vec<String> = Vec::new();
        for node in statement.table_elts.iter().chain(&statement.constraints) {
            match &node.node {
                Some(NodeEnum::ColumnDef(definition)) => self.define(definition, &name, &mut columns, &mut keys)?,
                Some(NodeEnum::TableLikeClause(like)) => {
                    let of = like.relation.as_ref().ok_or("LIKE without a table")?;
                    let of = self.relation_of(of)?;
                    for column in &of.columns {
                        let generated = column.generated && like.options & LIKE_GENERATED != 0;
                        merge(
                            &mut columns,
                            Column {
                                generated,
                                ..column.clone()
                            },
                        );
                    }
                    if like.options & LIKE_INDEXES != 0 {
                        let key = of.columns.iter().filter(|c| of.primary_key.contains(&c.number));
                        keys.extend(key.map(|c| c.name.clone()));
                    }
                }
                Some(NodeEnum::Constraint(constraint)) => primary_key(constraint, &mut keys),
                _ => return Err("an element of CREATE TABLE that is not understood".to_owned()),
            }
        }
        let oid = self.new_relation(name, kind, columns)?;
        let index = self.catalog.relations.len() - 1;
        self.edit_relation(index, |relation| relation.parents = parents);
        debug_assert!(self.catalog.relations.get(index).is_some_and(|r| r.oid == oid));
        self.own_sequences(oid);
        self.set_primary_key(index, &keys)?;
        self.key_of_partition(index)
    }

    /// A column as CREATE TABLE and CREATE TYPE say it, without its constraints.
    pub(super) fn column(&mut self, definition: &pb::ColumnDef) -> Outcome<Column> {
        let of = definition.type_name.as_ref();
        let of = of.ok_or_else(|| format!("column {} has no type", definition.colname))?;
        let typed = self
            .typed(of)
            .map_err(|why| format!("column {}: {why}", definition.colname))?;
        Ok(Column {
            number: 0,
            name: definition.colname.clone(),
            type_oid: typed.oid,
            type_sql: typed.sql,
            not_null: definition.is_not_null,
            generated: false,
        })
    }

    fn define(
        &mut self,
        definition: &pb::ColumnDef,
        table: &QualifiedName,
        columns: &mut Vec<Column>,
        keys: &mut Vec<String>,
    ) -> Outcome {
        let serial = definition.type_name.as_ref().and_then(serial);
        let mut column = match (serial, &definition.type_name) {
            (Some(of), _) => {
                let oid = self
                    .types
                    .get(&QualifiedName::new("pg_catalog", of))
                    .copied()
                    .unwrap_or_default();
                Column {
                    number: 0,
                    name: definition.colname.clone(),
                    type_oid: oid,
                    type_sql: self.type_sql(oid, &[]),
                    not_null: true,
                    generated: false,
                }
            }
            // A column of a typed table or a partition: only its constraints are said.
            (None, None) => match columns.iter().find(|c| c.name == definition.colname) {
                Some(known) => known.clone(),
                None => return Err(format!("column \"{}\" does not exist", definition.colname)),
            },
            (None, Some(_)) => self.column(definition)?,
        };
        let mut sequence = serial.is_some();
        for node in &definition.constraints {
            let Some(NodeEnum::Constraint(constraint)) = &node.node else {
                continue;
            };
            match pb::ConstrType::try_from(constraint.contype) {
                Ok(pb::ConstrType::ConstrNotnull) => column.not_null = true,
                Ok(pb::ConstrType::ConstrPrimary) => keys.push(column.name.clone()),
                Ok(pb::ConstrType::ConstrGenerated) => column.generated = true,
                Ok(pb::ConstrType::ConstrIdentity) => {
                    column.not_null = true;
                    sequence = true;
                }
                _ => {} // checks, defaults and references change nothing here
            }
        }
        if sequence {
            let name = QualifiedName::new(&table.schema, format!("{}_{}_seq", table.name, column.name));
            self.sequence(name.clone())?;
            self.unowned.push(name);
        }
        match columns.iter_mut().find(|c| c.name == column.name) {
            Some(known) => {
                column.not_null |= known.not_null;
                *known = column;
            }
            None => columns.push(column),
        }
        Ok(())
    }

    /// A relation with its row type; columns are numbered in their order.
    pub(super) fn new_relation(
        &mut self,
        name: QualifiedName,
        kind: RelationKind,
        mut columns: Vec<Column>,
    ) -> Outcome<Oid> {
        for (column, number) in columns.iter_mut().zip(1..) {
            column.number = number;
        }
        let oid = self.oid();
        self.add_relation(Relation {
            oid,
            name: name.clone(),
            kind,
            columns,
            parents: Vec::new(),
            definition: None,
            security_barrier: false,
            primary_key: Vec::new(),
            unique_keys: Vec::new(),
            has_rules: false,
            extension: None,
        })?;
        if kind != RelationKind::Sequence {
            self.type_and_array(name, TypeKind::Composite(oid), 'C')?;
        }
        Ok(oid)
    }

    /// The sequences of new columns are the table's.
    fn own_sequences(&mut self, table: Oid) {
        for name in std::mem::take(&mut self.unowned) {
            let found = self.catalog.relations.iter().position(|r| r.name == name);
            if let Some(index) = found {
                self.edit_relation(index, |sequence| sequence.parents = vec![table]);
            }
        }
    }

    pub(super) fn sequence(&mut self, name: QualifiedName) -> Outcome {
        if self.relations.contains_key(&name) {
            return Ok(());
        }
        let column = |name: &str, type_name: &str, oid: Oid| Column {
            number: 0,
            name: name.to_owned(),
            type_oid: oid,
            type_sql: type_name.to_owned(),
            not_null: true,
            generated: false,
        };
        let columns = vec![
            column("last_value", "bigint", 20),
            column("log_cnt", "bigint", 20),
            column("is_called", "boolean", 16),
        ];
        self.new_relation(name, RelationKind::Sequence, columns)?;
        Ok(())
    }

    fn relation_of(&self, range: &pb::RangeVar) -> Outcome<Arc<Relation>> {
        let index = self.range(range)?;
        let found = self.catalog.relations.get(index);
        found.cloned().ok_or_else(|| "a relation is missing".to_owned())
    }

    fn row_columns(&self, of: Oid) -> Outcome<Vec<Column>> {
        let kind = self.catalog.types.iter().find(|t| t.oid == of).map(|t| t.kind);
        let Some(TypeKind::Composite(relation)) = kind else {
            return Err("OF names no row type".to_owned());
        };
        let relation = self.catalog.relations.iter().find(|r| r.oid == relation);
        Ok(relation.map(|r| r.columns.clone()).unwrap_or_default())
    }

    fn set_primary_key(&mut self, index: usize, keys: &[String]) -> Outcome {
        let Some(relation) = self.catalog.relations.get(index) else {
            return Ok(());
        };
        let mut numbers = Vec::new();
        for key in keys {
            match relation.column(key) {
                Some(column) => numbers.push(column.number),
                None => return Err(format!("column \"{key}\" of the primary key does not exist")),
            }
        }
        if numbers.is_empty() {
            return Ok(());
        }
        self.edit_relation(index, |relation| {
            for column in &mut relation.columns {
                column.not_null |= numbers.contains(&column.number);
            }
            relation.primary_key = numbers;
        });
        let of = self.catalog.relations.get(index).map(|r| r.oid);
        let children = self.catalog.relations.iter().enumerate();
        let children =
            children.filter(|(_, r)| r.kind != RelationKind::Sequence && of.is_some_and(|of| r.parents.contains(&of)));
        let children: Vec<usize> = children.map(|(index, _)| index).collect();
        children.into_iter().try_for_each(|child| self.key_of_partition(child))
    }

    /// A partition has the primary key of its parent.
    fn key_of_partition(&mut self, index: usize) -> Outcome {
        let Some(relation) = self.catalog.relations.get(index) else {
            return Ok(());
        };
        let parent = relation.parents.iter().find_map(|parent| {
            let parent = self.catalog.relations.iter().find(|r| r.oid == *parent)?;
            (parent.kind == RelationKind::PartitionedTable).then_some(parent)
        });
        let key = parent.map(|p| p.columns.iter().filter(|c| p.primary_key.contains(&c.number)));
        let keys: Vec<String> = key.into_iter().flatten().map(|c| c.name.clone()).collect();
        match relation.primary_key.is_empty() {
            true => self.set_primary_key(index, &keys),
            false => Ok(()),
        }
    }

    /// ALTER TABLE, VIEW, MATERIALIZED VIEW, SEQUENCE, INDEX, TYPE
    pub(super) fn alter_table(&mut self, statement: &pb::AlterTableStmt) -> Outcome {
        let range = statement.relation.as_ref().ok_or("ALTER without a name")?;
        let kind = pb::ObjectType::try_from(statement.objtype);
        let indexes = matches!(kind, Ok(pb::ObjectType::ObjectIndex));
        if indexes || self.is_temporary(&range.schemaname, &range.relname) {
            return Ok(());
        }
        let Some(index) = self.relation_index(&range.schemaname, &range.relname) else {
            return match statement.missing_ok {
                true => Ok(()),
                false => Err(format!("relation \"{}\" does not exist", super::written(range))),
            };
        };
        for node in &statement.cmds {
            if let Some(NodeEnum::AlterTableCmd(command)) = &node.node {
                self.alter(index, command)?;
            }
        }
        Ok(())
    }

    fn alter(&mut self, index: usize, command: &pb::AlterTableCmd) -> Outcome {
        use pb::AlterTableType as At;
        let definition = command.def.as_deref().and_then(|node| node.node.as_ref());
        match (At::try_from(command.subtype), definition) {
            (Ok(At::AtAddColumn), Some(NodeEnum::ColumnDef(definition))) => self.add_column(index, definition, command),
            (Ok(At::AtDropColumn), _) => {
                self.column_at(index, command, |relation, at| drop(relation.columns.remove(at)))
            }
            (Ok(At::AtSetNotNull), _) => self.column_at(index, command, |relation, at| {
                relation
                    .columns
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|c| c.not_null = true);
            }),
            (Ok(At::AtDropNotNull), _) => self.column_at(index, command, |relation, at| {
                relation
                    .columns
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|c| c.not_null = false);
            }),
            (Ok(At::AtAlterColumnType), Some(NodeEnum::ColumnDef(definition))) => {
                let of = definition.type_name.as_ref().ok_or("a column without a type")?;
                let Typed { oid, sql } = self.typed(of)?;
                self.column_at(index, command, |relation, at| {
                    for column in relation.columns.iter_mut().skip(at).take(1) {
                        column.type_oid = oid;
                        column.type_sql.clone_from(&sql);
                    }
                })
            }
            (Ok(At::AtAddConstraint), Some(NodeEnum::Constraint(constraint))) => {
                let mut keys = Vec::new();
                primary_key(constraint, &mut keys);
                self.set_primary_key(index, &keys)
            }
            (Ok(At::AtAttachPartition), Some(NodeEnum::PartitionCmd(partition))) => {
                let range = partition.name.as_ref().ok_or("a partition without a name")?;
                let parent = self.catalog.relations.get(index).map(|r| r.oid).unwrap_or_default();
                match self.relation_index(&range.schemaname, &range.relname) {
                    Some(child) => {
                        self.edit_relation(child, |relation| relation.parents.push(parent));
                        self.key_of_partition(child)
                    }
                    None => Err(format!("relation \"{}\" does not exist", super::written(range))),
                }
            }
            (Ok(At::AtDetachPartition | At::AtDetachPartitionFinalize), Some(NodeEnum::PartitionCmd(partition))) => {
                let range = partition.name.as_ref().ok_or("a partition without a name")?;
                let parent = self.catalog.relations.get(index).map(|r| r.oid);
                let child = self.range(range)?;
                self.edit_relation(child, |relation| relation.parents.retain(|p| Some(*p) != parent));
                Ok(())
            }
            (Ok(At::AtAddInherit), Some(NodeEnum::RangeVar(parent))) => {
                let parent = self.relation_of(parent)?.oid;
                self.edit_relation(index, |relation| relation.parents.push(parent));
                Ok(())
            }
            (Ok(At::AtDropInherit), Some(NodeEnum::RangeVar(parent))) => {
                let parent = self.relation_of(parent)?.oid;
                self.edit_relation(index, |relation| relation.parents.retain(|p| *p != parent));
                Ok(())
            }
            (Ok(At::AtAddIdentity), _) => self.column_at(index, command, |relation, at| {
                relation
                    .columns
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|c| c.not_null = true);
            }),
            (Ok(At::AtSetExpression | At::AtAddOf | At::AtDropOf | At::Undefined) | Err(_), _) => {
                Err("this form of ALTER TABLE is not understood".to_owned())
            }
            (Ok(At::AtAddColumn | At::AtAlterColumnType | At::AtAttachPartition | At::AtDetachPartition), _) => {
                Err("this form of ALTER TABLE is not understood".to_owned())
            }
            // Owners, storage, triggers, row security, defaults, other constraints: nothing to the catalog.
            (Ok(_), _) => Ok(()),
        }
    }

    fn add_column(&mut self, index: usize, definition: &pb::ColumnDef, command: &pb::AlterTableCmd) -> Outcome {
        let Some(relation) = self.catalog.relations.get(index) else {
            return Ok(());
        };
        if relation.column(&definition.colname).is_some() {
            return match command.missing_ok {
                true => Ok(()),
                false => Err(format!("column \"{}\" already exists", definition.colname)),
            };
        }
        let name = relation.name.clone();
        let mut new = Vec::new();
        let mut keys = Vec::new();
        self.define(definition, &name, &mut new, &mut keys)?;
        let oid = self.catalog.relations.get(index).map(|r| r.oid).unwrap_or_default();
        self.own_sequences(oid);
        // Children get it as well (`ATExecAddColumn`).
        let mut family = vec![oid];
        while let Some(child) = self.catalog.relations.iter().find_map(|r| {
            let inherits = r.kind != RelationKind::Sequence && r.parents.iter().any(|p| family.contains(p));
            (inherits && !family.contains(&r.oid)).then_some(r.oid)
        }) {
            family.push(child);
        }
        for member in family {
            if let Some(at) = self.catalog.relations.iter().position(|r| r.oid == member) {
                self.edit_relation(at, |relation| {
                    let next = relation.columns.iter().map(|c| c.number).max().unwrap_or(0) + 1;
                    relation.columns.extend(new.iter().map(|c| Column {
                        number: next,
                        ..c.clone()
                    }));
                });
            }
        }
        self.set_primary_key(index, &keys)
    }

    fn column_at(
        &mut self,
        index: usize,
        command: &pb::AlterTableCmd,
        edit: impl FnOnce(&mut Relation, usize),
    ) -> Outcome {
        let at = self.catalog.relations.get(index);
        let at = at.and_then(|relation| relation.columns.iter().position(|c| c.name == command.name));
        match at {
            Some(at) => {
                self.edit_relation(index, |relation| edit(relation, at));
                Ok(())
            }
            None if command.missing_ok => Ok(()),
            None => Err(format!("column \"{}\" does not exist", command.name)),
        }
    }
}

/// A column met again (of a second parent, or said again by the table itself) is one column.
fn merge(columns: &mut Vec<Column>, column: Column) {
    if !columns.iter().any(|known| known.name == column.name) {
        columns.push(column);
    }
}

fn primary_key(constraint: &pb::Constraint, keys: &mut Vec<String>) {
    if constraint.contype == pb::ConstrType::ConstrPrimary as i32 {
        keys.extend(names(&constraint.keys).into_iter().map(str::to_owned));
    }
}
