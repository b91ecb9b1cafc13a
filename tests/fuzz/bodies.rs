//! What each fuzz target does with its bytes: also run on the seeds, on stable Rust, by the tests.
//!
//! None may panic. Beyond that each holds what must be true of whatever comes out.

use std::sync::{Arc, LazyLock};

use bytes::BytesMut;
use pg_query::NodeRef;
use pg_query::protobuf as pb;
use pgpurpose::catalog::{Catalog, SearchPath};
use pgpurpose::pipeline::{self, Context, Plan, PreparedNames, Refusal, Standing};
use pgpurpose::policy::{Declaration, Policy};
use pgpurpose::rules;
use pgpurpose::sql::{ClientSql, lexer};
use pgpurpose::wire::backend::{self, BackendKind};
use pgpurpose::wire::frontend::{Frontend, FrontendKind};
use pgpurpose::wire::{Encoding, ErrorFields, Frame, frame, startup};
use time::macros::datetime;

/// A target's name and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 4] = [
    ("frames", frames),
    ("tags", tags),
    ("statements", statements),
    ("rules", rules_files),
];

/// The frame decoder: bytes that arrive at once and one by one are cut into the same frames.
pub fn frames(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    match kind % 3 {
        0 => {
            let mut buffer = BytesMut::from(data);
            let _ = startup::take(&mut buffer);
        }
        1 => cut(data, frame::client_limit, |frame| {
            if let Ok(kind) = FrontendKind::of(frame.tag) {
                let _ = Frontend::read(kind, frame.clone(), Encoding::of("WIN1252", "UTF8"));
                let _ = Frontend::read(kind, frame, Encoding::Utf8);
            }
        }),
        _ => cut(data, frame::server_limit, |frame| {
            let body = frame.body();
            let _ = BackendKind::of(frame.tag);
            let _ = backend::TransactionStatus::read(&body);
            let _ = backend::row_description(body.clone());
            let _ = backend::data_row(body.clone());
            let _ = backend::command_tag(body.clone());
            let _ = backend::parameter_status(body.clone());
            if let Ok(fields) = ErrorFields::read(body) {
                let _ = fields.sqlstate();
            }
        }),
    }
}

type Limit = fn(u8) -> Result<usize, pgpurpose::wire::ProtocolError>;

fn cut(data: &[u8], limit: Limit, read: impl Fn(Frame)) {
    let (mut whole, mut at_once) = (BytesMut::from(data), Vec::new());
    while let Ok(Some(frame)) = frame::take(&mut whole, limit) {
        at_once.push(frame);
    }
    let (mut arriving, mut one_by_one) = (BytesMut::new(), Vec::new());
    'bytes: for byte in data {
        arriving.extend_from_slice(&[*byte]);
        loop {
            match frame::take(&mut arriving, limit) {
                Ok(Some(frame)) => one_by_one.push(frame),
                Ok(None) => break,
                Err(_) => break 'bytes,
            }
        }
    }
    assert_eq!(at_once, one_by_one, "frames depend on how bytes arrive");
    let bytes: Vec<u8> = at_once.iter().flat_map(|f| f.bytes.to_vec()).collect();
    assert_eq!(bytes, data[..bytes.len()], "frames are not the bytes that came");
    at_once.into_iter().for_each(read);
}

/// The tag reader: what is left has no tags, means the same to PostgreSQL, and each place in it one in the text.
pub fn tags(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(sql) = ClientSql::new(text) else { return };
    let _ = sql.tags_in(0..sql.text().len());
    let mut last = 0;
    for offset in 0..=sql.text().len() {
        let to = sql.to_client(offset);
        assert!(last <= to && to <= text.len(), "places run backwards");
        last = to;
    }
    let again = ClientSql::new(sql.text()).expect("what is left of a text is a text");
    assert!(again.tags().is_empty(), "a tag was left in {:?}", sql.text());
    assert_eq!(again.text(), sql.text(), "a text without tags changed");
    let words = |text: &str| -> Vec<String> {
        let tokens = lexer::significant(text).unwrap_or_default();
        tokens.iter().map(|t| t.text(text).to_owned()).collect()
    };
    assert_eq!(words(text), words(sql.text()), "more than comments was taken off");
}

struct World {
    policy: Arc<Policy>,
    catalog: Catalog,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let rules = include_str!("../proof/rules.yaml").to_owned();
    let set = rules::load(&[("rules.yaml".into(), rules)]).unwrap_or_else(|e| panic!("{e}"));
    let catalog: Catalog = serde_json::from_str(include_str!("catalog.json")).expect("a catalog");
    World {
        policy: set.for_database("raw").expect("a policy"),
        catalog: catalog.indexed(),
    }
});

const ROLES: [&str; 7] = [
    "support",
    "quality",
    "marketing",
    "partner",
    "research",
    "access",
    "stats",
];

struct SameNames;

impl PreparedNames for SameNames {
    fn upstream_name(&self, client_name: &str) -> Option<String> {
        Some(client_name.to_owned())
    }
}

/// The statement pipeline: the gate never stops what the core wrote, and what it lets pass reads protected tables only
/// in sub-selects that release them, as a reader of its own finds.
pub fn statements(data: &[u8]) {
    let Some((role, data)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    let role = ROLES[usize::from(*role) % ROLES.len()];
    match examine(role, text) {
        Ok(plan) => held_apart(role, text, plan.verified.text()),
        Err(refusal) => assert_ne!(refusal.code.as_str(), "not_verified", "{}: {text}", refusal.message),
    }
}

fn examine(role: &str, text: &str) -> Result<Plan, Box<Refusal>> {
    let world = &*WORLD;
    let sql = ClientSql::new(text).map_err(|e| Box::new(Refusal::unread(e.to_string())))?;
    let parsed = pipeline::parse(Arc::new(sql))?;
    let declared = Declaration {
        subject: Some("public.people:5".into()),
        ..Declaration::default()
    };
    let now = datetime!(2026-06-01 0:00 UTC);
    let admission = world
        .policy
        .admit(role, &declared, now)
        .expect("each role has a purpose");
    let search_path = SearchPath::new(&["$user".into(), "public".into()], role, &world.catalog);
    let context = || Context {
        policy: &world.policy,
        catalog: &world.catalog,
        role,
        standing: Standing::Admitted(admission),
        search_path: &search_path,
        prepared: &SameNames,
    };
    let contexts: Vec<Context<'_>> = parsed.commands.iter().map(|_| context()).collect();
    Ok(pipeline::examine(&parsed, &contexts)?)
}

/// Of these `support` sees only the first two other than as they are.
const PROTECTED: [&str; 9] = [
    "people",
    "papers_old",
    "papers",
    "orders",
    "consents",
    "visits",
    "visits_old",
    "visits_new",
    "staff",
];

/// Columns that no role of [`ROLES`] but `access` sees.
const HIDDEN: [&str; 2] = ["device", "photo"];

/// Reads what goes out with PostgreSQL's grammar and a walk that is not the gate's.
fn held_apart(role: &str, text: &str, out: &str) {
    let read = pg_query::parse(out, pg_query::ParserOptions::DEFAULT).unwrap_or_else(|e| panic!("{e}: {out}"));
    let client = pg_query::parse(text, pg_query::ParserOptions::DEFAULT).map(|p| p.protobuf.stmts.len());
    if let Ok(count) = client {
        assert_eq!(
            count,
            read.protobuf.stmts.len(),
            "another number of statements: {text}\n{out}"
        );
    }
    for (node, ..) in read.protobuf.nodes() {
        match node {
            NodeRef::JoinExpr(join) => {
                for side in [&join.larg, &join.rarg] {
                    let name = side.as_deref().and_then(|n| protected(role, n));
                    assert_eq!(name, None, "a raw table in a join: {text}\n{out}");
                }
            }
            NodeRef::SelectStmt(select) => raw_tables_release(role, select, text, out),
            _ => {}
        }
    }
}

fn raw_tables_release(role: &str, select: &pb::SelectStmt, text: &str, out: &str) {
    if !select.from_clause.iter().any(|n| protected(role, n).is_some()) {
        return;
    }
    let told = || format!("{role}: {text}\n{out}");
    assert_eq!(select.from_clause.len(), 1, "a raw table among others: {}", told());
    for target in &select.target_list {
        let Some(pb::node::Node::ResTarget(target)) = &target.node else {
            panic!("a target that is none: {}", told());
        };
        let Some(pb::node::Node::ColumnRef(column)) = target.val.as_ref().and_then(|v| v.node.as_ref()) else {
            continue;
        };
        let name = column.fields.last().and_then(|n| match &n.node {
            Some(pb::node::Node::String(s)) => Some(s.sval.as_str()),
            _ => None,
        });
        let is_shown = match name {
            Some(name) => role == "access" || !HIDDEN.contains(&name),
            None => false, // a star
        };
        assert!(is_shown, "{name:?} of a raw table: {}", told());
    }
}

/// The table that a FROM item is, if the role may not see it as it is.
fn protected<'n>(role: &str, node: &'n pb::Node) -> Option<&'n str> {
    let released = if role == "support" { 2 } else { PROTECTED.len() };
    match &node.node {
        Some(pb::node::Node::RangeVar(range)) if range.schemaname == "public" || range.schemaname == "hr" => {
            let tables = &PROTECTED[..released];
            tables
                .contains(&range.relname.as_str())
                .then_some(range.relname.as_str())
        }
        _ => None,
    }
}

/// The rules loader: findings can be printed, and what loads once loads again as the same.
pub fn rules_files(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let files = [("rules.yaml".to_owned(), text.to_owned())];
    match (rules::load(&files), rules::load(&files)) {
        (Ok(a), Ok(b)) => assert_eq!(a.sha256(), b.sha256()),
        (Err(a), Err(b)) => assert_eq!(a.to_string(), b.to_string()),
        (a, b) => panic!("rules that load only now and then: {} {}", a.is_ok(), b.is_ok()),
    }
    let _ = rules::includes("rules.yaml", text);
}
