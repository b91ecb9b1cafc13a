//! Consent conditions and row filters against a real PostgreSQL: truth tables, limits in time,
//! and that neither search_path nor TimeZone changes what they mean.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "../masks/cluster.rs"]
mod cluster;
mod world;

use cluster::Cluster;
use pgpurpose::catalog::Catalog;
use pgpurpose::policy::{Condition, ConsentTable, Policy, RowFilter};
use pgpurpose::rewrite::obligation::{self, Target};
use world::{care, place, policy, start, table};

/// Fourteen hours ahead of UTC and twelve behind it.
const HOSTILE_SESSIONS: [&str; 2] = [
    "SET search_path = evil, public, pg_catalog; SET DateStyle = 'SQL, DMY'; SET TimeZone = 'Pacific/Kiritimati';",
    "SET search_path = evil, public, pg_catalog; SET IntervalStyle = 'sql_standard'; SET TimeZone = 'Etc/GMT+12';",
];

fn consent_table(recorded_at: bool) -> ConsentTable {
    let words = |w: &[&str]| w.iter().map(|w| (*w).to_owned()).collect();
    ConsentTable {
        table: care("consents"),
        subject: "customer_id".into(),
        purpose: "purpose".into(),
        status: "status".into(),
        given: words(&["given"]),
        withdrawn: words(&["refused", "withdrawn"]),
        expires: Some("expires_at".into()),
        third_party: None,
        recorded_at: recorded_at.then(|| "recorded_at".into()),
        of: None,
        place: place(),
    }
}

fn condition(opt_in: bool) -> Condition {
    Condition {
        key: "id".into(),
        root: care("customers"),
        opt_in,
        purposes: vec!["marketing".into(), "marketing.email".into()],
    }
}

/// The rows that the filter leaves, by their `id`, under every hostile session alike.
fn left(cluster: &Cluster, table: &str, sql: &str, before: &str) -> Vec<i64> {
    let mut answers = HOSTILE_SESSIONS.map(|session| {
        let query = format!("{session} {before} SELECT t.id FROM care.{table} AS t WHERE {sql} ORDER BY 1");
        let out = cluster.psql(&query).unwrap_or_else(|e| panic!("{e}\n{sql}"));
        out.lines().map(|l| l.parse().unwrap()).collect::<Vec<i64>>()
    });
    assert_eq!(answers[0], answers[1], "the session's zone decides");
    std::mem::take(&mut answers[0])
}

#[test]
fn consent_truth_table() {
    const STATES: [(&str, &str); 8] = [
        ("none", ""),
        ("given", "'given', NULL"),
        ("refused", "'refused', NULL"),
        ("withdrawn", "'withdrawn', NULL"),
        ("asked", "'asked', NULL"),
        ("expired", "'given', timezone('UTC', now()) - interval '1 hour'"),
        ("lasting", "'given', timezone('UTC', now()) + interval '1 hour'"),
        (
            "refused long ago",
            "'refused', timezone('UTC', now()) - interval '1 hour'",
        ),
    ];
    for (status_type, expires_type) in [
        ("text", "timestamp"),
        ("care.consent_status", "timestamptz"),
        ("varchar(10)", "date"),
    ] {
        let (cluster, catalog) = start(
            "consent",
            &format!(
                "CREATE TABLE care.customers (id bigint);
                 CREATE TABLE care.consents (customer_id int, purpose text, status {status_type}, expires_at {expires_type});"
            ),
        );
        // A date in place of a time: a day and more, either way.
        let unit = if expires_type == "date" { "1 day" } else { "1 hour" };
        let mut script = String::from("SET TimeZone = 'UTC';");
        let mut expected = [Vec::new(), Vec::new()];
        let mut id = 0;
        for (here, here_sql) in STATES {
            for (above, above_sql) in STATES {
                id += 1;
                script += &format!("INSERT INTO care.customers VALUES ({id});");
                for (purpose, sql) in [("marketing.email", here_sql), ("marketing", above_sql)] {
                    let sql = sql.replace("1 hour", unit);
                    if !sql.is_empty() {
                        script += &format!("INSERT INTO care.consents VALUES ({id}, '{purpose}', {sql});");
                    }
                }
                // Another purpose and another subject say nothing.
                script += &format!(
                    "INSERT INTO care.consents VALUES ({id}, 'research', 'given', NULL), ({id}, 'care', 'refused', NULL);"
                );
                let is_refused = here.starts_with("refused")
                    || here == "withdrawn"
                    || above.starts_with("refused")
                    || above == "withdrawn";
                let is_given = [here, above].iter().any(|s| *s == "given" || *s == "lasting");
                if !is_refused {
                    expected[0].push(id);
                }
                if !is_refused && is_given {
                    expected[1].push(id);
                }
            }
        }
        script += "INSERT INTO care.customers VALUES (NULL); INSERT INTO care.consents VALUES (NULL, 'marketing', 'given', NULL);";
        cluster.psql(&script).unwrap();
        let policy = policy(Vec::new(), Some(consent_table(false)));
        let name = care("customers");
        let target = Target {
            table: &name,
            alias: "t",
        };
        for (opt_in, expected) in [(false, &expected[0]), (true, &expected[1])] {
            let filter = obligation::condition_sql(&condition(opt_in), &target, &policy, &catalog).unwrap();
            let found = left(
                &cluster,
                "customers",
                &format!("{} AND t.id IS NOT NULL", filter.sql),
                "",
            );
            assert_eq!(&found, expected, "opt_in {opt_in}, expires {expires_type}");
            assert_eq!(filter.relations.len(), filter.sql.matches("care.consents").count());
        }
        let opt_in = obligation::condition_sql(&condition(true), &target, &policy, &catalog).unwrap();
        let unknown = cluster.psql(&format!(
            "SELECT count(*) FROM care.customers t WHERE t.id IS NULL AND {}",
            opt_in.sql
        ));
        assert_eq!(
            unknown.as_deref(),
            Ok("0"),
            "a row without a subject has nobody's consent"
        );
    }
}

#[test]
fn the_latest_record_of_a_purpose_speaks_for_it() {
    const STATUSES: [&str; 4] = ["given", "refused", "withdrawn", "asked"];
    const PURPOSES: [&str; 3] = ["marketing", "marketing.email", "research"];
    let (cluster, catalog) = start(
        "latest",
        "CREATE TABLE care.customers (id int);
         CREATE TABLE care.consents (customer_id int, purpose text, status text, expires_at timestamptz, recorded_at timestamptz);",
    );
    let mut script = String::new();
    let mut expected = [Vec::new(), Vec::new()];
    let mut state = 42_u64;
    let mut draw = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for id in 1..=400_i64 {
        script += &format!("INSERT INTO care.customers VALUES ({id});");
        let mut records = Vec::new();
        for _ in 0..draw(5) {
            let record = (
                PURPOSES[draw(3) as usize],
                STATUSES[draw(4) as usize],
                draw(4) == 0,
                // 0 is a record without its time.
                draw(4),
            );
            let expires = if record.2 { "now() - interval '1 s'" } else { "NULL" };
            let at = match record.3 {
                0 => "NULL".to_owned(),
                day => format!("'2024-01-0{day}'"),
            };
            script += &format!(
                "INSERT INTO care.consents VALUES ({id}, '{}', '{}', {expires}, {at});",
                record.0, record.1
            );
            records.push(record);
        }
        let speaks = |r: &&(&str, &str, bool, u64)| records.iter().all(|o| o.0 != r.0 || o.3 <= r.3);
        let counts = |r: &&(&str, &str, bool, u64)| r.0 != "research";
        let is_refused = records
            .iter()
            .filter(counts)
            .any(|r| (r.1 == "refused" || r.1 == "withdrawn") && (r.3 == 0 || speaks(&r)));
        let is_given = records
            .iter()
            .filter(counts)
            .any(|r| r.1 == "given" && !r.2 && speaks(&r));
        if !is_refused {
            expected[0].push(id);
        }
        if !is_refused && is_given {
            expected[1].push(id);
        }
    }
    cluster.psql(&script).unwrap();
    let policy = policy(Vec::new(), Some(consent_table(true)));
    let name = care("customers");
    let target = Target {
        table: &name,
        alias: "t",
    };
    for (opt_in, expected) in [(false, &expected[0]), (true, &expected[1])] {
        assert!(expected.len() > 40 && expected.len() < 360, "{}", expected.len());
        let filter = obligation::condition_sql(&condition(opt_in), &target, &policy, &catalog).unwrap();
        assert_eq!(
            &left(&cluster, "customers", &filter.sql, ""),
            expected,
            "opt_in {opt_in}"
        );
        assert_eq!(filter.relations.len(), filter.sql.matches("care.consents").count());
    }
}

fn filtered(cluster: &Cluster, catalog: &Catalog, policy: &Policy, table: &str, filter: &RowFilter) -> Vec<i64> {
    filtered_after(cluster, catalog, policy, table, filter, "")
}

fn filtered_after(
    cluster: &Cluster,
    catalog: &Catalog,
    policy: &Policy,
    table: &str,
    filter: &RowFilter,
    before: &str,
) -> Vec<i64> {
    let name = care(table);
    let target = Target {
        table: &name,
        alias: "t",
    };
    let filter = obligation::filter_sql(filter, &target, policy, catalog).unwrap();
    left(cluster, table, &filter.sql, before)
}

#[test]
fn children_and_transfers_look_at_the_root() {
    for birth_type in ["date", "timestamp", "timestamptz"] {
        let (cluster, catalog) = start(
            "children",
            &format!(
                "CREATE TABLE care.customers (id int, birth {birth_type}, region text);
                 CREATE TABLE care.orders (id int, customer_id bigint);
                 SET TimeZone = 'UTC';
                 INSERT INTO care.customers VALUES
                   (1, current_date - interval '13 years', 'us'), (2, current_date - interval '13 years' + interval '1 day', 'eu'),
                   (3, NULL, NULL), (4, 'infinity', 'EU'), (5, '-infinity', ' eu '), (6, '1950-01-01', 'ch');
                 INSERT INTO care.orders SELECT 10 + i, i FROM generate_series(1, 6) i;
                 INSERT INTO care.orders VALUES (17, 99), (18, NULL);"
            ),
        );
        let policy = policy(Vec::new(), None);
        let children = |key: &str, unknown_is_child| RowFilter::Children {
            key: key.into(),
            root: care("customers"),
            root_key: "id".into(),
            birth_date: "birth".into(),
            under: 13,
            unknown_is_child,
            place: place(),
        };
        let rows = |table: &str, filter: &RowFilter| filtered(&cluster, &catalog, &policy, table, filter);
        assert_eq!(rows("customers", &children("id", false)), [1, 3, 5, 6], "{birth_type}");
        assert_eq!(rows("customers", &children("id", true)), [1, 5, 6], "{birth_type}");
        assert_eq!(
            rows("orders", &children("customer_id", false)),
            [11, 13, 15, 16, 17, 18],
            "{birth_type}"
        );
        assert_eq!(
            rows("orders", &children("customer_id", true)),
            [11, 15, 16],
            "{birth_type}"
        );
        let transfer = |key: &str, regions: &[&str]| RowFilter::Transfer {
            key: key.into(),
            root: care("customers"),
            root_key: "id".into(),
            region: "region".into(),
            restricted: regions.iter().map(|r| (*r).to_owned()).collect(),
            place: place(),
        };
        assert_eq!(rows("customers", &transfer("id", &["eu"])), [1, 6]);
        assert_eq!(rows("customers", &transfer("id", &["eu", "CH"])), [1]);
        assert_eq!(rows("orders", &transfer("customer_id", &["eu"])), [11, 16]);
    }
}

#[test]
fn retention_ends_on_its_day_and_needs_a_date() {
    for column_type in ["date", "timestamp", "timestamptz"] {
        let (cluster, catalog) = start(
            "retention",
            &format!(
                "CREATE TABLE care.notes (id int, made {column_type});
                 SET TimeZone = 'UTC';
                 INSERT INTO care.notes VALUES (1, now() - interval '3 years' + interval '1 day'), (2, now() - interval '3 years' - interval '1 day'),
                   (3, NULL), (4, 'infinity'), (5, '-infinity'), (6, now());"
            ),
        );
        let filter = RowFilter::Retention {
            column: "made".into(),
            keep: "3 years".into(),
            place: place(),
        };
        let found = filtered(&cluster, &catalog, &policy(Vec::new(), None), "notes", &filter);
        assert_eq!(found, [1, 4, 6], "{column_type}");
    }
}

#[test]
fn one_subject_sees_its_own_rows() {
    let (cluster, catalog) = start(
        "subject",
        "CREATE TABLE care.customers (id int, k4 int, k2 int2, k8 int8, kn numeric, ku uuid, kt text, kv varchar(9), kc char(9), ki citext);
         INSERT INTO care.customers SELECT i, i, i, i, i, ('00000000-0000-0000-0000-00000000000' || i)::uuid, 'K' || i, 'K' || i, 'K' || i, 'K' || i
           FROM generate_series(1, 9) i;
         INSERT INTO care.customers (id) VALUES (10);
         CREATE TABLE care.agents (id int);",
    );
    let set = |value: &str| format!("SET pgpurpose.subject = '{value}';");
    let rows = |key: &str, others: &[&str], before: &str| {
        let mut tables = vec![table("customers", key, None)];
        tables.extend(others.iter().map(|other| table(other, "id", None)));
        let filter = RowFilter::OneSubject { key: key.into() };
        let policy = policy(tables, None);
        let found = filtered_after(&cluster, &catalog, &policy, "customers", &filter, before);
        let told = before.split('\'').nth(1).unwrap_or_default();
        let read = obligation::subject_key(told, &policy, &catalog);
        let is_of_customers = read.is_some_and(|k| *k.root == care("customers"));
        assert!(
            is_of_customers || found.is_empty(),
            "{key} {told}: rows of a subject that cannot be read"
        );
        found
    };
    for key in ["k4", "k2", "k8", "kn"] {
        assert_eq!(rows(key, &[], &set("7")), [7], "{key}");
        assert_eq!(rows(key, &[], &set("+7")), [7], "{key}");
        assert_eq!(rows(key, &[], &set("customers:7")), [7], "{key}");
        assert_eq!(rows(key, &[], &set("care.customers:7")), [7], "{key}");
        assert_eq!(rows(key, &["agents"], &set("customers:7")), [7], "{key}");
        assert_eq!(rows(key, &["agents"], &set("7")), [0; 0], "{key}");
        for odd in [
            "",
            "x",
            "7x",
            "7;",
            "agents:7",
            "99999999999999999999",
            "9223372036854775808",
            "2147483648",
            "32768",
            "1e1",
            "NaN",
            "customers:",
            "customers:customers:7",
            "-",
            "7 OR true",
            "123456789012345678901234567890123456789",
        ] {
            assert_eq!(rows(key, &[], &set(odd)), [0; 0], "{key} {odd}");
            assert_eq!(rows(key, &["agents"], &set(odd)), [0; 0], "{key} {odd}");
        }
        assert_eq!(rows(key, &[], ""), [0; 0], "{key}: no subject, no rows");
    }
    assert_eq!(rows("ku", &[], &set("00000000-0000-0000-0000-000000000003")), [3]);
    assert_eq!(rows("ku", &[], &set("00000000000000000000000000000003")), [3]);
    for odd in [
        "",
        "3",
        "00000000-0000-0000-0000-00000000000g",
        "{00000000-0000-0000-0000-000000000003}",
        "0-",
    ] {
        assert_eq!(rows("ku", &[], &set(odd)), [0; 0], "{odd}");
    }
    for key in ["kt", "kv", "kc"] {
        assert_eq!(rows(key, &[], &set("K3")), [3], "{key}");
        assert_eq!(rows(key, &[], &set("k3")), [0; 0], "{key}");
    }
    assert_eq!(rows("ki", &[], &set("k3")), [3], "citext");
}

#[test]
fn what_does_not_fit_is_said_and_aliases_do_not_hide_each_other() {
    let (cluster, catalog) = start(
        "misbound",
        "CREATE TABLE care.customers (id int, born text, region text, u uuid);
         INSERT INTO care.customers VALUES (1, '', 'us', NULL), (2, '', 'eu', NULL);
         CREATE TABLE care.orders (id int, customer_id int);
         INSERT INTO care.orders VALUES (11, 1), (12, 2);",
    );
    let policy = policy(Vec::new(), Some(consent_table(false)));
    let orders = care("orders");
    let transfer = |root_key: &str, region: &str| RowFilter::Transfer {
        key: "customer_id".into(),
        root: care("customers"),
        root_key: root_key.into(),
        region: region.into(),
        restricted: vec!["eu".into()],
        place: place(),
    };
    let children = RowFilter::Children {
        key: "customer_id".into(),
        root: care("customers"),
        root_key: "id".into(),
        birth_date: "born".into(),
        under: 13,
        unknown_is_child: false,
        place: place(),
    };
    let wrong = [
        (children, "column born must be a date or a timestamp, not text"),
        (transfer("nosuch", "region"), "there is no column nosuch"),
        (
            transfer("u", "region"),
            "the keys of the data subject are of different types",
        ),
        (
            RowFilter::Consent(Condition {
                key: "customer_id".into(),
                ..condition(true)
            }),
            "there is no such table",
        ),
        (
            RowFilter::Where {
                sql: "true".into(),
                place: place(),
            },
            "the row filter of rules.yaml:1 is not bound here",
        ),
    ];
    for (filter, why) in wrong {
        let target = Target {
            table: &orders,
            alias: "t",
        };
        let found = obligation::filter_sql(&filter, &target, &policy, &catalog).unwrap_err();
        assert_eq!(found.why, why);
    }
    for alias in ["t", "pgpurpose_root", "\"pgpurpose_root_\"", "care.orders"] {
        let target = Target { table: &orders, alias };
        let filter = obligation::filter_sql(&transfer("id", "region"), &target, &policy, &catalog).unwrap();
        let named = if alias == "care.orders" {
            String::new()
        } else {
            format!("AS {alias}")
        };
        let found = cluster.psql(&format!("SELECT id FROM care.orders {named} WHERE {}", filter.sql));
        assert_eq!(found.as_deref(), Ok("11"), "{alias}");
    }
}
