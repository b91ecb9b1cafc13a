//! DDL that concerns only the session's own temporary objects, and so needs no purpose with `ddl: true`.
//!
//! Such statements go out as they came, so everything in them must mean the same however names are
//! searched: defaults and checks are constants and built-in functions. Whatever else a definition may
//! hold (inheritance, foreign keys, generated columns, expressions in indexes) is left to those purposes.

use pg_query::NodeEnum;
use pg_query::protobuf as pb;

use crate::catalog::lists::{self, FunctionStatus};
use crate::catalog::{Catalog, QualifiedName, Relation, SearchPath};
use crate::sql::grammar::{Tree, Unknown};
use crate::sql::parsed::string_of;

/// `RELPERSISTENCE_TEMP`, pg_class.h
const TEMPORARY: &str = "t";

/// What names are looked up in.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub catalog: &'a Catalog,
    pub search_path: &'a SearchPath,
}

impl Names<'_> {
    /// Whether a statement defines, drops or tends nothing but the session's own.
    pub(super) fn are_all_own(self, node: &pb::Node) -> bool {
        match &node.node {
            Some(NodeEnum::CreateStmt(create)) => self.table(create),
            Some(NodeEnum::ViewStmt(view)) => view.view.as_ref().is_some_and(is_temporary),
            Some(NodeEnum::CreateSeqStmt(create)) => create.sequence.as_ref().is_some_and(is_temporary),
            Some(NodeEnum::IndexStmt(index)) => self.index(index),
            Some(NodeEnum::DropStmt(drop)) => self.drop(drop),
            Some(NodeEnum::TruncateStmt(truncate)) => self.all(&truncate.relations, |node| match &node.node {
                Some(NodeEnum::RangeVar(range)) => Some(range),
                _ => None, // TRUNCATE names nothing else
            }),
            Some(NodeEnum::VacuumStmt(vacuum)) => self.all(&vacuum.rels, |node| match &node.node {
                Some(NodeEnum::VacuumRelation(of)) => of.relation.as_ref(),
                _ => None, // VACUUM and ANALYZE name nothing else
            }),
            _ => false, // any other definition changes what others see
        }
    }

    fn all(self, nodes: &[pb::Node], range: fn(&pb::Node) -> Option<&pb::RangeVar>) -> bool {
        !nodes.is_empty() && nodes.iter().all(|n| range(n).is_some_and(|r| self.is_own(r)))
    }

    fn is_own(self, range: &pb::RangeVar) -> bool {
        range.catalogname.is_empty() && self.own(&range.schemaname, &range.relname)
    }

    fn own(self, schema: &str, name: &str) -> bool {
        let temp = self.catalog.temp_schema.as_deref();
        match schema {
            "pg_temp" => true,
            // Where another relation has the name too, it could be meant by the time that this runs: a statement on
            // its way may drop the session's own.
            "" => {
                let schemas = self.search_path.schemas().iter().map(String::as_str);
                let mut found = schemas.filter(|schema| self.find(schema, name).is_some());
                temp.is_some() && found.next() == temp && found.next().is_none()
            }
            schema => Some(schema) == temp && self.find(schema, name).is_some(),
        }
    }

    fn find(&self, schema: &str, name: &str) -> Option<&Relation> {
        self.catalog.relation(&QualifiedName::new(schema, name)).map(|r| &**r)
    }

    fn table(self, create: &pb::CreateStmt) -> bool {
        create.relation.as_ref().is_some_and(is_temporary)
            && create.inh_relations.is_empty()
            && create.of_typename.is_none()
            && create.partspec.is_none()
            && create.partbound.is_none()
            && create.constraints.iter().all(|c| self.element(c))
            && create.table_elts.iter().all(|e| self.element(e))
    }

    /// A column or constraint.
    fn element(self, node: &pb::Node) -> bool {
        match &node.node {
            Some(NodeEnum::ColumnDef(column)) => {
                column.raw_default.is_none() && column.constraints.iter().all(|c| self.element(c))
            }
            // Of a table: its columns, and what its owner gave them.
            Some(NodeEnum::TableLikeClause(_)) => true,
            Some(NodeEnum::Constraint(constraint)) => match pb::ConstrType::try_from(constraint.contype) {
                Ok(
                    pb::ConstrType::ConstrNull
                    | pb::ConstrType::ConstrNotnull
                    | pb::ConstrType::ConstrIdentity
                    | pb::ConstrType::ConstrPrimary
                    | pb::ConstrType::ConstrUnique
                    | pb::ConstrType::ConstrAttrDeferrable
                    | pb::ConstrType::ConstrAttrNotDeferrable
                    | pb::ConstrType::ConstrAttrDeferred
                    | pb::ConstrType::ConstrAttrImmediate,
                ) => true,
                Ok(pb::ConstrType::ConstrDefault | pb::ConstrType::ConstrCheck) => {
                    let expression = constraint.raw_expr.as_deref().map(Tree::of);
                    matches!(expression, Some(Ok(tree)) if self.expression(tree))
                }
                Ok(_) | Err(_) => false,
            },
            _ => false, // nothing else stands in a table's definition
        }
    }

    /// Made of constants, columns, and built-in functions and operators that no other has the name of.
    fn expression(self, tree: Tree<'_>) -> bool {
        let own = match tree {
            Tree::AConst(_)
            | Tree::ColumnRef(_)
            | Tree::TypeCast(_)
            | Tree::TypeName(_)
            | Tree::BoolExpr(_)
            | Tree::NullTest(_)
            | Tree::BooleanTest(_)
            | Tree::SqlvalueFunction(_)
            | Tree::AArrayExpr(_)
            | Tree::List(_)
            | Tree::String(_)
            | Tree::Integer(_)
            | Tree::Float(_)
            | Tree::Boolean(_) => true,
            Tree::AExpr(e) => {
                let name = e.name.last().and_then(string_of).unwrap_or_default();
                let builtin = self.catalog.operators_named(name).all(|o| {
                    let trusted = o.extension.as_deref().is_some_and(lists::trusted_extension);
                    trusted || o.name.schema == "pg_catalog" || !self.search_path.schemas().contains(&o.name.schema)
                });
                builtin && (lists::operator_allowed(name) || !name.contains(|c: char| !c.is_ascii_alphabetic()))
            }
            Tree::FuncCall(call) => {
                let name = call.funcname.last().and_then(string_of).unwrap_or_default();
                let builtin = self
                    .catalog
                    .functions_named(name)
                    .all(|f| f.name.schema == "pg_catalog");
                let listed = lists::function(name, call.args.len(), call.func_variadic);
                builtin && matches!(listed, FunctionStatus::Allowed { .. })
            }
            _ => false, // sub-queries and what else may reach further
        };
        let mut below = own;
        let walked: Result<(), Unknown> = tree.each_child(&mut |child| {
            below = below && self.expression(child);
            Ok(())
        });
        below && walked.is_ok()
    }

    fn index(self, index: &pb::IndexStmt) -> bool {
        let plain = |node: &pb::Node| matches!(&node.node, Some(NodeEnum::IndexElem(e)) if e.expr.is_none());
        index.relation.as_ref().is_some_and(|r| self.is_own(r))
            && index.where_clause.is_none()
            && index.index_params.iter().all(plain)
    }

    fn drop(self, drop: &pb::DropStmt) -> bool {
        let of_relations = matches!(
            pb::ObjectType::try_from(drop.remove_type),
            Ok(pb::ObjectType::ObjectTable
                | pb::ObjectType::ObjectView
                | pb::ObjectType::ObjectSequence
                | pb::ObjectType::ObjectIndex)
        );
        let own = |node: &pb::Node| {
            let Some(NodeEnum::List(list)) = &node.node else {
                return false;
            };
            let parts: Vec<&str> = list.items.iter().filter_map(string_of).collect();
            match parts.as_slice() {
                [name] => self.own("", name),
                [schema, name] => self.own(schema, name),
                _ => false,
            }
        };
        of_relations && !drop.objects.is_empty() && drop.objects.iter().all(own)
    }
}

fn is_temporary(range: &pb::RangeVar) -> bool {
    range.catalogname.is_empty()
        && (range.schemaname.is_empty() && range.relpersistence == TEMPORARY || range.schemaname == "pg_temp")
}
