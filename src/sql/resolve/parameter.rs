//! Parameters: which types they were declared with, and whether a cast of one is made when its value
//! comes in (`variable_coerce_param_hook`, parse_param.c) or once for each row.

use std::collections::BTreeMap;

use pg_query::protobuf as pb;

use crate::catalog::Oid;
use crate::sql::grammar::{Tree, Unknown};

/// `unknown` of `pg_type.dat`: declares nothing.
const UNKNOWN: Oid = 705;

/// The parameters of one statement.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    /// Types as declared, from `$1` on.
    declared: Vec<Oid>,
    /// The type that every occurrence of a parameter is cast to; none where one is not, or otherwise.
    casts: BTreeMap<i32, Option<pb::TypeName>>,
}

impl Parameters {
    /// Of a statement, with the types of its Parse message.
    pub(super) fn of(node: &pb::Node, declared: &[Oid]) -> Result<Self, Unknown> {
        let mut parameters = Self {
            declared: declared.to_vec(),
            casts: BTreeMap::new(),
        };
        parameters.walk(Tree::of(node)?, None)?;
        Ok(parameters)
    }

    /// The types of PREPARE.
    pub(super) fn declare(&mut self, types: Vec<Oid>) {
        self.declared = types;
    }

    /// The type that a parameter was declared with.
    pub(super) fn declared(&self, number: i32) -> Option<Oid> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.declared.get(index).copied().filter(|t| !matches!(*t, 0 | UNKNOWN))
    }

    /// Whether a cast gives the parameter its type, so that no cast is left for the rows.
    pub(super) fn takes_type_of_cast(&self, number: i32, target: Oid) -> bool {
        match self.declared(number) {
            Some(declared) => declared == target,
            None => matches!(self.casts.get(&number), Some(Some(_))),
        }
    }

    fn walk(&mut self, tree: Tree<'_>, cast: Option<&pb::TypeName>) -> Result<(), Unknown> {
        match tree {
            Tree::ParamRef(parameter) => {
                let cast = cast.map(|name| pb::TypeName {
                    location: 0,
                    ..name.clone()
                });
                let known = self.casts.entry(parameter.number).or_insert_with(|| cast.clone());
                if *known != cast {
                    *known = None;
                }
                Ok(())
            }
            Tree::TypeCast(cast) => {
                if let Some(argument) = cast.arg.as_deref() {
                    self.walk(Tree::of(argument)?, cast.type_name.as_ref())?;
                }
                Ok(())
            }
            other => other.each_child(&mut |child| self.walk(child, None)),
        }
    }
}
