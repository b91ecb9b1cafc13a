//! Statements as PostgreSQL gets them, run there: statistics, limits, and checks on what is stored.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use common::{Cluster, Psql};
use pgpurpose::catalog::{Catalog, SearchPath};
use pgpurpose::pipeline::{self, Context, PreparedNames, Refusal, Standing};
use pgpurpose::policy::{Declaration, Policy};
use pgpurpose::sql::ClientSql;
use pgpurpose::upstream::loader;

const SCHEMA: &str = r#"
CREATE SCHEMA shop;
CREATE TABLE shop.people (id int PRIMARY KEY, name text, born date, city text, device text);
CREATE TABLE shop.orders (id int PRIMARY KEY, person int REFERENCES shop.people, product int, paid int, note varchar(5), day date);
CREATE TABLE shop.products (id int PRIMARY KEY, title text);
CREATE TABLE shop.consents (person int, purpose text, status text);
CREATE VIEW shop.paid AS SELECT person, paid FROM shop.orders;
INSERT INTO shop.people SELECT n, 'person ' || n, '1980-01-01', CASE WHEN n <= 5 THEN 'Bern' WHEN n <= 7 THEN 'Chur' ELSE 'Genf' END
  FROM generate_series(1, 12) n;
INSERT INTO shop.people VALUES (99, 'a child', current_date - 1000, 'Bern');
INSERT INTO shop.orders SELECT n, 1 + n % 12, 1 + n % 2, CASE WHEN n % 12 IN (0, 1) THEN n END, 'x', '2026-01-01' FROM generate_series(1, 48) n;
INSERT INTO shop.products VALUES (1, 'tea'), (2, 'milk');
INSERT INTO shop.consents VALUES (1, 'sell', 'given');
"#;

const RULES: &str = r#"
version: 1
revision: "1"
purposes:
  sell: {}
  count: {output: aggregate, min_group_size: 3, compatible_with: [sell]}
  look: {max_rows: 4, compatible_with: [sell]}
roles:
  postgres: {purposes: [sell, count, look]}
data_categories:
  system: {sensitivity: none}
  user: {sensitivity: personal}
  user.device: {collection: opt_in}
tables:
  shop.people:
    data_subject: {key: id, birth_date: born}
    collected_for: [sell]
    columns: {id: user, name: user, born: user, city: system, device: user.device}
  shop.orders:
    data_subject: {key: person, of: shop.people}
    collected_for: [sell]
    columns: {id: system, person: user, product: system, paid: user, note: user, day: system}
  shop.products: {columns: {"*": system}}
  shop.consents:
    data_subject: {key: person, of: shop.people}
    columns: {"*": system}
consent: {table: shop.consents, subject: person, purpose: purpose, status: status, given: [given], withdrawn: [withdrawn]}
children: {under: 13, purposes: [sell]}
release:
  - {purposes: [sell, look], data_categories: [user], as: raw}
  - {purposes: [count], columns: [shop.orders.paid, shop.people.born], as: raw}
writes:
  - {purposes: [sell, look], tables: [shop.people, shop.orders], allow: [insert, update, delete]}
"#;

struct World {
    cluster: Cluster,
    catalog: Catalog,
    policy: Arc<Policy>,
}

/// Shared by the tests that run at one time; the last one stops the cluster.
fn world() -> Arc<World> {
    static SHARED: Mutex<Weak<World>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(world) = shared.upgrade() {
        return world;
    }
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", SCHEMA);
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", cluster.port());
    let catalog = loader::load_blocking(&url.parse().expect("a target")).expect("a catalog");
    let set = pgpurpose::rules::load(&[("rules.yaml".to_owned(), RULES.to_owned())]).expect("sound rules");
    let policy = set.for_database("postgres").expect("rules for the database");
    let world = Arc::new(World {
        cluster,
        catalog,
        policy,
    });
    *shared = Arc::downgrade(&world);
    world
}

struct Same;

impl PreparedNames for Same {
    fn upstream_name(&self, client_name: &str) -> Option<String> {
        Some(client_name.to_owned())
    }
}

impl World {
    fn plan(&self, purpose: &str, sql: &str) -> Result<(String, Option<u64>), Box<Refusal>> {
        let parsed = pipeline::parse(Arc::new(ClientSql::new(sql).expect("no tags")))?;
        let declared = Declaration {
            purpose: Some(purpose.to_owned()),
            reason: None,
            subject: None,
            actor: None,
        };
        let now = time::OffsetDateTime::now_utc();
        let admission = self.policy.admit("postgres", &declared, now).expect("admitted");
        let search_path = SearchPath::new(&["shop".to_owned()], "postgres", &self.catalog);
        let context = || Context {
            policy: &self.policy,
            catalog: &self.catalog,
            role: "postgres",
            standing: Standing::Admitted(admission),
            search_path: &search_path,
            prepared: &Same,
        };
        let contexts: Vec<Context<'_>> = parsed.commands.iter().map(|_| context()).collect();
        let plan = pipeline::examine(&parsed, &contexts)?;
        Ok((plan.verified.text().to_owned(), plan.statements[0].max_rows))
    }

    /// What the client would see, or the code of the refusal; nothing stays.
    fn run(&self, purpose: &str, sql: &str) -> String {
        let outgoing = match self.plan(purpose, sql) {
            Ok((outgoing, _)) => outgoing,
            Err(refusal) => return refusal.code.to_string(),
        };
        let all = format!("\\set VERBOSITY verbose\nBEGIN; SET search_path = shop;\n{outgoing};\nROLLBACK;");
        let Psql {
            stdout,
            stderr,
            success,
        } = self.cluster.try_psql("postgres", "postgres", &all);
        if success {
            return stdout;
        }
        let (_, message) = stderr.split_once("ERROR:  ").unwrap_or_default();
        let (sqlstate, message) = message
            .lines()
            .next()
            .unwrap_or_default()
            .split_once(": ")
            .unwrap_or_default();
        match pipeline::failed_check(sqlstate, message) {
            Some(code) => format!("check {code}"),
            None => message.to_owned(),
        }
    }
}

fn all_are(purpose: &str, cases: &[(&str, &str)]) {
    let world = world();
    for (sql, expected) in cases {
        assert_eq!(world.run(purpose, sql), *expected, "{sql}");
    }
}

#[test]
fn small_groups_are_left_out() {
    all_are(
        "count",
        &[
            (
                "SELECT city, count(*) FROM people GROUP BY city ORDER BY city",
                "Bern|5\nGenf|5",
            ),
            ("SELECT city FROM people GROUP BY 1 ORDER BY 1 DESC LIMIT 1", "Genf"),
            (
                "SELECT city c, count(*) FROM people p GROUP BY c HAVING count(*) > 100",
                "",
            ),
            // What may fail on a small group does not run on it.
            (
                "SELECT city, 1 / (count(*) - 2) FROM people GROUP BY city HAVING 1 / (count(*) - 2) >= 0 ORDER BY 1",
                "Bern|0\nGenf|0",
            ),
            (
                "SELECT title, count(DISTINCT o.id) FROM orders o JOIN products p ON p.id = o.product GROUP BY title ORDER BY 1",
                "milk|24\ntea|24",
            ),
            (
                "SELECT city, count(*) FROM people p JOIN orders o ON o.day > p.born GROUP BY city ORDER BY 1",
                "Bern|240\nGenf|240",
            ),
            (
                "PREPARE p (text) AS SELECT count(*) FROM people WHERE city = $1; EXECUTE p('Bern'); EXECUTE p('Chur')",
                "5",
            ),
            (
                "DECLARE c CURSOR FOR SELECT count(*) FROM people; FETCH ALL FROM c",
                "12",
            ),
            (
                "COPY (SELECT city, count(*) FROM people GROUP BY city ORDER BY city) TO STDOUT",
                "Bern\t5\nGenf\t5",
            ),
            (
                "COPY (SELECT count(*) FROM people WHERE city = 'Chur') TO STDOUT",
                "\\N",
            ),
        ],
    );
}

#[test]
fn a_whole_that_is_too_small_is_a_row_of_nulls() {
    all_are(
        "count",
        &[
            (
                "SELECT count(*), sum(1.5) IS NULL FROM people WHERE city = 'Chur'",
                "aggregate_required",
            ),
            (
                "SELECT count(*), count(*) + 1 AS more FROM people WHERE city = 'Chur'",
                "|",
            ),
            (
                "SELECT count(*), round(avg(born - date '2000-01-01')) FROM people",
                "aggregate_required",
            ),
            ("SELECT count(*) FROM people WHERE city = 'nowhere'", ""),
            ("(SELECT count(*) FROM people LIMIT 1)", "12"),
            ("SELECT bool_or(true), count(*) FROM people", "aggregate_required"),
        ],
    );
}

#[test]
fn size_is_counted_over_known_arguments() {
    all_are(
        "count",
        &[
            ("SELECT count(*) FROM orders", "48"),
            // Only two people's are known.
            ("SELECT count(paid) FROM orders", ""),
            ("SELECT product, sum(paid) FROM orders GROUP BY product", ""),
            // Hidden from everybody.
            ("SELECT count(name) FROM people", ""),
        ],
    );
}

#[test]
fn each_table_of_people_is_counted() {
    all_are(
        "count",
        &[
            (
                "SELECT count(b.city) FROM people a JOIN people b ON a.city = 'Chur' AND b.city = 'Bern'",
                "",
            ),
            (
                "SELECT count(b.city) FROM people a JOIN people b ON a.city = 'Genf' AND b.city = 'Bern'",
                "25",
            ),
        ],
    );
}

#[test]
fn no_row_shows_in_a_statistic() {
    let refused = [
        "SELECT name FROM people",
        "SELECT * FROM people",
        "TABLE people",
        "SELECT max(paid) FROM orders",
        "SELECT array_agg(city) FROM people",
        "SELECT string_agg(city, ',') FROM people",
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY paid) FROM orders",
        "SELECT count(*) OVER () FROM people",
        "SELECT sum(paid * 2) FROM orders",
        "SELECT sum(CASE WHEN id = 1 THEN paid END) FROM orders",
        "SELECT sum(DISTINCT paid) FROM orders",
        "SELECT count(p) FROM people p",
        "SELECT count(p.*) FROM people p",
        "SELECT count(*) FROM people p WHERE p::text LIKE '%1%'",
        "SELECT count(*) FROM people WHERE 1 / (id - 5) > 0",
        "SELECT count(*) FROM people WHERE city = 'Chur' AND city LIKE 'x\\'",
        "SELECT count(*) FROM people WHERE born > now() - interval '999999 years'",
        "SELECT count(*) FROM people WHERE city ~ '('",
        "SELECT count(*) FROM people, LATERAL (SELECT 1) x",
        "SELECT count(*) FROM people NATURAL JOIN orders",
        // A weight of one's own choice leaves one person's value.
        "SELECT sum(x) FROM (SELECT paid AS x FROM orders WHERE id = 5 UNION ALL SELECT 0 FROM orders) u",
        "SELECT count(DISTINCT x) FROM (SELECT person, 1 AS x FROM orders WHERE id = 5 UNION ALL SELECT person, 0 FROM orders) u",
        "SELECT covar_pop(o.paid, v.id) FROM orders o JOIN products v ON v.id = o.product",
        "SELECT bool_or(v.f) FROM orders o JOIN (SELECT id, id = 5 AS f FROM products) v ON v.id = o.product",
        // What fails, fails for single rows.
        "SELECT count(*) FROM orders o JOIN (SELECT id, 1 / (id - id) AS z FROM products) v ON v.id = o.product",
        "SELECT count(v.z) FROM orders o JOIN (SELECT id, 1 / (id - id) AS z FROM products) v ON v.id = o.product",
        "WITH v AS (SELECT id FROM products WHERE 1 / (id - id) > 0) SELECT count(*) FROM orders o JOIN v ON v.id = o.product",
        "SELECT count(*) FROM orders o JOIN (SELECT id FROM products LIMIT -1) v ON v.id = o.product",
        "SELECT count(*) FROM orders o JOIN (SELECT count(*) / 0 AS id FROM people) v ON v.id = o.product",
        "SELECT count(*) FROM orders WHERE id = 5 AND paid > (SELECT count(*) / 0 FROM people)",
        // One person's value decides for all.
        "SELECT count(*) FROM people WHERE (SELECT born FROM people WHERE id = 7) > '2000-01-01'",
        "SELECT count(*) FROM people p WHERE EXISTS (SELECT FROM people q WHERE q.id = 7 AND q.city = 'Bern')",
        "SELECT count(*) FROM orders p WHERE EXISTS (SELECT FROM people q WHERE q.id = p.person OR q.city = 'Bern')",
        "SELECT count(*) FROM people p WHERE city IN (SELECT city FROM people WHERE born < '1990-01-01')",
        "SELECT count(*) FROM people p WHERE EXISTS (SELECT FROM people q LIMIT 1)",
        "SELECT count(*) FROM products WHERE title IN (SELECT product::text FROM orders)",
        "SELECT title, (SELECT city FROM people LIMIT 1) FROM products",
        // Single rows chosen, or changed in a way that may fail, before they are counted.
        "SELECT * FROM (SELECT city FROM people) p",
        "SELECT count(*) FROM (SELECT city FROM people LIMIT 5) p",
        "SELECT count(*) FROM (SELECT city FROM people ORDER BY born) p",
        "SELECT count(*) FROM (SELECT DISTINCT city FROM people) p",
        "SELECT count(*) FROM (SELECT city FROM people UNION SELECT city FROM people) p",
        "SELECT count(*) FROM (SELECT city FROM people EXCEPT ALL SELECT city FROM people) p",
        "SELECT count(*) FROM (SELECT city, row_number() OVER () FROM people) p",
        "SELECT count(*) FROM (SELECT 1 / (paid - 5) AS x FROM orders) p",
        "SELECT count(*) FROM (SELECT max(paid) AS x FROM orders) p",
        "SELECT count(*) FROM (SELECT city FROM people WHERE city LIKE '\\') p",
        "WITH p AS (SELECT city FROM people FETCH FIRST 2 ROWS ONLY) SELECT count(*) FROM p",
        "WITH RECURSIVE r AS (SELECT product FROM orders UNION ALL SELECT product + 1 FROM r) SELECT count(*) FROM r",
        "SELECT count(*) FROM products p, LATERAL (SELECT * FROM orders o WHERE o.product = p.id) x",
        "SELECT count(*) FILTER (WHERE 1 / paid > 0) FROM orders",
        "SELECT count(*) FILTER (WHERE paid > (SELECT avg(paid) FROM orders)) FROM orders",
        "SELECT count(*) FROM orders o WHERE paid > (SELECT 1 / (count(*) - o.paid) FROM orders p GROUP BY o.paid)",
        "SELECT count(*) FROM orders WHERE 1 / (SELECT count(*) FROM orders) > paid",
        "SELECT (SELECT name FROM people LIMIT 1), count(*) FROM people",
        "SELECT count(*) FROM products WHERE EXISTS (SELECT FROM people)",
        "SELECT city, count(*) FROM people GROUP BY ROLLUP (city)",
        "SELECT left(city, 1), count(*) FROM people GROUP BY 1",
        "SELECT city, count(*) FROM people GROUP BY city ORDER BY min(id)",
        "SELECT city, count(*) FROM people GROUP BY city HAVING max(id) > 3",
        "SELECT DISTINCT city FROM people",
        "SELECT city FROM people GROUP BY city FOR UPDATE",
        "COPY people TO STDOUT",
        "COPY (SELECT name FROM people) TO STDOUT",
        "DECLARE c CURSOR FOR SELECT name FROM people",
        "PREPARE p AS SELECT name FROM people",
    ];
    let world = world();
    for sql in refused {
        assert_eq!(world.run("count", sql), "aggregate_required", "{sql}");
    }
    let subject = r#"SELECT count("pgpurpose subject") FROM people"#;
    assert_eq!(world.run("count", subject), "not_understood");
    assert_eq!(world.run("count", "SELECT title FROM products ORDER BY 1"), "milk\ntea");
}

#[test]
fn a_limit_keeps_order_names_and_locks() {
    let world = world();
    let text = |sql: &str| world.plan("look", sql).expect(sql);
    let (limited, most) = text("SELECT id AS x, city AS x FROM people ORDER BY id DESC");
    assert_eq!(most, Some(4));
    assert!(limited.ends_with(r#") AS "pgpurpose rows" LIMIT 5"#), "{limited}");
    all_are(
        "look",
        &[
            (
                "SELECT id AS x, city AS x FROM people ORDER BY id DESC",
                "12|Genf\n11|Genf\n10|Genf\n9|Genf\n8|Genf",
            ),
            ("TABLE products", "1|tea\n2|milk"),
            ("SELECT id FROM people UNION SELECT 0 ORDER BY 1", "0\n1\n2\n3\n4"),
            (
                "WITH p AS (SELECT id FROM people) SELECT * FROM p ORDER BY 1 LIMIT 2",
                "1\n2",
            ),
            (
                "DECLARE c CURSOR FOR SELECT id FROM people ORDER BY id; FETCH ALL FROM c",
                "1\n2\n3\n4\n5",
            ),
            ("COPY (SELECT id FROM people ORDER BY id) TO STDOUT", "1\n2\n3\n4\n5"),
            ("DELETE FROM orders RETURNING id", "statement_not_allowed"),
            ("SELECT count(*) FROM (SELECT id FROM people ORDER BY id) p", "12"),
        ],
    );
    let (locked, most) = text("SELECT id FROM people FOR UPDATE");
    assert!(most == Some(4) && !locked.contains("LIMIT"), "{locked}");
    assert_eq!(text("SELECT title FROM products").1, None);
    assert_eq!(text("EXECUTE p").1, Some(4));
}

#[test]
fn nothing_of_a_child_is_stored() {
    all_are(
        "sell",
        &[
            (
                "INSERT INTO people (id, name, born) VALUES (200, 'x', '1980-01-01'), (201, 'y', NULL), (202, 'z', DEFAULT) RETURNING id",
                "200\n201\n202",
            ),
            (
                "INSERT INTO people (id, name, born) VALUES (200, 'x', '1980-01-01'), (201, 'y', current_date - 30)",
                "check child_data",
            ),
            ("INSERT INTO people VALUES (200, 'x', now())", "check child_data"),
            ("INSERT INTO people (id, city) VALUES (200, 'x')", ""),
            (
                "INSERT INTO people (id, name, born) SELECT 300 + id, name, born AS b FROM people WHERE id < 3",
                "",
            ),
            (
                "INSERT INTO people (id, name, born) SELECT 300 + id, name, born AS b FROM people",
                "check child_data",
            ),
            ("INSERT INTO people SELECT * FROM people", "child_data"),
            (
                "INSERT INTO people (id, born) SELECT id, born FROM people UNION SELECT 1, NULL",
                "child_data",
            ),
            ("INSERT INTO orders VALUES (200, 1, 1, 1, 'x') RETURNING person", "1"),
            ("INSERT INTO orders VALUES (200, 99, 1, 1, 'x')", "check child_data"),
            (
                "INSERT INTO orders (id, person) VALUES (200, (SELECT max(id) FROM people))",
                "check child_data",
            ),
            (
                "UPDATE people SET name = upper(name) WHERE id = 1 RETURNING name",
                "PERSON 1",
            ),
            (
                "UPDATE people p SET name = upper(p.name) WHERE p.id = 99",
                "check child_data",
            ),
            ("UPDATE people SET city = 'Bern' WHERE id = 99", ""),
            ("UPDATE people SET born = current_date WHERE id = 1", "check child_data"),
            ("UPDATE people SET (name, born) = ('x', NULL)", "child_data"),
            ("UPDATE orders SET person = 99 WHERE id = 1", "check child_data"),
            (
                "UPDATE orders SET paid = paid + 1 FROM people p WHERE p.id = orders.person AND p.id = 1 RETURNING orders.id > 0",
                "t\nt\nt\nt",
            ),
            (
                "UPDATE orders SET note = 'much too long' WHERE id = 1",
                "value too long for type character varying(5)",
            ),
            (
                "INSERT INTO orders (id, person) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET paid = 5 RETURNING paid",
                "5",
            ),
            (
                "INSERT INTO people (id, name) VALUES (99, 'x') ON CONFLICT (id) DO UPDATE SET name = 'x'",
                "check child_data",
            ),
            ("COPY people FROM STDIN", "child_data"),
            (
                "WITH w AS (INSERT INTO people (id, name) VALUES (1, 'x') RETURNING 1) SELECT 1",
                "child_data",
            ),
            (
                "PREPARE p (int, date) AS INSERT INTO people (id, born) VALUES ($1, $2); EXECUTE p(200, '1980-01-01'); EXECUTE p(201, current_date)",
                "check child_data",
            ),
            ("DELETE FROM people WHERE id = 99", ""),
        ],
    );
}

#[test]
fn a_device_is_stored_only_with_consent() {
    all_are(
        "sell",
        &[
            ("UPDATE people SET device = 'x' WHERE id = 1 RETURNING device", "x"),
            ("UPDATE people SET device = 'x' WHERE id = 2", "check write_not_allowed"),
            ("UPDATE people SET device = NULL WHERE id = 2", ""),
            (
                "INSERT INTO people (id, device) VALUES (200, 'x')",
                "check write_not_allowed",
            ),
            ("INSERT INTO people (id, device) VALUES (200, NULL)", ""),
            (
                "INSERT INTO people (id, device) VALUES (1, 'x') ON CONFLICT DO NOTHING",
                "",
            ),
            (
                "INSERT INTO people (id, device) SELECT 200, device FROM people WHERE id = 2",
                "",
            ),
            (
                "INSERT INTO people (id, device) SELECT 200, 'x'",
                "check write_not_allowed",
            ),
        ],
    );
}
