//! The plan of one statement: each relation's release, and the edits that bring it about.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use crate::catalog::lists::{self, CatalogForm};
use crate::catalog::{Oid, Relation, RelationKind};
use crate::policy::{Admission, Code, Denial, Policy, Verb};
use crate::sql::lexer::Token;
use crate::sql::resolve::{
    BaseColumn, Conjunct, Env, LongReference, QualifiedKind, RelationUse, Resolved, Use, ViewUse, is_system,
};

use super::edit::{EditKind, Edits, Fragment, FragmentCheck};
use super::places::{Misplaced, Places};
use super::released::{Decided, Gap, Release, release};
use super::{aggregate, printer, quote, rows, write};

/// A refusal found while planning.
#[derive(Debug)]
pub struct Refused {
    /// The policy's words.
    pub denial: Box<Denial>,
    /// No rule speaks of it.
    pub gap: Gap,
    /// Byte offset.
    pub position: Option<usize>,
}

impl Refused {
    /// With a code and words, nothing else.
    pub fn new(code: Code, message: impl Into<String>, position: Option<usize>) -> Self {
        let denial = Denial {
            code,
            message: message.into(),
            detail: None,
            hint: None,
            rule: None,
        };
        Self {
            denial: Box::new(denial),
            gap: Gap::No,
            position,
        }
    }

    /// The same once more.
    pub fn again(&self) -> Self {
        Self {
            denial: self.denial.clone(),
            ..*self
        }
    }

    /// With a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.denial.hint = Some(hint.into());
        self
    }
}

impl From<Misplaced> for Refused {
    fn from(_: Misplaced) -> Self {
        Self::new(Code::NotUnderstood, "the text is not where its tree says", None)
    }
}

/// What planning needs.
pub struct Planner<'a, 'p> {
    /// The rules.
    pub policy: &'p Policy,
    /// The admission; none where no purpose is declared.
    pub admission: Option<&'a Admission<'p>>,
    /// Names.
    pub env: Env<'a>,
}

/// A statement's edits and what was decided on the way.
pub struct Planned<'p> {
    /// The edits.
    pub edits: Edits,
    /// Decisions by relation, views' base tables among them.
    pub decided: HashMap<Oid, Box<Decided<'p>>>,
    /// Of an aggregate-only purpose, what views with people's rows give.
    pub views: HashMap<Oid, aggregate::Level>,
}

impl<'p> Planner<'_, 'p> {
    /// Plans a statement, or a view's definition.
    ///
    /// # Errors
    /// What may not be released.
    pub fn plan(
        &self,
        text: &str,
        tokens: &[Token],
        span: Range<usize>,
        resolved: &Resolved,
    ) -> Result<Planned<'p>, Refused> {
        let mut planned = Planned {
            edits: Edits::default(),
            decided: HashMap::new(),
            views: HashMap::new(),
        };
        let places = Places::new(text, tokens);
        let fence = resolved.partial;
        let mut through: Vec<Oid> = Vec::new();
        for used in &resolved.relations {
            if self.relation(used, resolved, &places, fence, &mut planned)? {
                through.push(used.oid);
            }
        }
        for name in &resolved.qualifications {
            let text = format!("{}.", quote::ident(&name.schema));
            let (location, schema) = (name.location, name.schema.clone());
            let kind = match name.kind {
                QualifiedKind::Function => EditKind::QualifyFunction { location, schema },
                QualifiedKind::Type => EditKind::QualifyType { location, schema },
            };
            planned.edits.push(location..location, text, kind);
        }
        for printer in &resolved.printers {
            let (opening, closing) = places.call(printer.location, printer.parts)?;
            let (before, after) = printer::texts(printer);
            let location = printer.location;
            let close = (after.clone(), EditKind::PrinterClose { location });
            planned.edits.push(
                opening,
                before.clone(),
                EditKind::PrinterOpen {
                    location,
                    before,
                    after,
                },
            );
            planned.edits.push(closing, close.0, close.1);
        }
        self.references(resolved, &places, &through, &mut planned)?;
        self.grouped(resolved, &places, &through, &mut planned)?;
        write::plan(self, resolved, &places, span, &mut planned)?;
        Ok(planned)
    }

    fn catalog_relation(&self, oid: Oid) -> Result<&Relation, Refused> {
        self.env
            .catalog
            .relation_by_oid(oid)
            .map(|r| &**r)
            .ok_or_else(|| Refused::new(Code::NotUnderstood, "a relation is gone", None))
    }

    /// Plans one relation; true where it becomes a sub-select.
    fn relation(
        &self,
        used: &RelationUse,
        resolved: &Resolved,
        places: &Places<'_>,
        fence: bool,
        planned: &mut Planned<'p>,
    ) -> Result<bool, Refused> {
        let relation = self.catalog_relation(used.oid)?;
        if used.usage == Use::Lock {
            if is_system(relation) {
                let message = format!("{} cannot be locked", relation.name);
                return Err(Refused::new(Code::StatementNotAllowed, message, Some(used.location)));
            }
            self.as_is(used, places, planned)?;
            return Ok(false);
        }
        if relation.kind == RelationKind::View && !is_system(relation) {
            if used.sampled {
                return Err(no_sample(relation, used));
            }
            let Some(view) = resolved.views.get(&used.oid) else {
                return Err(Refused::new(
                    Code::NotUnderstood,
                    "a view was not read",
                    Some(used.location),
                ));
            };
            let fragment = self.view(view, relation, fence, planned)?;
            self.sub_select(used, fragment, places, planned)?;
            return Ok(true);
        }
        match release(
            relation,
            self.policy,
            self.admission,
            self.env.catalog,
            &resolved.touched,
            used.only || used.usage == Use::CopyOut || is_insert(used.usage),
        ) {
            Release::Refused(denial, gap) => Err(Refused {
                denial: Box::new(denial),
                gap,
                position: Some(used.location),
            }),
            Release::AsIs(decided) => {
                self.as_is(used, places, planned)?;
                if let Some(decided) = decided {
                    planned.decided.insert(used.oid, decided);
                }
                Ok(false)
            }
            Release::Through(decided) => {
                let through = self.through(used, relation, &decided, resolved, places, fence, planned)?;
                planned.decided.insert(used.oid, decided);
                Ok(through)
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn through(
        &self,
        used: &RelationUse,
        relation: &Relation,
        decided: &Decided<'p>,
        resolved: &Resolved,
        places: &Places<'_>,
        fence: bool,
        planned: &mut Planned<'p>,
    ) -> Result<bool, Refused> {
        if let Use::Target(_) = used.usage {
            self.as_is(used, places, planned)?;
            return Ok(false);
        }
        if used.sampled {
            return Err(no_sample(relation, used));
        }
        let system = self.system_columns(used.oid, relation, resolved)?;
        let conjuncts: Vec<(Conjunct, String)> = used
            .conjuncts
            .iter()
            .map(|c| Ok((c.clone(), places.constant(c.value)?.to_owned())))
            .collect::<Result<_, Misplaced>>()?;
        let fence = decided.filtered() && (fence || decided.may_fail(relation, &resolved.touched));
        let misfit = |why| Refused::new(Code::NotUnderstood, why, Some(used.location));
        let only = used.only || used.usage == Use::CopyOut;
        let fragment = decided
            .fragment(relation, only, fence, &conjuncts, &resolved.touched, &system, self.env)
            .map_err(misfit)?;
        if used.usage == Use::CopyOut {
            self.copy_query(used, relation, fragment, resolved, places, planned)?;
        } else {
            self.sub_select(used, fragment, places, planned)?;
        }
        Ok(true)
    }

    /// System columns that the released relation must have besides its own: of a catalog, those that its list
    /// shows, where nobody asks for all columns.
    fn system_columns<'r>(
        &self,
        oid: Oid,
        relation: &Relation,
        resolved: &'r Resolved,
    ) -> Result<BTreeSet<&'r str>, Refused> {
        let listed = lists::catalog_relation(&relation.name.schema, &relation.name.name);
        let by_name = |column: &&BaseColumn| column.relation != oid || resolved.named.contains(*column);
        let all_by_name = resolved.touched.iter().all(|column| by_name(&column));
        let mut names = BTreeSet::new();
        for (_, name, at) in resolved.system_columns.iter().filter(|(of, ..)| *of == oid) {
            let shown = is_system(relation) && listed.is_some_and(|l| l.form(name) == CatalogForm::Raw);
            if !shown || !all_by_name {
                let message = format!("system column {name} of {} cannot be used", relation.name);
                let refused = Refused::new(Code::StatementNotAllowed, message, Some(*at));
                return Err(refused.hint(if shown {
                    "name each column"
                } else {
                    "use the table's key"
                }));
            }
            names.insert(name.as_str());
        }
        Ok(names)
    }

    fn parts(used: &RelationUse) -> usize {
        used.written.iter().filter(|p| !p.is_empty()).count()
    }

    /// The name stays; it gets its schema.
    fn as_is(&self, used: &RelationUse, places: &Places<'_>, planned: &mut Planned<'p>) -> Result<(), Refused> {
        places.relation(used.location, Self::parts(used))?;
        let [_, schema, _] = &used.written;
        if schema.is_empty() {
            let schema = used.name.schema.clone();
            let text = format!("{}.", quote::ident(&schema));
            let location = used.location;
            planned
                .edits
                .push(location..location, text, EditKind::QualifyRelation { location, schema });
        }
        planned.edits.as_is.push((used.location, used.name.clone()));
        Ok(())
    }

    fn sub_select(
        &self,
        used: &RelationUse,
        fragment: Fragment,
        places: &Places<'_>,
        planned: &mut Planned<'p>,
    ) -> Result<(), Refused> {
        let place = places.relation(used.location, Self::parts(used))?;
        let [_, _, name] = &used.written;
        let alias = (!used.aliased).then(|| name.clone());
        let mut text = format!("({})", fragment.text);
        if let Some(alias) = &alias {
            text.push_str(" AS ");
            text.push_str(&quote::ident(alias));
        }
        if place.table_command {
            text.insert_str(0, "SELECT * FROM ");
        }
        planned.edits.push(
            place.whole,
            text,
            EditKind::Relation {
                location: used.location,
                fragment,
                alias,
            },
        );
        Ok(())
    }

    /// `COPY table (columns) TO` becomes `COPY (SELECT columns FROM (…) AS table) TO`.
    fn copy_query(
        &self,
        used: &RelationUse,
        relation: &Relation,
        fragment: Fragment,
        resolved: &Resolved,
        places: &Places<'_>,
        planned: &mut Planned<'p>,
    ) -> Result<(), Refused> {
        let place = places.relation(used.location, Self::parts(used))?;
        let list = places.list_behind(place.whole.end)?;
        let columns: Vec<String> = resolved.outputs.iter().map(|c| quote::ident(&c.name)).collect();
        let name = quote::ident(&relation.name.name);
        let most = self.admission.and_then(|admission| admission.purpose().max_rows);
        let limit = most.and_then(rows::enough).map(|rows| format!(" LIMIT {rows}"));
        let query = format!(
            "SELECT {} FROM ({}) AS {name}{}",
            columns.join(", "),
            fragment.text,
            limit.unwrap_or_default()
        );
        let range = place.whole.start..list.map_or(place.whole.end, |l| l.end);
        planned
            .edits
            .push(range, format!("({query})"), EditKind::CopyQuery { fragment, query });
        Ok(())
    }

    /// A view's definition, its own relations released.
    fn view(
        &self,
        view: &ViewUse,
        relation: &Relation,
        fence: bool,
        planned: &mut Planned<'p>,
    ) -> Result<Fragment, Refused> {
        let misread = |_| Refused::new(Code::NotUnderstood, "a view's definition cannot be read", None);
        let tokens = crate::sql::parsed::tokens(&view.text).map_err(misread)?;
        let mut resolved = view.resolved.as_ref().clone();
        resolved.partial |= fence;
        let mut inner = self.plan(&view.text, &tokens, 0..view.text.len(), &resolved)?;
        if let Some(level) = aggregate::plan_view(self, (&view.text, &tokens), relation, &resolved, &mut inner)? {
            planned.views.insert(relation.oid, level);
        }
        let Some((mut text, _)) = inner.edits.apply(&view.text) else {
            return Err(Refused::new(Code::NotVerified, "two edits of a view overlap", None));
        };
        for (oid, decided) in inner.decided {
            planned.decided.entry(oid).or_insert(decided);
        }
        let fenced = view.barrier && fence;
        if fenced {
            text = format!("SELECT * FROM ({text}) AS barrier OFFSET 0");
        }
        let check = FragmentCheck::View {
            source: view.text.clone(),
            plan: inner.edits,
            fenced,
        };
        Ok(Fragment { text, check })
    }

    /// What a raw primary key in GROUP BY carries with it, now that its table is a sub-select.
    fn grouped(
        &self,
        resolved: &Resolved,
        places: &Places<'_>,
        through: &[Oid],
        planned: &mut Planned<'p>,
    ) -> Result<(), Refused> {
        for addition in &resolved.group_additions {
            let relation = self.catalog_relation(addition.relation)?;
            let raw = |number: &i16| {
                let index = relation.columns.iter().position(|c| c.number == *number);
                let decided = planned.decided.get(&addition.relation);
                matches!((index, decided), (Some(i), Some(d)) if d.raw_everywhere(i))
            };
            let key_is_raw = addition.key.iter().all(raw);
            // Inside parentheses a list would become a row: then PostgreSQL says what is missing.
            if !through.contains(&addition.relation) || !key_is_raw || places.is_behind_paren(addition.location)? {
                continue;
            }
            let columns = addition.columns.clone();
            let name =
                |(table, column): &(String, String)| format!("{}.{}, ", quote::ident(table), quote::ident(column));
            let text: String = columns.iter().map(name).collect();
            let location = addition.location;
            planned
                .edits
                .push(location..location, text, EditKind::GroupBy { location, columns });
        }
        Ok(())
    }

    /// References that a sub-select or a write's released forms make different.
    fn references(
        &self,
        resolved: &Resolved,
        places: &Places<'_>,
        through: &[Oid],
        planned: &mut Planned<'p>,
    ) -> Result<(), Refused> {
        for LongReference {
            location,
            drop,
            relation,
        } in &resolved.long_references
        {
            if !through.contains(relation) {
                continue;
            }
            let first = places.name(*location, *drop)?;
            let rest = places.name(*location, *drop + 1)?;
            // Up to the last part that stays: `schema .` goes, `table.column` stays.
            let last = places.last_part(&rest)?;
            debug_assert!(first.end <= last);
            let kind = EditKind::Shorten {
                location: *location,
                drop: *drop,
            };
            planned.edits.push(*location..last, "", kind);
        }
        Ok(())
    }
}

/// INSERT reads no row of the target's children.
fn is_insert(usage: Use) -> bool {
    usage == Use::Target(Verb::Insert)
}

/// A sample of a sub-select: PostgreSQL has none.
fn no_sample(relation: &Relation, used: &RelationUse) -> Refused {
    let message = format!("TABLESAMPLE of {} is not served", relation.name);
    Refused::new(Code::StatementNotAllowed, message, Some(used.location))
}
