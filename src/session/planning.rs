//! From a text to a plan: out of the cache, or by the core, each statement under the settings that
//! the statements before it leave.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::catalog::{Catalog, SearchPath};
use crate::pipeline::{Context, Parsed, Plan, PlannedStatement, PreparedNames, Refusal, Template};
use crate::policy::{Code, Mode, Policy};
use crate::sql::shape::Shape;
use crate::sql::{ClientSql, Command, TagError, TransactionCommand};

use super::core;
use super::prepared::{Origin, Planned, Portal, Prepared};
use super::refusal::{self, unread};
use super::request::{Ground, Request, refused_facts};
use super::settings::{Followed, Settings};
use super::shared::{self, Known, count_examined};
use super::text::Text;
use super::{End, Session};
use crate::pipeline::Outcome;

/// Whose rows a statement gives.
#[derive(Debug, Clone)]
pub(super) enum Inner {
    /// Its own.
    Itself,
    /// EXECUTE: those of a statement prepared before.
    Prepared(Planned),
    /// FETCH: those of a cursor opened before.
    Cursor(Arc<Portal>),
    /// EXECUTE, FETCH: those of an earlier statement of the same message.
    Earlier(usize),
}

impl Inner {
    /// The cursor that is read.
    pub(super) fn cursor(&self) -> Option<&Arc<Portal>> {
        match self {
            Self::Cursor(portal) => Some(portal),
            Self::Itself | Self::Prepared(_) | Self::Earlier(_) => None,
        }
    }

    /// The statement whose rows come, where it is known by itself.
    pub(super) fn planned(&self) -> Option<&Planned> {
        match self {
            Self::Prepared(planned) => Some(planned),
            Self::Cursor(portal) => Some(&portal.planned),
            Self::Itself | Self::Earlier(_) => None,
        }
    }
}

/// A message with the answers of policy and core.
pub(super) struct Examined<'p> {
    /// One for each statement; at least one.
    pub requests: Vec<Request<'p>>,
    /// The plan, with whose rows each statement gives.
    pub verdict: Result<(Arc<Plan>, Vec<Inner>), Arc<Refusal>>,
}

/// What exists for one statement, where that is not what the session knows, and where it looks for names.
type KnownHere = (Option<Arc<Catalog>>, SearchPath);

/// The upstream names of the prepared statements that one message executes.
#[derive(Debug, Default)]
struct Upstream(HashMap<String, String>);

impl PreparedNames for Upstream {
    fn upstream_name(&self, client_name: &str) -> Option<String> {
        self.0.get(client_name).cloned()
    }
}

impl Session {
    /// Asks policy and core about a text; where the core misses something, once more after a new
    /// look at what exists.
    pub(super) async fn examine<'p>(
        &mut self,
        text: &Text,
        parameters: &[u32],
        policy: &'p Policy,
    ) -> Result<Examined<'p>, End> {
        let examined = self.examine_once(text, parameters, policy);
        let stale = matches!(&examined.verdict, Err(refusal) if refusal.stale_catalog);
        if stale && Box::pin(self.look_again()).await? {
            return Ok(self.examine_once(text, parameters, policy));
        }
        Ok(examined)
    }

    fn examine_once<'p>(&mut self, text: &Text, parameters: &[u32], policy: &'p Policy) -> Examined<'p> {
        let mut examined = self.examine_text(text, parameters, policy);
        if let Err(refusal) = self.may_go_out(&examined.verdict) {
            examined.verdict = Err(refusal);
        }
        examined
    }

    fn examine_text<'p>(&mut self, text: &Text, parameters: &[u32], policy: &'p Policy) -> Examined<'p> {
        // What is kept is kept for texts of one statement, which has all tags.
        let alone = text.sql.tags_in(0..usize::MAX).ok().map(|tags| {
            let request = self.request(policy, &self.settings, &tags);
            let ground = self.ground(&request, parameters);
            (request, ground)
        });
        let shape = alone.as_ref().and_then(|_| Shape::of(text.sql.text()));
        if let Some((request, ground)) = &alone
            && let Some(known) = self.known(text, shape.as_ref(), ground)
        {
            let verdict = known.and_then(|plan| self.with_inner(plan, std::slice::from_ref(request)));
            return Examined {
                verdict,
                requests: alone.into_iter().map(|(request, _)| request).collect(),
            };
        }
        count_examined();
        let parsed = match core::parse(Arc::clone(&text.sql)) {
            Ok(parsed) => parsed.with_parameters(parameters),
            Err(refusal) => return self.refused(policy, Arc::new(refusal)),
        };
        match (parsed.commands.as_slice(), alone) {
            ([command], Some((request, ground))) => {
                let keeps = !matches!(command, Command::Execute { .. });
                let requests = vec![request];
                let answer = self.plan(&parsed, &requests, std::slice::from_ref(&self.settings.clone()));
                if keeps && answer.as_ref().err().is_none_or(|r| !r.stale_catalog) {
                    self.keep(text, shape.as_ref(), ground, &requests, &answer);
                }
                Examined {
                    verdict: answer.and_then(|plan| self.with_inner(plan, &requests)),
                    requests,
                }
            }
            (_, _) => self.examine_many(&parsed, policy),
        }
    }

    /// The answer to a text, where it or another of its shape was examined.
    fn known(&self, text: &Text, shape: Option<&Shape<'_>>, ground: &shared::Ground) -> Option<shared::Verdict> {
        if let Some(shape) = shape
            && let Some(Known::Template(template)) = self.shared.plans.of_shape(shape.key(), ground)
            && let Some(plan) = template.plan(shape)
        {
            return Some(Ok(Arc::new(plan)));
        }
        self.shared.plans.get(text.sql.text(), ground)
    }

    /// Keeps an answer: for this text, or for all of its shape when a second one is seen.
    fn keep(
        &mut self,
        text: &Text,
        shape: Option<&Shape<'_>>,
        ground: shared::Ground,
        requests: &[Request<'_>],
        answer: &shared::Verdict,
    ) {
        if let (Some(shape), Ok(plan)) = (shape, answer) {
            let known = match self.shared.plans.of_shape(shape.key(), &ground) {
                None => Known::Once,
                Some(Known::Once) => self
                    .template(shape, plan, requests)
                    .map_or(Known::Never, Known::Template),
                Some(known @ (Known::Template(_) | Known::Never)) => known,
            };
            self.shared.plans.learn(shape.key(), ground.clone(), known);
        }
        self.shared.plans.insert(text.sql.text(), ground, answer.clone());
    }

    /// A plan for all texts of a shape, if the constants make no difference to it.
    fn template(&mut self, shape: &Shape<'_>, plan: &Plan, requests: &[Request<'_>]) -> Option<Arc<Template>> {
        let text = shape.probe();
        let probe = Shape::of(&text)?;
        let parsed = core::parse(Arc::new(ClientSql::new(&text).ok()?)).ok()?;
        let probed = self.plan(&parsed, requests, std::slice::from_ref(&self.settings.clone()));
        Template::learn(shape, plan, &probe, probed.ok()?.as_ref()).map(Arc::new)
    }

    /// A message of several statements, or none.
    fn examine_many<'p>(&mut self, parsed: &Parsed, policy: &'p Policy) -> Examined<'p> {
        let mut settings = self.settings.clone();
        let mut before = Vec::new();
        let mut requests = Vec::new();
        for (statement, command) in parsed.statements.iter().zip(&parsed.commands) {
            let tags = match parsed.sql.tags_in(statement.span.clone()) {
                Ok(tags) => tags,
                Err(error) => return self.refused(policy, Arc::new(*tag_refusal(&error))),
            };
            requests.push(self.request(policy, &settings, &tags));
            before.push(settings.clone());
            settings.completed(command, &|_| None);
        }
        let answer = self.plan(parsed, &requests, &before);
        let verdict = answer.and_then(|plan| self.with_inner(plan, &requests));
        if requests.is_empty() {
            requests.push(self.request(policy, &self.settings, &[]));
        }
        Examined { requests, verdict }
    }

    /// Asks the core.
    fn plan(
        &mut self,
        parsed: &Parsed,
        requests: &[Request<'_>],
        settings: &[Settings],
    ) -> Result<Arc<Plan>, Arc<Refusal>> {
        let names = self.upstream_names(parsed, requests)?;
        let known = self.known_to_each(parsed, settings)?;
        let current = &self.catalog.current().catalog;
        let contexts: Vec<Context<'_>> = requests
            .iter()
            .zip(&known)
            .map(|(request, (catalog, search_path))| Context {
                policy: &self.rules.policy,
                catalog: catalog.as_deref().unwrap_or(current),
                role: &self.role,
                standing: request.standing(),
                search_path,
                prepared: &names,
            })
            .collect();
        match core::examine(parsed, &contexts) {
            Ok(plan) => Ok(Arc::new(plan)),
            Err(refusal) => Err(Arc::new(refusal)),
        }
    }

    /// Where each statement looks for names, and what exists for it besides what the session knows: what the
    /// statements before it make.
    fn known_to_each(&self, parsed: &Parsed, settings: &[Settings]) -> Result<Vec<KnownHere>, Arc<Refusal>> {
        let current = &self.catalog.current().catalog;
        let mut made: Option<Arc<Catalog>> = None;
        let mut committed: Option<Arc<Catalog>> = None;
        let mut known = Vec::with_capacity(settings.len());
        for (index, settings) in settings.iter().enumerate() {
            let catalog = made.as_deref().unwrap_or(current);
            let entries = &settings.get(Followed::SearchPath).value;
            let path = SearchPath::new(entries, &self.role, catalog);
            let after = match index + 1 < parsed.commands.len() {
                true => {
                    let own = |entry: &String| match entry.as_str() {
                        "$user" => self.role.to_string(),
                        entry => entry.to_owned(),
                    };
                    let entries: Vec<String> = entries.iter().map(own).collect();
                    core::catalog_after(parsed, index, catalog, &entries)?
                }
                false => None,
            };
            known.push((made.clone(), path));
            made = after.map(Arc::new).or(made);
            match parsed.commands.get(index) {
                Some(Command::Transaction(TransactionCommand::Rollback { .. })) => made.clone_from(&committed),
                Some(Command::Transaction(TransactionCommand::Commit { .. })) => committed.clone_from(&made),
                _ => {}
            }
        }
        Ok(known)
    }

    /// Under which names PostgreSQL knows what the message executes. Statements prepared in the same
    /// message are known under their own.
    fn upstream_names(&mut self, parsed: &Parsed, requests: &[Request<'_>]) -> Result<Upstream, Arc<Refusal>> {
        let mut names = Upstream::default();
        for (command, request) in parsed.commands.iter().zip(requests) {
            match command {
                Command::Prepare { name } => {
                    names.0.insert(name.clone(), name.clone());
                }
                Command::Execute { name } if !names.0.contains_key(name) => {
                    let prepared = self.statements.get(name).cloned().ok_or_else(|| {
                        Arc::new(*refusal::postgresql(
                            "26000",
                            format!("prepared statement \"{name}\" does not exist"),
                        ))
                    })?;
                    let (_, upstream) = self.current_form(name, &prepared, request)?;
                    names.0.insert(name.clone(), upstream);
                }
                _ => {}
            }
        }
        Ok(names)
    }

    /// The plan of a prepared statement under the declaration of `request`, and the name under which
    /// PostgreSQL knows just that.
    pub(super) fn current_form(
        &mut self,
        name: &str,
        prepared: &Arc<Prepared>,
        request: &Request<'_>,
    ) -> Result<(Planned, String), Arc<Refusal>> {
        if !may_be_executed(prepared.base.statement()) {
            return Err(not_executed());
        }
        let ground = request.declared.ground();
        let policy = Arc::clone(&self.rules.policy);
        let (text, parameters) = match &prepared.origin {
            Origin::Parse(types) => (&prepared.text, types),
            Origin::Sql(Some(carried)) => (&carried.text, &carried.types),
            Origin::Sql(None) => return Err(prepared_elsewhere(prepared)),
        };
        let tags: Vec<&crate::sql::Tag> = text.sql.tags().iter().collect();
        let meant = self.request(&policy, &self.settings, &tags);
        // Where an earlier statement of the same message sets the purpose, it is not in force yet.
        let elsewhere = meant.declared.ground() != ground && !tags.iter().any(|t| t.key == "purpose");
        if elsewhere || !meant.declared.ground().is_of_subject_of(&ground) {
            return Err(prepared_elsewhere(prepared));
        }
        if matches!(prepared.origin, Origin::Sql(_)) && self.is_as_prepared(prepared, &meant) {
            if let Some(statement) = prepared.base.statement() {
                meant.may_run(&statement.command, &statement.facts)?;
            }
            return Ok((prepared.base.clone(), name.to_owned()));
        }
        let (plan, _) = self.examine_once(text, parameters, &policy).verdict?;
        let planned = Planned { plan, index: 0 };
        if !may_be_executed(planned.statement()) {
            return Err(not_executed());
        }
        let name = self.name_of(name, prepared, &planned)?;
        Ok((planned, name))
    }

    /// Nothing that its plan depends on has changed since it was prepared.
    fn is_as_prepared(&self, prepared: &Prepared, request: &Request<'_>) -> bool {
        let versions = (self.rules.version, self.catalog.current().version);
        let path = self.path_entries();
        prepared.versions == versions && prepared.ground == request.declared.ground() && prepared.search_path == path
    }

    /// Finds whose rows the statements of a plan give.
    fn with_inner(
        &mut self,
        plan: Arc<Plan>,
        requests: &[Request<'_>],
    ) -> Result<(Arc<Plan>, Vec<Inner>), Arc<Refusal>> {
        let mut given: HashMap<(bool, &str), usize> = HashMap::new();
        let mut inner = Vec::with_capacity(plan.statements.len());
        for (index, statement) in plan.statements.iter().enumerate() {
            let request = requests.get(index);
            inner.push(match &statement.command {
                Command::Prepare { name } => {
                    given.insert((false, name), index);
                    Inner::Itself
                }
                Command::Declare { name, .. } => {
                    given.insert((true, name), index);
                    Inner::Itself
                }
                Command::Execute { name } => match given.get(&(false, name.as_str())) {
                    Some(&earlier) => {
                        same_ground(requests, earlier, index, &plan)?;
                        Inner::Earlier(earlier)
                    }
                    None => self.inner_of_execute(name, request)?,
                },
                Command::Fetch { name } => match given.get(&(true, name.as_str())) {
                    Some(&earlier) => {
                        same_ground(requests, earlier, index, &plan)?;
                        Inner::Earlier(earlier)
                    }
                    None => self.inner_of_fetch(name, request)?,
                },
                _ => Inner::Itself,
            });
        }
        Ok((plan, inner))
    }

    fn inner_of_execute(&mut self, name: &str, request: Option<&Request<'_>>) -> Result<Inner, Arc<Refusal>> {
        let (Some(prepared), Some(request)) = (self.statements.get(name).cloned(), request) else {
            let message = format!("prepared statement \"{name}\" does not exist");
            return Err(Arc::new(*refusal::postgresql("26000", message)));
        };
        let (planned, _) = self.current_form(name, &prepared, request)?;
        Ok(Inner::Prepared(planned))
    }

    fn inner_of_fetch(&self, name: &str, request: Option<&Request<'_>>) -> Result<Inner, Arc<Refusal>> {
        let (Some(portal), Some(request)) = (self.portals.get(name), request) else {
            let message = format!("cursor \"{name}\" does not exist");
            return Err(Arc::new(*refusal::postgresql("34000", message)));
        };
        self.may_read(portal, &request.declared.ground())?;
        Ok(Inner::Cursor(Arc::clone(portal)))
    }

    /// An open cursor is read under the declaration and the rules it was opened under.
    pub(super) fn may_read(&self, portal: &Portal, ground: &Ground) -> Result<(), Arc<Refusal>> {
        let Some(statement) = portal.planned.statement() else {
            return Ok(());
        };
        if !statement.command.needs_admission() || self.rules.policy.mode == Mode::Observe {
            return Ok(());
        }
        let (message, hint) = if portal.ground != *ground {
            (
                "the purpose or subject changed since this cursor was opened",
                "declare the former ones, or open it again",
            )
        } else if portal.rules != self.rules.version {
            ("the rules changed since this cursor was opened", "open it again")
        } else {
            return Ok(());
        };
        let facts = refused_facts(&statement.facts, Code::PurposeConflict);
        Err(Arc::new(*refusal::own(
            Code::PurposeConflict,
            message,
            Some(hint),
            facts,
        )))
    }

    pub(super) fn request<'p>(
        &self,
        policy: &'p Policy,
        settings: &Settings,
        tags: &[&crate::sql::Tag],
    ) -> Request<'p> {
        let declared = self.declared(settings, tags);
        let catalog = &self.catalog.current().catalog;
        let now = self.now();
        let request = Request::new(policy, catalog, &self.role, declared, now);
        if let Some(denial) = self.cannot_set_subject(&request) {
            return request.denied(denial);
        }
        match &self.glass {
            Some(glass) if request.admission().is_some() && glass.is_of(&request.declared) && glass.is_over(now) => {
                request.denied(glass.denial())
            }
            Some(_) | None => request,
        }
    }

    fn ground(&self, request: &Request<'_>, parameters: &[u32]) -> shared::Ground {
        shared::Ground {
            database: Arc::clone(&self.database),
            role: Arc::clone(&self.role),
            rules: self.rules.version,
            catalog: self.catalog.current().version,
            search_path: self.path_entries(),
            standing: request.key(),
            parameters: parameters.to_vec(),
        }
    }

    fn refused<'p>(&self, policy: &'p Policy, refusal: Arc<Refusal>) -> Examined<'p> {
        Examined {
            requests: vec![self.request(policy, &self.settings, &[])],
            verdict: Err(refusal),
        }
    }
}

/// A text whose tags cannot be read.
pub(super) fn tag_refusal(error: &TagError) -> Box<Refusal> {
    match error {
        TagError::Conflict(_) => refusal::own(
            Code::PurposeConflict,
            error.to_string(),
            None,
            unread(Outcome::Refuse, Some(Code::PurposeConflict)),
        ),
        TagError::Unterminated(_) => refusal::postgresql("42601", error.to_string()),
    }
}

fn same_ground(requests: &[Request<'_>], earlier: usize, later: usize, plan: &Plan) -> Result<(), Arc<Refusal>> {
    let ground = |index: usize| requests.get(index).map(|r| r.declared.ground());
    if ground(earlier) == ground(later) {
        return Ok(());
    }
    let planned = plan.statements.get(earlier).map(|s| &s.facts);
    let facts = planned.map_or_else(
        || unread(Outcome::Refuse, Some(Code::PurposeConflict)),
        |facts| refused_facts(facts, Code::PurposeConflict),
    );
    let message = "the purpose or subject changes between a cursor or prepared statement and its use";
    Err(Arc::new(*refusal::own(Code::PurposeConflict, message, None, facts)))
}

pub(super) fn prepared_elsewhere(prepared: &Prepared) -> Arc<Refusal> {
    let facts = prepared.base.statement().map_or_else(
        || unread(Outcome::Refuse, Some(Code::PurposeConflict)),
        |s| refused_facts(&s.facts, Code::PurposeConflict),
    );
    let message = "the statement was prepared under another purpose, subject, schema or rules";
    let hint = "DEALLOCATE it and PREPARE it again";
    Arc::new(*refusal::own(Code::PurposeConflict, message, Some(hint), facts))
}

/// EXECUTE runs queries and DML; what else a Parse prepared, it would run past us, as it would values that are looked
/// at where they are bound.
fn may_be_executed(statement: Option<&PlannedStatement>) -> bool {
    statement.is_some_and(|s| {
        let runs = matches!(s.command, Command::Select | Command::Write | Command::Prepare { .. });
        runs && s.setting_names.is_empty()
    })
}

fn not_executed() -> Arc<Refusal> {
    let facts = unread(Outcome::Refuse, Some(Code::StatementNotAllowed));
    let message = "this statement cannot be run by EXECUTE";
    Arc::new(*refusal::own(Code::StatementNotAllowed, message, None, facts))
}

/// The first event of a cursor, for events that read it.
pub(super) fn cursor_of(inner: &Inner, earlier: &[Option<Uuid>]) -> Option<Uuid> {
    match inner {
        Inner::Itself | Inner::Prepared(_) => None,
        Inner::Cursor(portal) => portal.opened.get().copied(),
        Inner::Earlier(index) => earlier.get(*index).copied().flatten(),
    }
}
