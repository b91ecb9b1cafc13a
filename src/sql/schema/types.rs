//! Types: what a type's name in a statement means, as PostgreSQL's `format_type` prints it, and CREATE
//! TYPE, CREATE DOMAIN.

use pg_query::NodeEnum;
use pg_query::protobuf as pb;

use super::{Builder, Outcome, dotted, names, qualified};
use crate::catalog::{Oid, QualifiedName, RelationKind, Type, TypeKind};

/// A column's or parameter's type.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    pub(super) oid: Oid,
    /// As `format_type(oid, typmod)` prints it under an empty search_path.
    pub(super) sql: String,
}

impl Builder {
    /// What a TypeName means.
    pub(super) fn typed(&self, name: &pb::TypeName) -> Outcome<Typed> {
        if name.pct_type {
            return Err("%TYPE is not understood here".to_owned());
        }
        let (schema, word) = dotted(&name.names)?;
        let oid = self.type_named(&schema, &word)?;
        let sql = self.type_sql(oid, &modifiers(&name.typmods));
        if name.array_bounds.is_empty() {
            return Ok(Typed { oid, sql });
        }
        match self.arrays.get(&oid) {
            Some(array) => Ok(Typed {
                oid: *array,
                sql: format!("{sql}[]"),
            }),
            None => Err(format!("type {sql}[] does not exist")),
        }
    }

    fn type_named(&self, schema: &str, name: &str) -> Outcome<Oid> {
        let found = match schema {
            "" => {
                let path = self.path();
                let mut schemas = path.schemas().iter();
                schemas.find_map(|s| self.types.get(&QualifiedName::new(s, name)))
            }
            schema => self.types.get(&QualifiedName::new(schema, name)),
        };
        found.copied().ok_or_else(|| match self.extensions.is_empty() {
            true => format!("type \"{name}\" does not exist"),
            false => format!(
                "type \"{name}\" is not known; where an extension ({}) brings it, use a snapshot that `pgpurpose catalog` \
                 wrote instead of this file",
                self.extensions.join(", ")
            ),
        })
    }

    /// `format_type` under an empty search_path.
    pub(super) fn type_sql(&self, oid: Oid, modifiers: &[i32]) -> String {
        let Some(of) = self.catalog.types.iter().find(|t| t.oid == oid) else {
            return "???".to_owned();
        };
        if of.category == 'A' && of.element != 0 && of.name.name.starts_with('_') {
            return format!("{}[]", self.type_sql(of.element, modifiers));
        }
        if of.name.schema != "pg_catalog" {
            return qualified(&of.name);
        }
        let list: Vec<String> = modifiers.iter().map(ToString::to_string).collect();
        let list = match list.is_empty() {
            true => String::new(),
            false => format!("({})", list.join(",")),
        };
        match of.name.name.as_str() {
            "bool" => "boolean".to_owned(),
            "int2" => "smallint".to_owned(),
            "int4" => "integer".to_owned(),
            "int8" => "bigint".to_owned(),
            "float4" => "real".to_owned(),
            "float8" => "double precision".to_owned(),
            // A bare `character` is `character(1)`, which the grammar says; the bare type is `bpchar`.
            "bpchar" if list.is_empty() => "bpchar".to_owned(),
            "bpchar" => format!("character{list}"),
            "varchar" => format!("character varying{list}"),
            // numeric(10) has a scale of 0.
            "numeric" if modifiers.len() == 1 => list.replace(')', ",0)").replace('(', "numeric("),
            "numeric" => format!("numeric{list}"),
            "varbit" => format!("bit varying{list}"),
            "bit" => format!("bit{list}"),
            "time" => format!("time{list} without time zone"),
            "timetz" => format!("time{list} with time zone"),
            "timestamp" => format!("timestamp{list} without time zone"),
            "timestamptz" => format!("timestamp{list} with time zone"),
            "interval" => "interval".to_owned(),
            "char" => "\"char\"".to_owned(),
            other => other.to_owned(),
        }
    }

    /// CREATE TYPE … AS (…)
    pub(super) fn composite_type(&mut self, statement: &pb::CompositeTypeStmt) -> Outcome {
        let name = statement.typevar.as_ref().ok_or("a type without a name")?;
        let name = QualifiedName::new(self.schema_for_new(&name.schemaname)?, &name.relname);
        let mut columns = Vec::new();
        for node in &statement.coldeflist {
            if let Some(NodeEnum::ColumnDef(definition)) = &node.node {
                columns.push(self.column(definition)?);
            }
        }
        self.new_relation(name, RelationKind::CompositeType, columns)?;
        Ok(())
    }

    /// CREATE TYPE … AS ENUM
    pub(super) fn enum_type(&mut self, statement: &pb::CreateEnumStmt) -> Outcome {
        self.new_type(&statement.type_name, TypeKind::Enum, 'E')?;
        Ok(())
    }

    /// CREATE TYPE … AS RANGE: the range, its multirange; not the constructor functions' other names.
    pub(super) fn range_type(&mut self, statement: &pb::CreateRangeStmt) -> Outcome {
        self.new_type(&statement.type_name, TypeKind::Range, 'R')?;
        Ok(())
    }

    /// CREATE DOMAIN
    pub(super) fn domain(&mut self, statement: &pb::CreateDomainStmt) -> Outcome {
        let base = statement.type_name.as_ref().ok_or("a domain without a type")?;
        let base = self.typed(base)?.oid;
        let category = self
            .catalog
            .types
            .iter()
            .find(|t| t.oid == base)
            .map_or('U', |t| t.category);
        self.new_type(&statement.domainname, TypeKind::Domain(base), category)?;
        Ok(())
    }

    fn new_type(&mut self, written: &[pb::Node], kind: TypeKind, category: char) -> Outcome<Oid> {
        let (schema, name) = dotted(written)?;
        let name = QualifiedName::new(self.schema_for_new(&schema)?, name);
        self.type_and_array(name, kind, category)
    }

    /// A type and the array type beside it.
    pub(super) fn type_and_array(&mut self, name: QualifiedName, kind: TypeKind, category: char) -> Outcome<Oid> {
        let oid = self.oid();
        let array = Type {
            oid: self.oid(),
            name: QualifiedName::new(&name.schema, format!("_{}", name.name)),
            kind: TypeKind::Base,
            category: 'A',
            element: oid,
            extension: None,
        };
        self.add_type(Type {
            oid,
            name,
            kind,
            category,
            element: 0,
            extension: None,
        })?;
        self.add_type(array)?;
        Ok(oid)
    }

    /// The type of that name, for DROP and ALTER.
    pub(super) fn drop_type(&mut self, written: &[pb::Node]) -> Outcome {
        let (schema, name) = dotted(written)?;
        let oid = self.type_named(&schema, &name)?;
        self.remove_types(&[oid]);
        Ok(())
    }

    pub(super) fn remove_types(&mut self, gone: &[Oid]) {
        let gone = |t: &Type| gone.contains(&t.oid) || (t.category == 'A' && gone.contains(&t.element));
        self.catalog.types.retain(|t| !gone(t));
        let left: std::collections::HashSet<Oid> = self.catalog.types.iter().map(|t| t.oid).collect();
        self.types.retain(|_, oid| left.contains(oid));
        self.arrays.retain(|_, oid| left.contains(oid));
        self.dirty = true;
    }
}

/// The numbers in parentheses behind a type.
fn modifiers(nodes: &[pb::Node]) -> Vec<i32> {
    let number = |node: &pb::Node| match &node.node {
        Some(NodeEnum::AConst(constant)) => match &constant.val {
            Some(pb::a_const::Val::Ival(number)) => Some(number.ival),
            _ => None,
        },
        _ => None,
    };
    nodes.iter().filter_map(number).collect()
}

/// `serial` and its kin, which are types to CREATE TABLE alone.
pub(super) fn serial(name: &pb::TypeName) -> Option<&'static str> {
    match names(&name.names).as_slice() {
        ["serial" | "serial4"] => Some("int4"),
        ["bigserial" | "serial8"] => Some("int8"),
        ["smallserial" | "serial2"] => Some("int2"),
        _ => None,
    }
}
