//! CREATE VIEW, CREATE MATERIALIZED VIEW and CREATE TABLE AS: their columns come from name resolution, and
//! a view's definition is its query with everything qualified, as `pg_get_viewdef` would print it.

use pg_query::NodeEnum;
use pg_query::protobuf as pb;

use super::{Builder, Outcome, Statement, ident, names};
use crate::catalog::{Column, Oid, RelationKind};
use crate::sql::resolve::{Env, OutputColumn, resolve};

/// `unknown`, for what only PostgreSQL can tell: a view's own types are never looked at, since it is
/// read through.
const UNKNOWN: Oid = 705;

impl Builder {
    /// CREATE VIEW
    pub(super) fn create_view(&mut self, statement: &pb::ViewStmt, source: &Statement<'_>) -> Outcome {
        let range = statement.view.as_ref().ok_or("a view without a name")?;
        let Some(name) = self.name_for_new(range)? else {
            return Ok(());
        };
        let (definition, outputs) = self.query(statement.query.as_deref(), source)?;
        let columns = self.columns_of(outputs, &names(&statement.aliases));
        if statement.replace
            && let Some(index) = self.relation_index(&name.schema, &name.name)
        {
            self.edit_relation(index, |relation| {
                relation.definition = Some(definition);
                relation.columns = columns;
                for (column, number) in relation.columns.iter_mut().zip(1..) {
                    column.number = number;
                }
            });
            return Ok(());
        }
        self.new_relation(name, RelationKind::View, columns)?;
        let barrier = statement.options.iter().any(is_barrier);
        self.edit_relation(self.catalog.relations.len() - 1, |relation| {
            relation.definition = Some(definition);
            relation.security_barrier = barrier;
        });
        Ok(())
    }

    /// CREATE MATERIALIZED VIEW, CREATE TABLE AS
    pub(super) fn create_as(&mut self, statement: &pb::CreateTableAsStmt, source: &Statement<'_>) -> Outcome {
        let into = statement.into.as_ref().ok_or("AS without a name")?;
        let range = into.rel.as_ref().ok_or("AS without a name")?;
        let Some(name) = self.name_for_new(range)? else {
            return Ok(());
        };
        if statement.if_not_exists && self.relations.contains_key(&name) {
            return Ok(());
        }
        let kind = match pb::ObjectType::try_from(statement.objtype) {
            Ok(pb::ObjectType::ObjectMatview) => RelationKind::MaterializedView,
            _ => RelationKind::Table,
        };
        let (_, outputs) = self.query(statement.query.as_deref(), source)?;
        if let Some(unknown) = outputs.iter().find(|o| o.type_oid.is_none()) {
            return Err(format!(
                "the type of column {} cannot be told; cast it, or use a snapshot that `pgpurpose catalog` wrote",
                unknown.name
            ));
        }
        let columns = self.columns_of(outputs, &names(&into.col_names));
        self.new_relation(name, kind, columns)?;
        Ok(())
    }

    /// A query's text with all names qualified, and its columns.
    fn query(&mut self, query: Option<&pb::Node>, source: &Statement<'_>) -> Outcome<(String, Vec<OutputColumn>)> {
        let select = match query.and_then(|q| q.node.as_ref()) {
            Some(NodeEnum::SelectStmt(_)) => query_text(source)?,
            Some(_) | None => return Err("this query is not understood".to_owned()),
        };
        let parsed = crate::sql::parsed::parse(&select).map_err(|e| e.message)?;
        let [statement] = parsed.as_slice() else {
            return Err("this query is not understood".to_owned());
        };
        self.indexed();
        let path = self.path();
        let env = Env {
            catalog: &self.catalog,
            search_path: &path,
            // Whether a function may be called is asked where the view is used.
            allowed: &|_| true,
            parameters: &[],
            bare: false,
        };
        let resolved = resolve(statement, env).map_err(|p| p.message)?;
        let mut inserts: Vec<(usize, String)> = Vec::new();
        for relation in &resolved.relations {
            if relation.written.get(1).is_some_and(String::is_empty) {
                inserts.push((relation.location, format!("{}.", ident(&relation.name.schema))));
            }
        }
        for name in &resolved.qualifications {
            inserts.push((name.location, format!("{}.", ident(&name.schema))));
        }
        inserts.sort();
        inserts.dedup();
        let mut text = select.clone();
        for (at, piece) in inserts.iter().rev() {
            if text.is_char_boundary(*at) {
                text.insert_str(*at, piece);
            }
        }
        Ok((text.trim_end().to_owned(), resolved.outputs))
    }

    fn columns_of(&self, outputs: Vec<OutputColumn>, aliases: &[&str]) -> Vec<Column> {
        let column = |(index, output): (usize, OutputColumn)| {
            let type_oid = output.type_oid.unwrap_or(UNKNOWN);
            Column {
                number: 0,
                name: aliases.get(index).map_or(output.name, |alias| (*alias).to_owned()),
                type_oid,
                type_sql: self.type_sql(type_oid, &[]),
                not_null: false,
                generated: false,
            }
        };
        outputs.into_iter().enumerate().map(column).collect()
    }
}

/// The text behind the AS that begins the query, up to WITH [NO] DATA or WITH CHECK OPTION.
fn query_text(source: &Statement<'_>) -> Outcome<String> {
    let missing = || "the query cannot be found in this statement".to_owned();
    let tokens = crate::sql::parsed::tokens(source.text).map_err(|e| e.message)?;
    let mut depth = 0usize;
    let mut start = None;
    for token in &tokens {
        match token.text(source.text) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            word if depth == 0 && word.eq_ignore_ascii_case("as") => {
                start = Some(token.end);
                break;
            }
            _ => {}
        }
    }
    let text = source.text.get(start.ok_or_else(missing)?..).ok_or_else(missing)?;
    // What may stand behind the query, and is no part of it.
    let mut ends: Vec<usize> = vec![text.len()];
    let tokens = crate::sql::parsed::tokens(text).map_err(|e| e.message)?;
    let words: Vec<(usize, String)> = tokens
        .iter()
        .map(|t| (t.start, t.text(text).to_ascii_lowercase()))
        .collect();
    for (index, (at, word)) in words.iter().enumerate() {
        let next = |n: usize| words.get(index + n).map(|(_, w)| w.as_str()).unwrap_or_default();
        let behind = match (next(1), next(2), next(3)) {
            ("data", "", _) | ("no", "data", "") | ("check", "option", "") => true,
            ("local" | "cascaded", "check", "option") => words.len() == index + 4,
            _ => false,
        };
        if word == "with" && behind {
            ends.push(*at);
        }
    }
    let end = ends.into_iter().min().unwrap_or(text.len());
    Ok(text.get(..end).unwrap_or(text).trim().to_owned())
}

fn is_barrier(option: &pb::Node) -> bool {
    let Some(NodeEnum::DefElem(option)) = &option.node else {
        return false;
    };
    let off = option.arg.as_deref().and_then(|arg| match &arg.node {
        Some(NodeEnum::String(s)) => Some(matches!(s.sval.as_str(), "false" | "off" | "no" | "0")),
        Some(NodeEnum::Integer(i)) => Some(i.ival == 0),
        _ => None,
    });
    option.defname == "security_barrier" && !off.unwrap_or(false)
}
