//! Totality: which comparisons cannot fail, whatever the rows hold.

use pg_query::protobuf as pb;

use crate::catalog::{Oid, TypeKind, lists};
use crate::sql::grammar::Tree;

use super::value::{TEXT, Value};
use super::{OutputColumn, Resolver};

/// Domains over domains are followed so far.
const MAX_DOMAINS: usize = 16;

impl Resolver<'_> {
    pub(super) fn is_text(&self, value: &Value) -> bool {
        matches!(value.type_oid, Some(TEXT | 1043))
    }

    /// The name by which the list of total operators knows a type: of a domain, that of its base.
    pub(super) fn listed_type(&self, oid: Oid) -> Option<&str> {
        let mut found = self.env.catalog.type_by_oid(oid)?;
        for _ in 0..MAX_DOMAINS {
            match found.kind {
                TypeKind::Domain(base) => found = self.env.catalog.type_by_oid(base)?,
                TypeKind::Enum => return Some("anyenum"),
                TypeKind::Base | TypeKind::Composite(_) | TypeKind::Pseudo | TypeKind::Range | TypeKind::Multirange => {
                    return (found.name.schema == "pg_catalog").then_some(&found.name.name);
                }
            }
        }
        None
    }

    pub(super) fn total_operator(&self, name: &str, left: &Value, right: &Value) -> bool {
        let type_name = |v: &Value| v.type_oid.and_then(|t| self.listed_type(t));
        let (left_type, right_type) = match (type_name(left), type_name(right)) {
            (Some(l), Some(r)) => (l, r),
            // A literal or parameter takes the other side's type.
            (Some(l), None) if right.takes_type() => (l, l),
            (None, Some(r)) if left.takes_type() => (r, r),
            (None, None) if left.takes_type() && right.takes_type() => return true,
            _ => return false,
        };
        lists::operator_total(name, left_type, right_type)
    }

    /// A comparison with a literal or parameter.
    pub(super) fn total_with_constant(&self, operator: &str, column: &OutputColumn) -> bool {
        let value = Value {
            type_oid: column.type_oid,
            total: true,
            ..Value::default()
        };
        self.total_operator(operator, &value, &Value::constant(None))
    }

    /// The equality of a merged join column.
    pub(super) fn total_join(&self, left: Option<&OutputColumn>, right: Option<&OutputColumn>) -> bool {
        let value = |c: &OutputColumn| Value {
            type_oid: c.type_oid,
            total: true,
            ..Value::default()
        };
        matches!((left, right), (Some(l), Some(r)) if self.total_operator("=", &value(l), &value(r)))
    }

    pub(super) fn total_list(&self, operator: &str, left: &Value, right: Option<&pb::Node>) -> bool {
        let Some(Ok(Tree::List(list))) = right.map(Tree::of) else {
            return false;
        };
        list.items.iter().all(|n| match Tree::of(n) {
            Ok(Tree::AConst(_)) => self.total_operator(operator, left, &Value::constant(None)),
            Ok(Tree::ParamRef(p)) => {
                self.total_operator(operator, left, &Value::constant(self.parameters.declared(p.number)))
            }
            _ => false, // looks at rows, perhaps
        })
    }

    /// `left operator ANY (array)`, the array a constant or parameter.
    pub(super) fn total_any(&self, operator: &str, left: &Value, array: &Value) -> bool {
        let element = array
            .type_oid
            .map(|t| self.env.catalog.type_by_oid(t).map(|t| t.element));
        let element = match element {
            None => None,
            Some(Some(element)) if element != 0 => Some(element),
            Some(_) => return false,
        };
        array.constant && self.total_operator(operator, left, &Value::constant(element))
    }
}

/// LIKE with a constant pattern fails only where the pattern ends in the escape character
/// (`MatchText`, like_match.c).
pub(super) fn like_pattern_is_total(pattern: Option<&pb::Node>) -> bool {
    match pattern.and_then(crate::sql::parsed::constant_text) {
        Some(text) => {
            let escapes = text.chars().rev().take_while(|c| *c == '\\').count();
            escapes % 2 == 0
        }
        None => false,
    }
}
