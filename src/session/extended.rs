//! The extended query protocol: Parse, Bind, Describe, Execute, Close. The purpose is fixed at Bind.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::audit::{AuditUnavailable, Recorded};
use crate::catalog::lists;
use crate::pipeline::{PlannedStatement, Refusal};
use crate::policy::Code;
use crate::sql::{Command, ConfigValue};
use crate::upstream::Sender;
use crate::wire::frontend::{Bind, Parse, Target};

use super::kept::LastForm;
use super::planning::{Examined, Inner, cursor_of, tag_refusal};
use super::prepared::{Origin, Planned, Portal, Prepared};
use super::refusal;
use super::request::{Request, refused_facts};
use super::responses::{Running, Sent, What};
use super::simple::{audit_unavailable, facts_of, rows_of, writes};
use super::text::Text;
use super::{End, Session};

/// Under this name no statement is ever prepared: what is parsed under it is sure to fail.
const NEVER: &str = "pgpurpose_refused";

/// A prepared statement in the form that the current declaration gives it.
struct Form<'p> {
    upstream_name: String,
    planned: Planned,
    inner: Inner,
    request: Request<'p>,
    text: Text,
}

impl Session {
    /// Parse
    pub(super) async fn parse(&mut self, parse: Parse) -> Result<(), End> {
        self.refresh().await?;
        let policy = Arc::clone(&self.rules.policy);
        let text = match Text::new(&parse.text) {
            Ok(text) => text,
            Err(error) => {
                let request = self.request(&policy, &self.settings, &[]);
                self.refuse_parse(&parse.name, &tag_refusal(&error), None, &request);
                return Ok(());
            }
        };
        let Examined { mut requests, verdict } = self.examine(&text, &parse.types, &policy).await?;
        let request = match requests.pop() {
            Some(request) if requests.is_empty() => request,
            Some(_) | None => {
                let message = "cannot insert multiple commands into a prepared statement";
                self.fail_parse(&parse.name, &refusal::postgresql("42601", message), None);
                return Ok(());
            }
        };
        let plan = match verdict {
            Ok((plan, _)) => plan,
            Err(refusal) => {
                self.refuse_parse(&parse.name, &refusal, Some(&text), &request);
                return Ok(());
            }
        };
        if let Err(refusal) = self.may_name_tables(plan.statements.first()) {
            self.refuse_parse(&parse.name, &refusal, Some(&text), &request);
            return Ok(());
        }
        let Ok(recorded) = self.trail.prepare(&plan.verified) else {
            self.fail_parse(&parse.name, &audit_unavailable(), None);
            return Ok(());
        };
        self.upstream.sender.parse(&parse.name, &recorded, &parse.types);
        let prepared = Arc::new(Prepared {
            text,
            origin: Origin::Parse(parse.types),
            base: Planned { plan, index: 0 },
            ground: request.declared.ground(),
            versions: (self.rules.version, self.catalog.current().version),
            search_path: self.path_entries(),
            variants: Mutex::default(),
            last: Mutex::default(),
        });
        self.statements.sent(parse.name.clone(), Some(Arc::clone(&prepared)));
        self.sent(Sent::new(What::Parse {
            name: parse.name.clone(),
            statement: Some(Arc::clone(&prepared)),
            named: true,
        }));
        self.look_at_origins(&parse.name, &prepared.base, &prepared.text);
        Ok(())
    }

    /// Bind
    pub(super) async fn bind(&mut self, bind: Bind) -> Result<(), End> {
        let read = |command: Option<&Command>| read_parameters(command, &bind);
        let send = |sender: &mut Sender, name: &str| sender.bind(&bind.portal, name, &bind.rest);
        self.bind_as(bind.portal.clone(), &bind.statement, Some(&bind), read, send)
            .await?;
        Ok(())
    }

    /// Bind of which all behind the names, so many bytes, is handed on as it comes; whether it shall be.
    pub(super) async fn bind_large(&mut self, portal: String, statement: &str, rest: usize) -> Result<bool, End> {
        let name = portal.clone();
        let send = |sender: &mut Sender, statement: &str| sender.bind_begin(&name, statement, rest);
        self.bind_as(portal, statement, None, |_| Vec::new(), send).await
    }

    /// Binds a portal to the form of a statement; whether it is served. `values`: where they are at hand.
    async fn bind_as(
        &mut self,
        portal: String,
        statement: &str,
        values: Option<&Bind>,
        read: impl FnOnce(Option<&Command>) -> Vec<Option<String>>,
        send: impl FnOnce(&mut Sender, &str),
    ) -> Result<bool, End> {
        self.refresh().await?;
        let policy = Arc::clone(&self.rules.policy);
        let Some(form) = self.form(statement, &policy).await? else {
            return Ok(false);
        };
        if let Err(refusal) = may_read_settings(form.planned.statement(), values) {
            self.refuse_extended(&refusal, Some(&form.text), &form.request);
            return Ok(false);
        }
        send(&mut self.upstream.sender, &form.upstream_name);
        let mut bound = Portal::new(
            form.text,
            form.planned,
            form.request.declared.ground(),
            self.rules.version,
        );
        bound.parameters = read(bound.planned.command());
        bound.subjects = self.trail.subjects(bound.planned.statement(), &bound.text, values);
        bound.inner = form.inner;
        let bound = Arc::new(bound);
        self.portals.sent(portal, Some(Arc::clone(&bound)));
        self.sent(Sent::new(What::Bind(bound)));
        Ok(true)
    }

    /// Describe
    pub(super) async fn describe(&mut self, target: Target, name: &str) -> Result<(), End> {
        match target {
            Target::Statement => {
                self.refresh().await?;
                let policy = Arc::clone(&self.rules.policy);
                let Some(form) = self.form(name, &policy).await? else {
                    return Ok(());
                };
                self.upstream.sender.describe(target, &form.upstream_name);
                let rows_of = rows_of(&form.planned.plan, form.inner);
                self.sent(Sent::new(What::DescribeStatement {
                    planned: form.planned,
                    rows_of,
                    text: form.text,
                }));
            }
            Target::Portal => {
                let Some(portal) = self.portals.get(name).cloned() else {
                    self.fail_extended(&no_portal(name));
                    return Ok(());
                };
                let policy = Arc::clone(&self.rules.policy);
                let request = self.request_of(&portal, &policy);
                if let Err(refusal) = self.may_read(&portal, &request.declared.ground()) {
                    self.refuse_extended(&refusal, Some(&portal.text), &request);
                    return Ok(());
                }
                self.upstream.sender.describe(target, name);
                self.sent(Sent::new(What::DescribePortal(portal)));
            }
        }
        Ok(())
    }

    /// Close. The statements that we prepared for the client's go with it.
    pub(super) fn close(&mut self, target: Target, name: String) {
        let ours = match target {
            Target::Statement => self
                .statements
                .get(&name)
                .map(|p| p.variant_names())
                .unwrap_or_default(),
            Target::Portal => Vec::new(),
        };
        for ours in ours {
            self.upstream.sender.close(Target::Statement, &ours);
            self.sent(Sent::new(What::Close { target, named: false }).own());
        }
        self.upstream.sender.close(target, &name);
        match target {
            Target::Statement => self.statements.sent(name, None),
            Target::Portal => self.portals.sent(name, None),
        }
        self.sent(Sent::new(What::Close { target, named: true }));
    }

    /// Execute
    pub(super) async fn execute(&mut self, name: &str, max_rows: i32) -> Result<(), End> {
        let started = Instant::now();
        self.refresh_rules()?;
        self.watch_glass();
        let Some(portal) = self.portals.get(name).cloned() else {
            self.fail_extended(&no_portal(name));
            return Ok(());
        };
        let policy = Arc::clone(&self.rules.policy);
        let request = self.request_of(&portal, &policy);
        if let Err(refusal) = self.may_execute(&portal, &request) {
            self.refuse_extended(&refusal, Some(&portal.text), &request);
            return Ok(());
        }
        let planned = portal.planned.clone();
        let Some(command) = planned.command().cloned() else {
            return self.execute_empty(name, max_rows, portal, started);
        };
        let inner = portal.inner.clone();
        let facts = facts_of(&planned.plan, planned.index, &inner);
        self.use_glass(&request);
        let cursor = portal.opened.get().copied().or_else(|| cursor_of(&inner, &[]));
        let stamp = &self.rules.stamp;
        let Ok((recorded, ticket)) = self.trail.statement(
            &planned.plan.verified,
            &request,
            (&facts, &portal.subjects),
            stamp,
            cursor,
        ) else {
            self.fail_extended(&audit_unavailable());
            return Ok(());
        };
        portal.opened.get_or_init(|| ticket.id());
        if writes(&planned.plan, planned.index, &inner) {
            self.trail.journal().written(ticket).await?;
        }
        self.set_subject(request.statement_subject());
        self.upstream.sender.execute(name, max_rows, &recorded);
        let gives = self.gives(&command, &planned, &request, &portal.text, Some(ticket.id()));
        let running = Running {
            gives,
            cursor: Some(inner.cursor().unwrap_or(&portal).clone()),
            rows_of: rows_of(&planned.plan, inner),
            planned: Some(planned),
            text: Some(portal.text.clone()),
            ticket: Some(ticket),
            started,
            rows: 0,
            bytes: 0,
            left_out: 0,
            command: command.clone(),
        };
        let copies_in = matches!(command, Command::CopyIn);
        let sent = Sent::new(What::Execute(Box::new(running), portal))
            .running(std::iter::once(&command))
            .counting();
        self.sent(sent);
        if copies_in {
            // Until the server has said whether it takes data, nothing else may follow.
            self.upstream.sender.flush();
            self.unflushed = false;
        }
        Ok(())
    }

    /// The empty statement: nothing runs, nothing is told.
    fn execute_empty(&mut self, name: &str, max_rows: i32, portal: Arc<Portal>, started: Instant) -> Result<(), End> {
        let Ok(recorded) = self.trail.prepare(&portal.planned.plan.verified) else {
            self.fail_extended(&audit_unavailable());
            return Ok(());
        };
        self.upstream.sender.execute(name, max_rows, &recorded);
        let running = Running::nothing(started);
        self.sent(Sent::new(What::Execute(Box::new(running), portal)));
        Ok(())
    }

    fn may_execute(&self, portal: &Portal, request: &Request<'_>) -> Result<(), Arc<Refusal>> {
        self.may_read(portal, &request.declared.ground())?;
        if let Some(statement) = portal.planned.statement() {
            request.may_run(&statement.command, &statement.facts)?;
        }
        if let Inner::Cursor(cursor) = &portal.inner {
            self.may_read(cursor, &request.declared.ground())?;
        }
        match portal.opened.get() {
            None => self.spend(portal.planned.statement(), &portal.inner, request),
            Some(_) => Ok(()),
        }
    }

    /// Whether names may be looked up: not behind a statement of the same pipeline that changed what exists, for there
    /// is no time for a look before its Sync, and a name could mean another table by now.
    fn may_name_tables(&self, statement: Option<&PlannedStatement>) -> Result<(), Arc<Refusal>> {
        let names = |command: &Command| match command {
            Command::Select
            | Command::Write
            | Command::Prepare { .. }
            | Command::Execute { .. }
            | Command::Declare { .. }
            | Command::Explain
            | Command::CopyOut
            | Command::CopyIn
            | Command::CreateAs => true,
            Command::Set(_)
            | Command::SetConfig(_)
            | Command::SetCharacteristics
            | Command::Reset(_)
            | Command::ResetAll
            | Command::Show(_)
            | Command::Transaction(_)
            | Command::Discard(_)
            | Command::Deallocate(_)
            | Command::Close(_)
            | Command::Fetch { .. }
            | Command::Explanation
            | Command::Coordinate
            | Command::Ddl
            | Command::Refused => false,
        };
        let Some(statement) = statement.filter(|s| self.catalog.is_dirty() && self.unsynced && names(&s.command))
        else {
            return Ok(());
        };
        let facts = refused_facts(&statement.facts, Code::StatementNotAllowed);
        let message = "a statement before this one in the pipeline changed what exists";
        let hint = "send a Sync between them";
        Err(Arc::new(*refusal::own(
            Code::StatementNotAllowed,
            message,
            Some(hint),
            facts,
        )))
    }

    /// The statement of that name as the current declaration has it, prepared upstream; `None`: it
    /// was refused in its place.
    async fn form<'p>(&mut self, name: &str, policy: &'p crate::policy::Policy) -> Result<Option<Form<'p>>, End> {
        let Some(prepared) = self.statements.get(name).cloned() else {
            self.fail_extended(&no_statement(name));
            return Ok(None);
        };
        let request = self.request_for(&prepared.text, policy);
        if let Err(refusal) = self.may_name_tables(prepared.base.statement()) {
            self.refuse_extended(&refusal, Some(&prepared.text), &request);
            return Ok(None);
        }
        if matches!(prepared.origin, Origin::Sql(_)) {
            return Ok(self.form_of_sql(name, &prepared, request));
        }
        if let Some((planned, upstream_name)) = prepared.as_before(self.stamp(), &request) {
            self.shared.plans.known_by_session();
            return Ok(Some(Form {
                upstream_name,
                planned,
                inner: Inner::Itself,
                request,
                text: prepared.text.clone(),
            }));
        }
        let Examined { mut requests, verdict } = self.examine(&prepared.text, prepared.parameters(), policy).await?;
        let request = requests
            .pop()
            .unwrap_or_else(|| self.request_for(&prepared.text, policy));
        let found = verdict.and_then(|(plan, inner)| {
            let planned = Planned { plan, index: 0 };
            let inner = inner.into_iter().next().unwrap_or(Inner::Itself);
            let upstream_name = self.name_of(name, &prepared, &planned)?;
            Ok((upstream_name, planned, inner))
        });
        match found {
            Ok((upstream_name, planned, inner)) => {
                if matches!(inner, Inner::Itself) {
                    let form = LastForm::new(self.stamp(), &request, planned.clone(), upstream_name.clone());
                    prepared.remember(form);
                }
                Ok(Some(Form {
                    upstream_name,
                    planned,
                    inner,
                    request,
                    text: prepared.text.clone(),
                }))
            }
            Err(refusal) => {
                self.refuse_extended(&refusal, None, &request);
                Ok(None)
            }
        }
    }

    fn form_of_sql<'p>(&mut self, name: &str, prepared: &Arc<Prepared>, request: Request<'p>) -> Option<Form<'p>> {
        match self.current_form(name, prepared, &request) {
            Ok((planned, upstream_name)) => Some(Form {
                upstream_name,
                planned,
                inner: Inner::Itself,
                request,
                text: prepared.text.clone(),
            }),
            Err(refusal) => {
                self.refuse_extended(&refusal, None, &request);
                None
            }
        }
    }

    /// The name under which PostgreSQL knows just that text of a prepared statement.
    pub(super) fn name_of(
        &mut self,
        name: &str,
        prepared: &Arc<Prepared>,
        planned: &Planned,
    ) -> Result<String, Arc<Refusal>> {
        if planned.outgoing() == prepared.base.outgoing() {
            return Ok(name.to_owned());
        }
        match &prepared.origin {
            Origin::Parse(types) => self.variant(prepared, planned, types),
            Origin::Sql(Some(carried)) => self.variant(prepared, planned, &carried.types),
            Origin::Sql(None) => Err(super::planning::prepared_elsewhere(prepared)),
        }
    }

    /// Prepares a statement once more, under a name of ours, unless that was done before.
    fn variant(&mut self, prepared: &Arc<Prepared>, planned: &Planned, types: &[u32]) -> Result<String, Arc<Refusal>> {
        if let Some(name) = prepared.variant(planned.outgoing()) {
            return Ok(name);
        }
        let recorded = self
            .trail
            .prepare(&planned.plan.verified)
            .map_err(|AuditUnavailable| Arc::new(*audit_unavailable()))?;
        let name = self.own_name();
        self.upstream.sender.parse(&name, &recorded, types);
        prepared.add_variant(planned.outgoing(), name.clone());
        self.responses.push(
            Sent::new(What::Parse {
                name: name.clone(),
                statement: Some(Arc::clone(prepared)),
                named: false,
            })
            .own(),
        );
        self.look_at_origins(&name, planned, &prepared.text);
        self.unflushed = true;
        self.own_unsynced = true;
        Ok(name)
    }

    /// A client need not ask for a description: where a column is hidden, we do, once for each
    /// prepared text, so that one that came back raw would be seen before a row is.
    fn look_at_origins(&mut self, name: &str, planned: &Planned, text: &Text) {
        if planned.statement().is_none_or(|s| s.hidden_origins.is_empty()) {
            return;
        }
        self.upstream.sender.describe(Target::Statement, name);
        let what = What::DescribeStatement {
            planned: planned.clone(),
            rows_of: None,
            text: text.clone(),
        };
        self.responses.push(Sent::new(what).own());
    }

    fn request_of<'p>(&self, portal: &Portal, policy: &'p crate::policy::Policy) -> Request<'p> {
        self.request_for(&portal.text, policy)
    }

    /// Of a text of one statement. Tags that disagree were refused when it was read.
    fn request_for<'p>(&self, text: &Text, policy: &'p crate::policy::Policy) -> Request<'p> {
        let tags = text.sql.tags_in(0..usize::MAX).unwrap_or_default();
        self.request(policy, &self.settings, &tags)
    }

    fn sent(&mut self, sent: Sent) {
        self.responses.push(sent);
        self.unflushed = true;
        self.unsynced = true;
    }

    fn refuse_parse(&mut self, name: &str, refusal: &Refusal, text: Option<&Text>, request: &Request<'_>) {
        let (recorded, _) = self.trail.refused(request, &refusal.facts, &self.rules.stamp);
        self.send_failing_parse(name, &recorded, refusal, text);
    }

    /// A Parse that fails as PostgreSQL's own would, under the client's name: so that the unnamed
    /// statement is gone, and a named one is not begun.
    fn fail_parse(&mut self, name: &str, refusal: &Refusal, text: Option<&Text>) {
        self.send_failing_parse(name, &Recorded::refusal(), refusal, text);
    }

    fn refuse_extended(&mut self, refusal: &Refusal, text: Option<&Text>, request: &Request<'_>) {
        let (recorded, _) = self.trail.refused(request, &refusal.facts, &self.rules.stamp);
        self.send_failing_parse(NEVER, &recorded, refusal, text);
    }

    /// A message of the extended protocol that is answered with an error in its place.
    pub(super) fn fail_extended(&mut self, refusal: &Refusal) {
        self.send_failing_parse(NEVER, &Recorded::refusal(), refusal, None);
    }

    /// The server's transaction fails behind an Execute, which answered what it was asked; the client gets
    /// `fields`.
    pub(super) fn fail_after(&mut self, fields: crate::wire::ErrorFields) {
        self.upstream.sender.parse(NEVER, &Recorded::refusal(), &[]);
        self.upstream.sender.flush();
        let what = What::Parse {
            name: NEVER.to_owned(),
            statement: None,
            named: false,
        };
        self.sent(Sent::new(what).failing(fields));
    }

    fn send_failing_parse(&mut self, name: &str, recorded: &Recorded, refusal: &Refusal, text: Option<&Text>) {
        self.upstream.sender.parse(name, recorded, &[]);
        let fields = self.error_fields(refusal, text);
        let what = What::Parse {
            name: name.to_owned(),
            statement: None,
            named: false,
        };
        self.sent(Sent::new(what).failing(fields));
    }
}

/// Whether the settings that parameters name may be read.
fn may_read_settings(statement: Option<&PlannedStatement>, values: Option<&Bind>) -> Result<(), Box<Refusal>> {
    let Some(statement) = statement else {
        return Ok(());
    };
    let is_listed = |number: &u16| {
        let index = usize::from(*number).checked_sub(1)?;
        match values?.values.get(index)? {
            Some(name) => std::str::from_utf8(name)
                .ok()
                .filter(|name| lists::may_show(name).is_ok())
                .map(|_| ()),
            None => Some(()),
        }
    };
    if statement.setting_names.iter().all(|number| is_listed(number).is_some()) {
        return Ok(());
    }
    let facts = refused_facts(&statement.facts, Code::FunctionNotAllowed);
    Err(refusal::own(Code::FunctionNotAllowed, lists::ONLY_LISTED, None, facts))
}

/// The parameters that a set_config reads, as text.
fn read_parameters(command: Option<&Command>, bind: &Bind) -> Vec<Option<String>> {
    let Some(Command::SetConfig(calls)) = command else {
        return Vec::new();
    };
    let reads = |n: usize| {
        calls
            .iter()
            .any(|c| matches!(c.value, ConfigValue::Parameter(p) if usize::from(p) == n + 1))
    };
    (0..bind.values.len())
        .map(|n| bind.text(n).filter(|_| reads(n)))
        .collect()
}

fn no_statement(name: &str) -> Box<Refusal> {
    match name {
        "" => refusal::postgresql("26000", "unnamed prepared statement does not exist"),
        name => refusal::postgresql("26000", format!("prepared statement \"{name}\" does not exist")),
    }
}

fn no_portal(name: &str) -> Box<Refusal> {
    refusal::postgresql("34000", format!("portal \"{name}\" does not exist"))
}
