//! The rules' own SQL (`where` of a row filter, `sql:` of a mask), bound to the schema: every name
//! qualified, every reference to the table's columns told apart, so that it means the same wherever
//! it is put.

use crate::catalog::{Relation, SearchPath};
use crate::sql::parsed;
use crate::sql::resolve::{self, Env, QualifiedKind, Resolved, Use};

use super::places::Places;
use super::quote;

/// An expression over one table's columns, ready to be put under any alias.
#[derive(Debug, Clone)]
pub struct Bound {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    /// A column, and the names that hide the table's where it stands.
    Column(String, Vec<String>),
}

impl Bound {
    /// The expression, in parentheses, with the table known as `alias` (already quoted).
    ///
    /// # Errors
    /// A sub-query of the expression uses that name for something else.
    pub fn under(&self, alias: &str) -> Result<String, String> {
        let mut out = String::from("(");
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Column(name, nearer) => {
                    if nearer.iter().any(|n| quote::ident(n) == alias) {
                        return Err(format!(
                            "the rule uses the name {alias} itself: give the table another alias"
                        ));
                    }
                    out.push_str(alias);
                    out.push('.');
                    out.push_str(&quote::ident(name));
                }
            }
        }
        out.push(')');
        Ok(out)
    }
}

/// Binds an expression, which may call the table `known_as`: of a partition, its parent's name.
///
/// # Errors
/// Why it does not fit the schema, for the DBA.
pub fn bind(expression: &str, relation: &Relation, known_as: &str, env: Env<'_>) -> Result<Bound, String> {
    let alias = if known_as == relation.name.name {
        String::new()
    } else {
        format!("AS {} ", quote::ident(known_as))
    };
    let prefix = format!("DELETE FROM {} {alias}WHERE (", quote::qualified(&relation.name));
    let text = format!("{prefix}{expression}\n) IS NULL");
    let statements = parsed::parse(&text).map_err(|e| e.message)?;
    let [statement] = statements.as_slice() else {
        return Err("it is not one expression".into());
    };
    let public = SearchPath::new(&["public".to_owned()], "", env.catalog);
    let trusted = |_: &crate::catalog::Function| true; // the rules' author vouches for what the rules call
    let client = env.search_path;
    let env = Env {
        search_path: &public,
        allowed: &trusted,
        parameters: &[],
        ..env
    };
    let resolved = resolve::resolve(statement, env).map_err(|p| p.message)?;
    operators_are_the_same(&resolved, client, env)?;
    let tokens = parsed::tokens(&text).map_err(|e| e.message)?;
    let places = Places::new(&text, &tokens);
    let misplaced = |_| "a name is not where it should be".to_owned();

    let mut cuts: Vec<(std::ops::Range<usize>, Piece)> = Vec::new();
    for reference in &resolved.target_references {
        let range = places.name(reference.location, reference.parts).map_err(misplaced)?;
        let column = relation
            .columns
            .iter()
            .find(|c| c.number == reference.column)
            .ok_or("a column is unknown")?;
        cuts.push((range, Piece::Column(column.name.clone(), reference.nearer.clone())));
    }
    for name in &resolved.qualifications {
        debug_assert!(matches!(name.kind, QualifiedKind::Function | QualifiedKind::Type));
        cuts.push((
            name.location..name.location,
            Piece::Text(format!("{}.", quote::ident(&name.schema))),
        ));
    }
    for used in &resolved.relations {
        if used.usage == Use::Read && used.written[1].is_empty() {
            cuts.push((
                used.location..used.location,
                Piece::Text(format!("{}.", quote::ident(&used.name.schema))),
            ));
        }
    }
    let end = prefix.len() + expression.len();
    cuts.retain(|(range, _)| range.start >= prefix.len() && range.end <= end);
    cuts.sort_by_key(|(range, _)| (range.start, range.end));
    let mut pieces = Vec::new();
    let mut at = prefix.len();
    for (range, piece) in cuts {
        let before = text.get(at..range.start).ok_or("names overlap")?;
        pieces.push(Piece::Text(before.to_owned()));
        pieces.push(piece);
        at = range.end;
    }
    pieces.push(Piece::Text(text.get(at..end).ok_or("names overlap")?.to_owned()));
    Ok(Bound { pieces })
}

/// The rule's operators stand under the client's search_path, which must not bring others of the same
/// name, nor search `public` before `pg_catalog`. (Spelt `OPERATOR(…)` they would bind differently.)
fn operators_are_the_same(resolved: &Resolved, client: &SearchPath, env: Env<'_>) -> Result<(), String> {
    let schemas = client.schemas();
    let builtin = schemas.iter().position(|s| s == "pg_catalog");
    let brought = |schema: &String| match schemas.iter().position(|s| s == schema) {
        Some(at) => schema != "pg_catalog" && (schema != "public" || builtin.is_none_or(|builtin| at < builtin)),
        None => false,
    };
    for name in &resolved.operators {
        if let Some(other) = env.catalog.operators_named(name).find(|o| brought(&o.name.schema)) {
            return Err(format!("the search_path brings another operator {}", other.name));
        }
    }
    Ok(())
}
