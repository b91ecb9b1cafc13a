//! What each stage of a statement's way costs by itself: reading tags and tokens, parsing, examining (resolve, decide,
//! edit, verify), finding a plan again, walking frames; and what large rules cost.
//!
//! ```text
//! cargo bench --bench stages                    # all, with criterion's own comparison with the run before
//! cargo bench --bench stages -- examine         # only those whose names hold that word
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)] // a bench fails loudly

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pgpurpose::catalog::{Catalog, SearchPath};
use pgpurpose::pipeline::{self, Context, Plan, PreparedNames, Standing, Template};
use pgpurpose::policy::{Declaration, Policy};
use pgpurpose::rules;
use pgpurpose::sql::shape::Shape;
use pgpurpose::sql::{ClientSql, lexer};
use pgpurpose::wire::frame;

const STATEMENTS: [(&str, &str); 4] = [
    ("point", "SELECT id, name, born FROM people WHERE id = 4711"),
    ("masked", "SELECT * FROM people ORDER BY id LIMIT 50"),
    (
        "joined",
        "SELECT p.name, count(*), max(o.day) FROM people p JOIN orders o ON o.person = p.id WHERE o.day > '2026-01-01' \
         GROUP BY p.name ORDER BY 2 DESC LIMIT 10",
    ),
    ("written", "UPDATE people SET name = 'x' WHERE id = 4711 RETURNING id"),
];

struct World {
    policy: Arc<Policy>,
    catalog: Catalog,
}

struct SameNames;

impl PreparedNames for SameNames {
    fn upstream_name(&self, client_name: &str) -> Option<String> {
        Some(client_name.to_owned())
    }
}

impl World {
    fn proof() -> Self {
        let catalog: Catalog = serde_json::from_str(include_str!("../tests/fuzz/catalog.json")).expect("a catalog");
        Self {
            policy: policy(include_str!("../tests/proof/rules.yaml"), "raw"),
            catalog: catalog.indexed(),
        }
    }

    /// So many tables of 15 columns, each with its own line of rules.
    fn large(tables: usize) -> Self {
        let mut ddl = String::new();
        for n in 0..tables {
            let _ = write!(ddl, "CREATE TABLE public.t{n} (id int PRIMARY KEY");
            (1..15).for_each(|c| _ = write!(ddl, ", c{c} text"));
            ddl.push_str(");\n");
        }
        let base: Catalog = serde_json::from_str(include_str!("../tests/fuzz/catalog.json")).expect("a catalog");
        let schema = pgpurpose::sql::schema::read(&ddl, base.indexed()).expect("a schema");
        Self {
            policy: policy(&large_rules(tables), "raw"),
            catalog: schema.catalog,
        }
    }

    fn plan(&self, role: &str, text: &str) -> Plan {
        let parsed = pipeline::parse(Arc::new(ClientSql::new(text).unwrap())).unwrap();
        let declared = Declaration {
            subject: Some("public.people:5".into()),
            ..Declaration::default()
        };
        let now = time::OffsetDateTime::now_utc();
        let admission = self.policy.admit(role, &declared, now).expect("a default purpose");
        let search_path = SearchPath::new(&["public".into()], role, &self.catalog);
        let context = Context {
            policy: &self.policy,
            catalog: &self.catalog,
            role,
            standing: Standing::Admitted(admission),
            search_path: &search_path,
            prepared: &SameNames,
        };
        pipeline::examine(&parsed, &[context]).unwrap_or_else(|e| panic!("{}: {text}", e.message))
    }
}

fn policy(rules: &str, database: &str) -> Arc<Policy> {
    let set = rules::load(&[("rules.yaml".into(), rules.to_owned())]).unwrap_or_else(|e| panic!("{e}"));
    set.for_database(database).expect("a policy")
}

fn large_rules(tables: usize) -> String {
    let mut out = String::from(
        "version: 1\nrevision: \"1\"\npurposes: {care: {}}\nroles: {support: {purposes: [care], default_purpose: care}}\n\
         data_categories:\n  user: {sensitivity: personal}\n  user.note: {mask: {partial: {prefix: 1}}}\n\
         release:\n  - {purposes: [care], data_categories: [user], as: raw}\n\
         \x20 - {purposes: [care], data_categories: [user.note], as: {mask: {}}}\ntables:\n",
    );
    for n in 0..tables {
        let _ = write!(
            out,
            "  public.t{n}:\n    data_subject: {{key: id}}\n    collected_for: [care]\n    columns: {{id: user"
        );
        (1..15).for_each(|c| _ = write!(out, ", c{c}: {}", if c == 7 { "user.note" } else { "user" }));
        out.push_str("}\n");
    }
    out
}

fn reading(c: &mut Criterion) {
    for (name, text) in STATEMENTS {
        let tagged =
            format!("/*purpose='care',traceparent='00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'*/ {text}");
        c.bench_function(&format!("tags/{name}"), |b| {
            b.iter(|| ClientSql::new(black_box(&tagged)).unwrap())
        });
        c.bench_function(&format!("tokens/{name}"), |b| {
            b.iter(|| lexer::significant(black_box(text)).unwrap())
        });
        c.bench_function(&format!("shape/{name}"), |b| b.iter(|| Shape::of(black_box(text))));
        let sql = Arc::new(ClientSql::new(text).unwrap());
        c.bench_function(&format!("parse/{name}"), |b| {
            b.iter(|| pipeline::parse(Arc::clone(&sql)).unwrap())
        });
    }
}

fn examining(c: &mut Criterion) {
    let world = World::proof();
    for (name, text) in STATEMENTS {
        c.bench_function(&format!("parse and examine/{name}"), |b| {
            b.iter(|| world.plan("support", black_box(text)))
        });
    }
    let text = "SELECT id, name, born FROM people WHERE id = 4711";
    let (shape, probe) = (Shape::of(text).unwrap(), Shape::of(text).unwrap().probe());
    let probe_shape = Shape::of(&probe).unwrap();
    let (plan, probed) = (world.plan("support", text), world.plan("support", &probe));
    let template = Template::learn(&shape, &plan, &probe_shape, &probed).expect("a template");
    c.bench_function("plan of a shape/point", |b| {
        b.iter(|| template.plan(&Shape::of(black_box(text)).unwrap()).unwrap());
    });
}

fn frames(c: &mut Criterion) {
    let mut bytes = BytesMut::new();
    for _ in 0..1000 {
        bytes.put_u8(b'D');
        bytes.put_u32(4 + 60);
        bytes.put_bytes(b'x', 60);
    }
    let mut group = c.benchmark_group("frames");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("walk 1,000 rows", |b| {
        b.iter(|| {
            let (mut at, mut rows) = (0, 0);
            while let Ok(Some(header)) = frame::peek(black_box(&bytes[at..])) {
                at += header.total;
                rows += 1;
            }
            assert_eq!(rows, 1000);
        });
    });
}

/// A decision looks at the rules of the tables that a statement names, however many there are.
fn size_of_rules(c: &mut Criterion) {
    for tables in [20, 2_000] {
        let world = World::large(tables);
        let text = "SELECT id, c1, c7 FROM t7 WHERE id = 1";
        c.bench_function(
            &format!("parse and examine under rules of so many tables/{tables}"),
            |b| {
                b.iter(|| world.plan("support", black_box(text)));
            },
        );
        let rules = large_rules(tables);
        let mut group = c.benchmark_group("load rules of so many tables");
        group.sample_size(10);
        group.bench_function(tables.to_string(), |b| b.iter(|| policy(black_box(&rules), "raw")));
    }
}

criterion_group!(stages, reading, examining, frames, size_of_rules);
criterion_main!(stages);
