//! Column references: which column a name means, and what must become of it in the text.
//!
//! Follows `colNameToVar` and `transformColumnRef` of PostgreSQL.

use pg_query::protobuf as pb;

use crate::catalog::Oid;
use crate::pipeline::Position;
use crate::policy::Code;
use crate::sql::grammar::Tree;

use super::names::parts;
use super::scope::{Item, Scope, Sources};
use super::value::{Place, Returning, Value};
use super::{BaseColumn, LongReference, OutputColumn, Problem, Resolver, Result, TargetReference};

/// Columns that every stored table has besides its own (`system_columns`, heap.c).
const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];

impl Resolver<'_> {
    /// Notes columns of a relation's use, for GROUP BY.
    pub(super) fn meet<'n>(&mut self, use_index: Option<usize>, names: impl Iterator<Item = &'n str>) {
        if let Some(index) = use_index {
            self.met.extend(names.map(|name| (index, name.to_owned())));
        }
    }

    /// Notes that columns are used.
    pub(super) fn use_columns(&mut self, sources: &Sources, position: Option<Position>) {
        self.out.touched.extend(sources.iter().copied());
        if let Some(position) = position {
            self.out.columns.extend(sources.iter().map(|c| (*c, position)));
        }
    }

    /// A column reference in an expression (`transformColumnRef`, parse_expr.c).
    pub(super) fn column(&mut self, reference: &pb::ColumnRef, place: Place<'_>) -> Result<Value> {
        let at = usize::try_from(reference.location).ok();
        if let Some(Ok(Tree::AStar(_))) = reference.fields.last().map(Tree::of) {
            let items = self.star_items(reference, place.scope)?;
            return self.whole_rows(&items, place, at);
        }
        let fields = parts(&reference.fields);
        if fields.len() != reference.fields.len() {
            return Err(Problem::refuse(
                Code::NotUnderstood,
                "this reference is not understood",
                at,
            ));
        }
        match fields.as_slice() {
            [name] => self.unqualified(name, reference, place),
            [.., relation, name] => {
                let item = self.item(&fields, relation, 1, place.scope, at)?;
                self.long_reference(&item, fields.len(), 1, place.scope, at)?;
                self.column_of(&item, name, fields.len(), place, at)
            }
            [] => Err(Problem::refuse(
                Code::NotUnderstood,
                "this reference is not understood",
                at,
            )),
        }
    }

    pub(super) fn unqualified(&mut self, name: &str, reference: &pb::ColumnRef, place: Place<'_>) -> Result<Value> {
        let at = usize::try_from(reference.location).ok();
        let mut open: Option<Sources> = None;
        for level in place.scope.levels() {
            let found = matches_at(level, name);
            if found.is_empty() {
                if open.is_none() && level.items.iter().any(|i| i.open && !i.qualified_only) {
                    open = Some(
                        level
                            .items
                            .iter()
                            .filter(|i| i.open)
                            .flat_map(Item::all_sources)
                            .collect(),
                    );
                }
                continue;
            }
            let target = found.iter().any(|f| f.target.is_some());
            if open.is_some() && target {
                let message = format!("whether \"{name}\" is a column of the written table cannot be told");
                return Err(Problem::refuse(Code::NotUnderstood, message, at).hint("qualify the column's name"));
            }
            if let [Found { system: Some(oid), .. }] = found.as_slice() {
                return self.system_column(*oid, name, at);
            }
            if target {
                self.target_reference(&found, 1, place, at)?;
            }
            return Ok(self.found(&found, open.unwrap_or_default(), place.position));
        }
        let row = place
            .scope
            .levels()
            .find_map(|l| l.items.iter().find(|i| i.name == name).cloned());
        if open.is_none() && row.is_none() {
            return Err(Problem::postgres(
                "42703",
                format!("column \"{name}\" does not exist"),
                at,
            ));
        }
        // Where columns cannot be told, it may be one of them as well as a row.
        let rows: Vec<Item> = row.into_iter().collect();
        let mut value = self.whole_rows(&rows, place, at)?;
        if let Some(sources) = open {
            self.use_columns(&sources, place.position);
            value.sources.extend(sources);
        }
        Ok(value)
    }

    pub(super) fn found(&mut self, found: &[Found], extra: Sources, position: Option<Position>) -> Value {
        for one in found {
            self.meet(one.use_index, std::iter::once(one.column.name.as_str()));
        }
        let mut sources = extra;
        sources.extend(found.iter().flat_map(|f| f.column.sources.iter().copied()));
        self.use_columns(&sources, position);
        self.out.named.extend(sources.iter().copied());
        let type_oid = match found {
            [only] => only.column.type_oid,
            _ => None,
        };
        Value {
            sources,
            type_oid,
            constant: false,
            total: true,
        }
    }

    pub(super) fn column_of(
        &mut self,
        item: &Item,
        name: &str,
        parts: usize,
        place: Place<'_>,
        at: Option<usize>,
    ) -> Result<Value> {
        if let Some(column) = item.columns.iter().find(|c| c.name == name) {
            let found = [Found {
                column: column.clone(),
                use_index: item.use_index,
                system: None,
                target: item.target,
            }];
            if item.target.is_some() {
                self.target_reference(&found, parts, place, at)?;
            }
            return Ok(self.found(&found, Sources::new(), place.position));
        }
        if let Some(oid) = item.relation
            && SYSTEM_COLUMNS.contains(&name)
        {
            return self.system_column(oid, name, at);
        }
        if item.open {
            self.field_selection(name, at)?;
            let sources = item.all_sources();
            self.use_columns(&sources, place.position);
            return Ok(Value {
                sources,
                ..Value::default()
            });
        }
        Err(Problem::postgres(
            "42703",
            format!("column {}.{name} does not exist", item.name),
            at,
        ))
    }

    pub(super) fn system_column(&mut self, oid: Oid, name: &str, at: Option<usize>) -> Result<Value> {
        self.out.system_columns.push((oid, name.to_owned(), at.unwrap_or(0)));
        Ok(Value {
            total: true,
            ..Value::default()
        })
    }

    pub(super) fn target_reference(
        &mut self,
        found: &[Found],
        parts: usize,
        place: Place<'_>,
        at: Option<usize>,
    ) -> Result<()> {
        let (column, target) = match found {
            [
                Found {
                    column,
                    target: Some(target),
                    ..
                },
            ] => (column, *target),
            _ => return Err(Problem::postgres("42702", "column reference is ambiguous", at)),
        };
        let (Some(location), Some(base)) = (at, column.sources.iter().next()) else {
            return Err(Problem::refuse(
                Code::NotUnderstood,
                "this reference is not understood",
                at,
            ));
        };
        let output_name = match place.returning {
            Returning::No => None,
            Returning::Inside | Returning::Whole => Some(column.name.clone()),
        };
        let whole = place.returning == Returning::Whole;
        let nearer = nearer_names(place.scope, |item| item.target == Some(target));
        let new = TargetReference {
            target,
            location,
            parts,
            column: base.column,
            output_name,
            whole,
            nearer,
        };
        if !self.out.target_references.contains(&new) {
            self.out.target_references.push(new);
        }
        Ok(())
    }

    /// Whole rows used as values: every column counts.
    pub(super) fn whole_rows(&mut self, items: &[Item], place: Place<'_>, at: Option<usize>) -> Result<Value> {
        let mut sources = Sources::new();
        for item in items {
            if item.target.is_some() {
                let message = "the whole row of a written table cannot be used";
                return Err(Problem::refuse(Code::NotUnderstood, message, at).hint("name the columns"));
            }
            sources.extend(item.all_sources());
        }
        self.use_columns(&sources, place.position);
        Ok(Value {
            sources,
            ..Value::default()
        })
    }

    /// The items that a star means: all of this level, or the one it names.
    pub(super) fn star_items(&mut self, reference: &pb::ColumnRef, scope: &Scope<'_>) -> Result<Vec<Item>> {
        let at = usize::try_from(reference.location).ok();
        let fields = parts(&reference.fields);
        match fields.as_slice() {
            [] => Ok(scope.items.iter().filter(|i| !i.qualified_only).cloned().collect()),
            [.., relation] => {
                let item = self.item(&fields, relation, 0, scope, at)?;
                self.long_reference(&item, fields.len() + 1, 1, scope, at)?;
                Ok(vec![item])
            }
        }
    }

    /// The item of that name that is nearest (`refnameNamespaceItem`); `fields` may carry schema and
    /// database before the name, and `behind` parts after it.
    pub(super) fn item(
        &self,
        fields: &[&str],
        relation: &str,
        behind: usize,
        scope: &Scope<'_>,
        at: Option<usize>,
    ) -> Result<Item> {
        let before = fields
            .get(..fields.len().saturating_sub(1 + behind))
            .unwrap_or_default();
        let schema = match before {
            [] => None,
            [schema] => Some(*schema),
            [database, schema] if *database == self.env.catalog.database => Some(*schema),
            _ => {
                return Err(Problem::postgres(
                    "42P01",
                    "cross-database references are not implemented",
                    at,
                ));
            }
        };
        scope
            .levels()
            .find_map(|level| {
                level
                    .items
                    .iter()
                    .find(|i| i.name == relation && (schema.is_none() || i.schema.as_deref() == schema))
            })
            .cloned()
            .ok_or_else(|| {
                Problem::postgres(
                    "42P01",
                    format!("missing FROM-clause entry for table \"{relation}\""),
                    at,
                )
            })
    }

    /// `schema.table.column`: its schema goes where the table becomes a sub-select, so nothing nearer
    /// may bear the table's name.
    pub(super) fn long_reference(
        &mut self,
        item: &Item,
        parts: usize,
        behind: usize,
        scope: &Scope<'_>,
        at: Option<usize>,
    ) -> Result<()> {
        let drop = parts.saturating_sub(1 + behind);
        if let (Some(location), Some(relation), true) = (at, item.named, drop > 0) {
            let is_it = |i: &Item| i.named == item.named && i.name == item.name && i.schema == item.schema;
            if nearer_names(scope, is_it).contains(&item.name) {
                let message = format!("\"{}\" stands for two tables here", item.name);
                return Err(Problem::refuse(Code::NotUnderstood, message, at).hint("give one of them another alias"));
            }
            let new = LongReference {
                location,
                drop,
                relation,
            };
            if !self.out.long_references.contains(&new) {
                self.out.long_references.push(new);
            }
        }
        Ok(())
    }
}

/// The names in scope that are nearer than the item, or beside it.
fn nearer_names(scope: &Scope<'_>, is_it: impl Fn(&Item) -> bool) -> Vec<String> {
    let mut names = Vec::new();
    for level in scope.levels() {
        names.extend(level.items.iter().filter(|i| !is_it(i)).map(|i| i.name.clone()));
        if level.items.iter().any(&is_it) {
            break;
        }
    }
    names
}

/// A column that an unqualified name may mean at one level.
pub(super) struct Found {
    column: OutputColumn,
    /// The use of the relation whose column it is.
    use_index: Option<usize>,
    system: Option<Oid>,
    target: Option<usize>,
}

fn matches_at(level: &Scope<'_>, name: &str) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut hidden: Vec<std::ops::Range<usize>> = Vec::new();
    // The outermost join's merged column is the one that is seen.
    for merged in level.merged.iter().rev().filter(|m| m.column.name == name) {
        if !hidden
            .iter()
            .any(|h| h.start <= merged.hides.start && merged.hides.end <= h.end)
        {
            found.push(Found {
                column: merged.column.clone(),
                use_index: None,
                system: None,
                target: None,
            });
            hidden.push(merged.hides.clone());
        }
    }
    for (i, item) in level.items.iter().enumerate() {
        if item.qualified_only || hidden.iter().any(|h| h.contains(&i)) {
            continue;
        }
        if let Some(column) = item.columns.iter().find(|c| c.name == name) {
            found.push(Found {
                column: column.clone(),
                use_index: item.use_index,
                system: None,
                target: item.target,
            });
        } else if let Some(oid) = item.relation
            && SYSTEM_COLUMNS.contains(&name)
        {
            found.push(Found {
                column: OutputColumn::default(),
                use_index: None,
                system: Some(oid),
                target: item.target,
            });
        }
    }
    found
}

/// A stored relation's columns as output columns.
pub(super) fn base_columns(relation: &crate::catalog::Relation) -> Vec<OutputColumn> {
    relation
        .columns
        .iter()
        .map(|c| OutputColumn {
            name: c.name.clone(),
            sources: Sources::from([BaseColumn {
                relation: relation.oid,
                column: c.number,
            }]),
            type_oid: Some(c.type_oid),
        })
        .collect()
}
