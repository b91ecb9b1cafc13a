//! A catalog out of a schema file: the CREATE and ALTER statements that pg_dump writes or people keep
//! beside their migrations, read by PostgreSQL's own grammar and carried out upon the catalog of an
//! empty database.
//!
//! For tests and explanations without a server, and for what a session cannot know yet: how the later statements of
//! a script will find the catalog. What a statement does to the
//! catalog is done, or is known to be nothing, or is an error that says so: a schema that was read wrongly
//! would make tests of rules lie. DO blocks are the one exception, since nobody can tell what they do:
//! they are passed over, and the report says it. Knows no rule, and no file.

mod functions;
mod script;
mod statements;
mod tables;
mod types;
mod views;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pg_query::protobuf as pb;

use crate::catalog::{Catalog, Oid, QualifiedName, Relation, SearchPath, Type};

/// A schema that was read.
#[derive(Debug)]
pub struct Schema {
    /// What it makes of an empty database.
    pub catalog: Catalog,
    /// What was not looked at, in order.
    pub passed_over: Vec<Remark>,
}

/// Something about a statement of a schema file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Line of the statement's first word, from 1.
    pub line: usize,
    /// What, lower case.
    pub message: String,
}

/// Carries out the statements of `text` upon `base`, the catalog of an empty database.
///
/// # Errors
/// Every statement that cannot be read or carried out, in order.
pub fn read(text: &str, base: Catalog) -> Result<Schema, Vec<Remark>> {
    let sql = script::statements_only(text);
    let parsed = match pg_query::parse(&sql, 0) {
        Ok(parsed) => parsed,
        Err(error) => return Err(vec![unreadable(&sql, &error)]),
    };
    let mut builder = Builder::new(base);
    let mut errors = Vec::new();
    for raw in &parsed.protobuf.stmts {
        let start = usize::try_from(raw.stmt_location).unwrap_or(0);
        let line = script::line_of_first_word(&sql, start);
        let end = match usize::try_from(raw.stmt_len) {
            Ok(0) | Err(_) => sql.len(),
            Ok(len) => start + len,
        };
        let statement = Statement {
            line,
            text: sql.get(start..end).unwrap_or_default(),
        };
        let node = raw.stmt.as_deref().and_then(|n| n.node.as_ref());
        if let Some(Err(message)) = node.map(|node| builder.run(node, &statement)) {
            errors.push(Remark { line, message });
        }
    }
    if errors.is_empty() {
        Ok(Schema {
            catalog: builder.catalog.indexed(),
            passed_over: builder.passed_over,
        })
    } else {
        Err(errors)
    }
}

/// The catalog as the next statement of the same message finds it; `None` where the statement changes nothing of
/// it, or nobody can tell: then what it makes is not known, and cannot be named.
pub fn after(statement: &str, catalog: &Catalog, search_path: &[String]) -> Option<Catalog> {
    let parsed = pg_query::parse(statement, 0).ok()?.protobuf;
    let [raw] = parsed.stmts.as_slice() else {
        return None;
    };
    let node = raw.stmt.as_deref().and_then(|n| n.node.as_ref())?;
    let relations = catalog.relations.iter().map(|r| r.oid);
    let highest = relations.chain(catalog.types.iter().map(|t| t.oid)).max();
    let mut builder = Builder::new(catalog.clone());
    builder.in_session = true;
    builder.next_oid = highest.unwrap_or_default().max(FIRST_OID);
    builder.search_path = search_path.to_vec();
    let statement = Statement {
        line: 1,
        text: statement,
    };
    builder.run(node, &statement).ok()?;
    builder.dirty.then(|| builder.catalog.indexed())
}

fn unreadable(sql: &str, error: &pg_query::Error) -> Remark {
    let (message, at) = match error {
        pg_query::Error::Parse(message) => {
            let place = super::parsed::position_of_error(sql, message);
            (message.clone(), place.unwrap_or(0))
        }
        other => (other.to_string(), 0),
    };
    let line = sql.get(..at).unwrap_or_default().matches('\n').count() + 1;
    Remark { line, message }
}

/// One statement of the file.
struct Statement<'t> {
    line: usize,
    text: &'t str,
}

/// The first oid of an object that is not PostgreSQL's own (`FirstNormalObjectId`).
const FIRST_OID: Oid = 16384;

/// Words of an error.
type Outcome<T = ()> = Result<T, String>;

/// A catalog in the making. Its index is stale while `dirty`.
struct Builder {
    catalog: Catalog,
    dirty: bool,
    next_oid: Oid,
    /// The setting, as in a session.
    search_path: Vec<String>,
    types: HashMap<QualifiedName, Oid>,
    arrays: HashMap<Oid, Oid>,
    relations: HashMap<QualifiedName, Oid>,
    /// Temporary objects are no part of a schema file.
    temporary: HashSet<String>,
    /// It is a session's catalog, which has its temporary objects.
    in_session: bool,
    /// Sequences of columns whose table is not there yet.
    unowned: Vec<QualifiedName>,
    /// Extensions that the file asks for, whose objects are not known here.
    extensions: Vec<String>,
    passed_over: Vec<Remark>,
}

impl Builder {
    fn new(base: Catalog) -> Self {
        let types = base.types.iter().map(|t| (t.name.clone(), t.oid)).collect();
        let arrays = base.types.iter().filter(|t| t.category == 'A' && t.element != 0);
        let arrays = arrays.map(|t| (t.element, t.oid)).collect();
        let relations = base.relations.iter().map(|r| (r.name.clone(), r.oid)).collect();
        Self {
            catalog: base,
            dirty: false,
            next_oid: FIRST_OID,
            search_path: vec!["$user".to_owned(), "public".to_owned()],
            types,
            arrays,
            relations,
            temporary: HashSet::new(),
            in_session: false,
            unowned: Vec::new(),
            extensions: Vec::new(),
            passed_over: Vec::new(),
        }
    }

    fn oid(&mut self) -> Oid {
        self.next_oid += 1;
        self.next_oid
    }

    /// The catalog with its index up to date.
    fn indexed(&mut self) -> &Catalog {
        if self.dirty {
            self.catalog = std::mem::take(&mut self.catalog).indexed();
            self.dirty = false;
        }
        &self.catalog
    }

    fn path(&self) -> SearchPath {
        SearchPath::new(&self.search_path, "", &self.catalog)
    }

    /// The schema in which a new object is made: the one it names, or the first of the path.
    fn schema_for_new(&self, schema: &str) -> Outcome<String> {
        if !schema.is_empty() {
            return match self.catalog.schemas.iter().any(|s| s == schema) {
                true => Ok(schema.to_owned()),
                false => Err(format!("schema \"{schema}\" does not exist")),
            };
        }
        let path = self.path();
        let first = path
            .schemas()
            .iter()
            .find(|s| *s != "pg_catalog" || self.names_catalog());
        first
            .cloned()
            .ok_or_else(|| "no schema has been selected to create in".to_owned())
    }

    /// What a new relation will be called; `None` where it is temporary and that is no part of the schema.
    fn name_for_new(&mut self, range: &pb::RangeVar) -> Outcome<Option<QualifiedName>> {
        let schema = match range.relpersistence == "t" || range.schemaname == "pg_temp" {
            true if self.in_session => self.temp_schema(),
            true => {
                self.temporary.insert(range.relname.clone());
                return Ok(None);
            }
            false => self.schema_for_new(&range.schemaname)?,
        };
        Ok(Some(QualifiedName::new(schema, &range.relname)))
    }

    /// The session's own schema: before there is one, under the name that means it in any session.
    fn temp_schema(&mut self) -> String {
        if let Some(schema) = &self.catalog.temp_schema {
            return schema.clone();
        }
        let schema = "pg_temp".to_owned();
        self.catalog.schemas.push(schema.clone());
        self.catalog.temp_schema = Some(schema.clone());
        self.dirty = true;
        schema
    }

    fn names_catalog(&self) -> bool {
        self.search_path.iter().any(|s| s == "pg_catalog")
    }

    /// The relation that a name means; its place in the list.
    fn relation_index(&self, schema: &str, name: &str) -> Option<usize> {
        let temp = self.catalog.temp_schema.as_deref();
        let oid = match schema {
            "pg_temp" => self.relations.get(&QualifiedName::new(temp?, name)),
            "" => {
                let path = self.path();
                let mut schemas = path.schemas().iter();
                schemas.find_map(|s| self.relations.get(&QualifiedName::new(s, name)))
            }
            schema => self.relations.get(&QualifiedName::new(schema, name)),
        }?;
        self.catalog.relations.iter().position(|r| r.oid == *oid)
    }

    fn range(&self, range: &pb::RangeVar) -> Outcome<usize> {
        self.relation_index(&range.schemaname, &range.relname)
            .ok_or_else(|| format!("relation \"{}\" does not exist", written(range)))
    }

    /// A temporary object, made by this file or named as one.
    fn is_temporary(&self, schema: &str, name: &str) -> bool {
        !self.in_session && (schema == "pg_temp" || (schema.is_empty() && self.temporary.contains(name)))
    }

    fn edit_relation(&mut self, index: usize, edit: impl FnOnce(&mut Relation)) {
        if let Some(relation) = self.catalog.relations.get_mut(index) {
            edit(Arc::make_mut(relation));
            self.dirty = true;
        }
    }

    fn add_relation(&mut self, relation: Relation) -> Outcome {
        if self.relations.contains_key(&relation.name) {
            return Err(format!("relation \"{}\" already exists", relation.name));
        }
        self.relations.insert(relation.name.clone(), relation.oid);
        self.catalog.relations.push(Arc::new(relation));
        self.dirty = true;
        Ok(())
    }

    fn add_type(&mut self, of: Type) -> Outcome {
        if self.types.contains_key(&of.name) {
            return Err(format!("type \"{}\" already exists", of.name));
        }
        if of.category == 'A' && of.element != 0 {
            self.arrays.insert(of.element, of.oid);
        }
        self.types.insert(of.name.clone(), of.oid);
        self.catalog.types.push(of);
        self.dirty = true;
        Ok(())
    }
}

fn written(range: &pb::RangeVar) -> String {
    match range.schemaname.as_str() {
        "" => range.relname.clone(),
        schema => format!("{schema}.{}", range.relname),
    }
}

/// The texts of a list of names.
fn names(nodes: &[pb::Node]) -> Vec<&str> {
    nodes.iter().filter_map(super::parsed::string_of).collect()
}

/// Schema and name of a dotted name; the schema is empty where it is not given.
fn dotted(nodes: &[pb::Node]) -> Outcome<(String, String)> {
    match names(nodes).as_slice() {
        [name] => Ok((String::new(), (*name).to_owned())),
        [schema, name] => Ok(((*schema).to_owned(), (*name).to_owned())),
        _ => Err("this name is not understood".to_owned()),
    }
}

/// As `quote_identifier` has it: keywords are quoted, but for unreserved ones.
fn is_reserved(name: &str) -> bool {
    let unreserved = [
        pb::KeywordKind::NoKeyword as i32,
        pb::KeywordKind::UnreservedKeyword as i32,
    ];
    let scanned = pg_query::scan(name);
    scanned.map_or(true, |s| {
        s.tokens.iter().any(|token| !unreserved.contains(&token.keyword_kind))
    })
}

/// A name as SQL.
fn ident(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if plain && !is_reserved(name) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

fn qualified(name: &QualifiedName) -> String {
    format!("{}.{}", ident(&name.schema), ident(&name.name))
}
