//! `json: {keep: […]}`: an object with nothing but the paths kept. What is no object is hidden.

use std::collections::BTreeMap;

use super::kind::Kind;
use super::{Site, op};
use crate::policy::JsonPath;
use crate::rewrite::quote;

/// Keys to keep, each whole (no children) or with what is kept below it.
#[derive(Default)]
struct Tree(BTreeMap<String, Option<Tree>>);

/// How deep a kept path may be: each level is a level of the expression.
const DEEPEST: usize = 16;

pub(super) fn keep(paths: &[JsonPath], site: &Site<'_>) -> Result<String, String> {
    let mut tree = Tree::default();
    for JsonPath(keys) in paths {
        if keys.is_empty() || keys.len() > DEEPEST || keys.iter().any(|k| k.contains('\0')) {
            return Err(format!(
                "a path has from 1 to {DEEPEST} keys, and none of them holds NUL"
            ));
        }
        tree.add(keys);
    }
    let value = &site.value;
    match site.kind {
        Kind::Jsonb => {
            let is_object = op(&format!("pg_catalog.jsonb_typeof({value})"), "=", "'object'");
            Ok(format!(
                "(CASE WHEN {is_object} THEN {} END)",
                jsonb_object(&tree, &[], value)
            ))
        }
        Kind::Json => {
            // What json stores need not be readable: \u0000 and halves of surrogate pairs make
            // its operators fail. A value with such an escape, or one that looks so, is hidden.
            let text = format!("pg_catalog.lower({} COLLATE pg_catalog.\"C\")", site.text());
            let lacks = |escape: &str| {
                let place = format!("pg_catalog.strpos({text}, {})", quote::literal(escape));
                op(&place, "=", "0")
            };
            let is_object = op(&format!("pg_catalog.json_typeof({value})"), "=", "'object'");
            Ok(format!(
                "(CASE WHEN {} AND {} THEN CASE WHEN {is_object} THEN {} END END)",
                lacks("\\u0000"),
                lacks("\\ud"),
                site.typed(&json_object(&tree, &[], value))
            ))
        }
        Kind::Text
        | Kind::Varchar(_)
        | Kind::Bpchar(_)
        | Kind::Name
        | Kind::Citext
        | Kind::Bool
        | Kind::Int2
        | Kind::Int4
        | Kind::Int8
        | Kind::Numeric(_)
        | Kind::Float4
        | Kind::Float8
        | Kind::Date
        | Kind::Timestamp
        | Kind::Timestamptz
        | Kind::Uuid
        | Kind::Inet
        | Kind::Cidr
        | Kind::Other => Err("it needs a json or jsonb column".into()),
    }
}

impl Tree {
    /// A shorter path keeps all that a longer one below it would.
    fn add(&mut self, keys: &[String]) {
        let Some((first, rest)) = keys.split_first() else {
            return;
        };
        if rest.is_empty() {
            self.0.insert(first.clone(), None);
        } else if let Some(below) = self.0.entry(first.clone()).or_insert_with(|| Some(Self::default())) {
            below.add(rest);
        }
    }
}

/// The object of what is kept below `path`, joined of objects of one key each.
fn jsonb_object(tree: &Tree, path: &[&str], value: &str) -> String {
    let empty = "'{}'::pg_catalog.jsonb";
    let pieces = tree.0.iter().map(|(key, below)| {
        let path: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
        let at = op(value, "#>", &quote::text_array(path.iter().copied()));
        let (is_there, shown) = match below {
            None => (format!("{at} IS NOT NULL"), at),
            Some(below) => {
                let is_object = op(&format!("pg_catalog.jsonb_typeof({at})"), "=", "'object'");
                (is_object, jsonb_object(below, &path, value))
            }
        };
        let key = format!("{}::pg_catalog.text", quote::literal(key));
        format!("CASE WHEN {is_there} THEN pg_catalog.jsonb_build_object({key}, {shown}) ELSE {empty} END")
    });
    pieces.fold(empty.to_owned(), |joined, piece| op(&joined, "||", &piece))
}

/// The same as text, since json has no `||` and its numbers must not be read.
fn json_object(tree: &Tree, path: &[&str], value: &str) -> String {
    let pieces: Vec<String> = tree
        .0
        .iter()
        .map(|(key, below)| {
            let path: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
            let at = op(value, "#>", &quote::text_array(path.iter().copied()));
            let (is_there, shown) = match below {
                None => (format!("{at} IS NOT NULL"), format!("{at}::pg_catalog.text")),
                Some(below) => {
                    let is_object = op(&format!("pg_catalog.json_typeof({at})"), "=", "'object'");
                    (is_object, json_object(below, &path, value))
                }
            };
            let key = quote::literal(&format!("{}: ", serde_json::Value::from(key.as_str())));
            let member = op(&format!("{key}::pg_catalog.text"), "||", &shown);
            format!("CASE WHEN {is_there} THEN {member} END")
        })
        .collect();
    // array_to_string leaves NULLs, the keys that are not there, out.
    let members = format!(
        "pg_catalog.array_to_string(ARRAY[{}]::pg_catalog.text[], ', ')",
        pieces.join(", ")
    );
    let opened = op("'{'::pg_catalog.text", "||", &members);
    op(&opened, "||", "'}'::pg_catalog.text")
}
