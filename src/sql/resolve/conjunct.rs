//! Conjuncts of WHERE that may move behind the fence: comparisons of one column with a constant, a parameter or a
//! column of another relation, by operators that cannot fail.
//!
//! Only an optimisation: what is not seen here stays outside the fence.

use pg_query::protobuf as pb;

use crate::sql::grammar::Tree;
use crate::sql::parsed::string_of;

use super::scope::{Item, Scope};
use super::value::Value;
use super::{Conjunct, JoinConjunct, OutputColumn, Resolver};

impl Resolver<'_> {
    /// Conjuncts of WHERE that compare a column of one relation with one constant or parameter.
    pub(super) fn conjuncts(&mut self, filter: Option<&pb::Node>, scope: &Scope<'_>) {
        let Some(Ok(tree)) = filter.map(Tree::of) else { return };
        match tree {
            Tree::BoolExpr(b) if b.boolop == pb::BoolExprType::AndExpr as i32 => {
                b.args.iter().for_each(|arg| self.conjuncts(Some(arg), scope));
            }
            Tree::AExpr(e) if e.kind == pb::AExprKind::AexprOp as i32 => {
                let _ = self.conjunct(e, scope);
            }
            _ => {} // an optimisation only: what is not simple stays outside the fence
        }
    }

    fn conjunct(&mut self, e: &pb::AExpr, scope: &Scope<'_>) -> Option<()> {
        let [operator] = e.name.as_slice() else { return None };
        let operator = string_of(operator)?;
        if !matches!(operator, "=" | "<" | ">" | "<=" | ">=") {
            return None;
        }
        let Tree::ColumnRef(reference) = Tree::of(e.lexpr.as_deref()?).ok()? else {
            return None;
        };
        let value = match Tree::of(e.rexpr.as_deref()?).ok()? {
            Tree::ParamRef(p) => p.location,
            Tree::AConst(c) if is_one_token(c) => c.location,
            Tree::ColumnRef(other) => {
                self.join_conjunct(operator, reference, other, scope);
                self.join_conjunct(mirrored(operator), other, reference, scope);
                return None;
            }
            _ => return None,
        };
        let (item, column) = owner(reference, scope)?;
        let (index, base) = (item.use_index?, column.sources.iter().next()?);
        let total = self.total_with_constant(operator, column);
        let slot = self.out.relations.get_mut(index)?;
        if total && slot.oid == base.relation {
            let new = Conjunct {
                column: base.column,
                operator: operator.to_owned(),
                value: usize::try_from(value).ok()?,
            };
            if !slot.conjuncts.contains(&new) {
                slot.conjuncts.push(new);
            }
        }
        Some(())
    }

    /// A comparison of a target's column with a column of another relation.
    fn join_conjunct(
        &mut self,
        operator: &str,
        reference: &pb::ColumnRef,
        other: &pb::ColumnRef,
        scope: &Scope<'_>,
    ) -> Option<()> {
        let (item, column) = owner(reference, scope)?;
        let (other_item, other_column) = owner(other, scope)?;
        let (target, base) = (item.target?, column.sources.iter().next()?);
        let value = |column: &OutputColumn| Value {
            type_oid: column.type_oid,
            total: true,
            ..Value::default()
        };
        if other_item.target.is_some() || !self.total_operator(operator, &value(column), &value(other_column)) {
            return None;
        }
        let new = JoinConjunct {
            column: base.column,
            operator: operator.to_owned(),
            other: usize::try_from(other.location).ok()?,
            parts: other.fields.len(),
        };
        let slot = self.out.relations.get_mut(target)?;
        if !slot.joins.contains(&new) {
            slot.joins.push(new);
        }
        Some(())
    }
}

/// The item and column of this level that a reference means, where only one can be meant.
fn owner<'s>(reference: &pb::ColumnRef, scope: &'s Scope<'_>) -> Option<(&'s Item, &'s OutputColumn)> {
    let fields: Vec<&str> = reference.fields.iter().filter_map(string_of).collect();
    let mut owners = scope.items.iter().filter_map(|item| match fields.as_slice() {
        [name] => item.columns.iter().find(|c| c.name == *name).map(|c| (item, c)),
        [relation, name] if item.name == *relation => item.columns.iter().find(|c| c.name == *name).map(|c| (item, c)),
        _ => None,
    });
    let found = owners.next()?;
    let alone = owners.next().is_none() && scope.merged.is_empty() && !scope.items.iter().any(|i| i.open);
    alone.then_some(found)
}

/// The operator that holds with its sides exchanged.
fn mirrored(operator: &str) -> &str {
    match operator {
        "<" => ">",
        ">" => "<",
        "<=" => ">=",
        ">=" => "<=",
        other => other,
    }
}

/// `-5` is one constant of two tokens.
fn is_one_token(constant: &pb::AConst) -> bool {
    match &constant.val {
        Some(pb::a_const::Val::Ival(i)) => i.ival >= 0,
        Some(pb::a_const::Val::Fval(f)) => !f.fval.starts_with('-'),
        Some(pb::a_const::Val::Boolval(_) | pb::a_const::Val::Sval(_) | pb::a_const::Val::Bsval(_)) | None => true,
    }
}
