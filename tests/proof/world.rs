//! What the statements run on: one PostgreSQL, for each role a released database and one that differs from the raw
//! one only in what the role may not see, and the proxy in front, served by this process.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use pgpurpose::audit::{Durability, Journal, JournalConfig, SubjectKey};
use pgpurpose::cli::rules_files;
use pgpurpose::session::{Options, Phase, Plans, Rules, Shared, keys};
use pgpurpose::upstream::catalogs::Catalogs;
use pgpurpose::upstream::{Server, Target};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::common::Cluster;
use super::types::Type;
use super::wire::{Request, Session};

/// The roles, each of one purpose.
pub const ROLES: [&str; 7] = [
    "support",
    "quality",
    "marketing",
    "partner",
    "research",
    "access",
    "stats",
];

/// A table or view with its columns.
#[derive(Debug, Clone)]
pub struct Table {
    /// As SQL names it.
    pub name: String,
    pub columns: Vec<(String, Type)>,
    pub is_view: bool,
}

pub struct World {
    // First to go: what uses the others.
    _phase: watch::Sender<Phase>,
    _runtime: tokio::runtime::Runtime,
    pub cluster: Cluster,
    pub tables: Vec<Table>,
    /// Types of whole rows.
    pub composites: HashSet<u32>,
    /// The proxy's port.
    pub port: u16,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/proof")
}

/// With `\i` resolved, as psql does in the folder.
pub fn read(name: &str) -> String {
    let text = std::fs::read_to_string(folder().join(name)).unwrap();
    text.lines()
        .map(|line| line.strip_prefix("\\i ").map_or_else(|| format!("{line}\n"), read))
        .collect()
}

impl World {
    /// With a PostgreSQL whose tables are never analyzed: the plans for two databases are then the same.
    pub fn start(statement_timeout_ms: u32) -> Self {
        let timeout = format!("statement_timeout={statement_timeout_ms}");
        let cluster = Cluster::start_with(&[
            "autovacuum=off",
            "jit=off",
            "synchronous_commit=off",
            "max_connections=600",
            "timezone=UTC",
            "max_parallel_workers_per_gather=0",
            &timeout,
        ]);
        prepare(&cluster);
        let tables = tables(&cluster);
        let composites = cluster.psql("plain", "postgres", "SELECT oid FROM pg_type WHERE typtype = 'c'");
        let composites = composites.lines().map(|oid| oid.parse().unwrap()).collect();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_stack_size(pgpurpose::sql::nesting::STACK)
            .enable_all()
            .build()
            .unwrap();
        let journal = JournalConfig {
            durability: Durability::System,
            ..JournalConfig::new(cluster.folder().join("audit.jsonl"))
        };
        let (phase, watched) = watch::channel(Phase::Serving);
        let target: Target = format!("postgres://127.0.0.1:{}", cluster.port()).parse().unwrap();
        let secret = b"a secret of the proof".to_vec();
        let shared = Arc::new(Shared {
            options: Options {
                catalog_age: Duration::from_secs(3600),
                ..Options::new(Server::of(&target).unwrap())
            },
            rules: ArcSwap::from_pointee(Rules {
                version: 1,
                set: rules_files::load(&folder().join("rules.yaml")).unwrap_or_else(|e| panic!("{e}")),
            }),
            journal: Journal::open(journal).unwrap(),
            subject_key: SubjectKey::new(&[1; 32]),
            nobody_key: vec![1; 32],
            catalogs: Catalogs::default(),
            plans: Plans::default(),
            secrets: Box::new(move |policy, role| keys::settings(&secret, policy, role)),
            phase: watched,
        });
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(pgpurpose::downstream::serve(listener, shared));
        let world = Self {
            cluster,
            tables,
            composites,
            port,
            _runtime: runtime,
            _phase: phase,
        };
        world.release_pseudonyms();
        world.copy_for_writes();
        world
    }

    /// Through the proxy to a database, as a role.
    pub fn proxied(&self, role: &str, database: &str) -> Result<Session, String> {
        let subject = [("options", "-c pgpurpose.subject=public.people:5")];
        let settings = if role == "access" { subject.as_slice() } else { &[] };
        Session::connect(self.port, role, database, settings)
    }

    /// Straight to a role's released relations.
    pub fn released(&self, role: &str, database: &str, options: &str) -> Result<Session, String> {
        let settings = [("options", options)];
        Session::connect(self.cluster.port(), role, database, &settings)
    }

    /// Writes leave dead rows behind, also when they are undone, and plans follow the sizes of tables: they have
    /// databases of their own.
    fn copy_for_writes(&self) {
        let names = |kind: &str| ROLES.map(|role| format!("{kind}_{role}"));
        for name in ["raw".to_owned()]
            .into_iter()
            .chain(names("twin"))
            .chain(names("released"))
        {
            // The catalog loader and the first query are connected still.
            let copy = format!("CREATE DATABASE {name}_written TEMPLATE {name}");
            let until = std::time::Instant::now() + Duration::from_secs(20);
            while !self.cluster.try_psql("postgres", "postgres", &copy).success {
                assert!(std::time::Instant::now() < until, "{name} cannot be copied");
            }
        }
    }

    /// Only the proxy can compute pseudonyms: here, and only here, its own answer goes into a released database.
    fn release_pseudonyms(&self) {
        let mut session = self.proxied("research", "raw").unwrap_or_else(|e| panic!("{e}"));
        let sql = "SELECT string_agg(format('UPDATE people SET email = %L WHERE id = %s', email, id), ';') FROM people";
        session.send(&[Request::simple(sql)]).unwrap();
        let answer = session.answers(1).unwrap();
        let row = answer
            .iter()
            .find(|m| m.tag == b'D')
            .unwrap_or_else(|| panic!("{answer:?}"));
        let updates = String::from_utf8_lossy(&row.body[6..]).into_owned();
        // In its old order, which an update would change.
        let copy = "CREATE TEMP TABLE t AS SELECT * FROM people; TRUNCATE people; INSERT INTO people SELECT * FROM t ORDER BY id;";
        self.cluster
            .psql("released_research", "postgres", &format!("{updates};{copy}"));
    }
}

/// Databases out of one template, so that their tables have the same identifiers.
fn prepare(cluster: &Cluster) {
    let roles: String = ROLES.map(|role| format!("CREATE ROLE {role} LOGIN; ")).concat();
    cluster.psql("postgres", "postgres", &roles);
    cluster.psql("postgres", "postgres", "CREATE DATABASE plain");
    let granted = format!(
        "{}; GRANT USAGE ON SCHEMA hr TO PUBLIC; GRANT ALL ON ALL TABLES IN SCHEMA public, hr TO PUBLIC;",
        read("schema.sql")
    );
    cluster.psql("plain", "postgres", &granted);
    let create = |name: &str, changes: &str| {
        cluster.psql(
            "postgres",
            "postgres",
            &format!("CREATE DATABASE {name} TEMPLATE plain"),
        );
        let script = format!("{}{changes}{}", read("rows.sql"), read("finish.sql"));
        cluster.psql(name, "postgres", &script);
    };
    create("raw", "");
    for role in ROLES {
        let released = format!("released_{role}");
        create(&released, &read(&format!("released/{role}.sql")));
        cluster.psql(&released, "postgres", &views());
        create(&format!("twin_{role}"), &read(&format!("twin/{role}.sql")));
    }
}

/// The same relations as views, with and without a fence and in their contrary order, which say what PostgreSQL could know of them: that a column
/// is always NULL, or always the same. What it may do in another order, or not at all, over the released relations.
fn views() -> String {
    let schema = read("schema.sql");
    let views = schema.find("CREATE VIEW").map(|at| &schema[at..]).unwrap_or_default();
    let of = |name: &str, option: &str, order: &str| {
        format!(
            "CREATE SCHEMA {name};
             DO $$ DECLARE t regclass; list text; part text; c record; n bigint; least int; most int; holds text; BEGIN
               FOREACH t IN ARRAY '{{people,orders,consents,products,notes,visits,visits_old,visits_new,papers,papers_old,hr.staff}}'::regclass[] LOOP
                 list := ''; holds := '';
                 FOR c IN SELECT * FROM pg_attribute WHERE attrelid = t AND attnum > 0 ORDER BY attnum LOOP
                   EXECUTE format('SELECT count(%I) FROM %s', c.attname, t) INTO n;
                   part := CASE n WHEN 0 THEN format('NULL::%s AS %I', format_type(c.atttypid, c.atttypmod), c.attname) ELSE quote_ident(c.attname) END;
                   list := concat_ws(', ', NULLIF(list, ''), part);
                   IF n > 0 AND c.atttypid = 'int'::regtype THEN
                     EXECUTE format('SELECT min(%1$I), max(%1$I) FROM %2$s HAVING count(%1$I) = count(*)', c.attname, t) INTO least, most;
                     IF least = most THEN holds := format(' WHERE %I = %s', c.attname, least); END IF;
                   END IF;
                 END LOOP;
                 EXECUTE format('CREATE VIEW {name}.%I {option} AS SELECT %s FROM %s%s {order}', (SELECT relname FROM pg_class WHERE oid = t), list, t, holds);
               END LOOP;
             END $$;
             SET search_path = {name}, public; {};
             RESET search_path;
             GRANT USAGE ON SCHEMA {name} TO PUBLIC; GRANT ALL ON ALL TABLES IN SCHEMA {name} TO PUBLIC;",
            views.replace("hr.staff", "staff")
        )
    };
    of("fenced", "WITH (security_barrier)", "") + &of("flat", "", "") + &of("backward", "", "ORDER BY ctid DESC")
}

fn tables(cluster: &Cluster) -> Vec<Table> {
    let columns = cluster.psql(
        "plain",
        "postgres",
        "SELECT CASE nspname WHEN 'public' THEN '' ELSE nspname || '.' END || relname, relkind = 'v', attname, format_type(atttypid, NULL)
         FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
         WHERE nspname IN ('public', 'hr') AND relkind IN ('r', 'p', 'v') AND attnum > 0 ORDER BY relname, attnum",
    );
    let mut tables: Vec<Table> = Vec::new();
    for line in columns.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let r#type = Type::of_column(fields[3]).unwrap_or_else(|| panic!("{line}"));
        if tables.last().is_none_or(|t| t.name != fields[0]) {
            tables.push(Table {
                name: fields[0].to_owned(),
                columns: Vec::new(),
                is_view: fields[1] == "t",
            });
        }
        tables.last_mut().unwrap().columns.push((fields[2].to_owned(), r#type));
    }
    tables
}
