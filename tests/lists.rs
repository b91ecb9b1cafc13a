//! The allow-lists against a real PostgreSQL: everything that it has is decided, and what is called
//! total never fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use common::Cluster;
use pgpurpose::catalog::lists::{
    CatalogForm, FunctionStatus, catalog_refusal, catalog_relation, function, function_in, may_set, may_show,
    operator_allowed, operator_total,
};

fn rows(cluster: &Cluster, sql: &str) -> Vec<Vec<String>> {
    let out = cluster.psql("postgres", "postgres", sql);
    let lines = out.lines().filter(|line| !line.is_empty());
    lines.map(|line| line.split('|').map(str::to_owned).collect()).collect()
}

/// One test, so that one cluster serves all of it and is dropped at its end.
#[test]
fn lists_against_a_server() {
    let cluster = Cluster::start();
    every_function_is_decided(&cluster);
    every_allowed_function_is_free_of_internals(&cluster);
    every_operator_is_decided(&cluster);
    every_setting_is_decided(&cluster);
    every_catalog_column_is_decided(&cluster);
    total_operators_never_fail(&cluster);
    total_functions_never_fail(&cluster);
    hidden_columns_can_be_null(&cluster);
}

/// Each number of arguments with which a function can be called.
fn call_counts(arguments: usize, defaults: usize, variadic: bool) -> Vec<usize> {
    let fewest = arguments - defaults - usize::from(variadic);
    let mut counts: Vec<usize> = (fewest..=arguments).collect();
    if variadic {
        counts.extend([arguments + 1, arguments + 7]);
    }
    counts
}

fn every_function_is_decided(cluster: &Cluster) {
    let functions = rows(
        cluster,
        "SELECT nspname, proname, pronargs, pronargdefaults, provariadic <> 0 \
         FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace \
         WHERE nspname IN ('pg_catalog', 'information_schema')",
    );
    assert!(functions.len() > 2900, "pg_proc is read");
    let mut undecided = BTreeSet::new();
    for row in &functions {
        let [schema, name, arguments, defaults, variadic] = row.as_slice() else {
            panic!("{row:?}")
        };
        let (arguments, defaults) = (arguments.parse().unwrap(), defaults.parse().unwrap());
        for count in call_counts(arguments, defaults, variadic == "t") {
            if function_in(schema, name, count, false) == FunctionStatus::Unknown {
                undecided.insert(format!("{schema}.{name}/{count}"));
            }
        }
    }
    assert_eq!(undecided, BTreeSet::new(), "functions on no list");
    assert_eq!(function("pgpurpose_invented", 1, false), FunctionStatus::Unknown);
}

/// A client has no value of these types, so a function of them on the allow-list is a mistake.
fn every_allowed_function_is_free_of_internals(cluster: &Cluster) {
    let internals = rows(
        cluster,
        "SELECT DISTINCT proname, pronargs FROM pg_proc, unnest(proargtypes || prorettype) t \
         WHERE pronamespace = 'pg_catalog'::regnamespace AND t::regtype::text IN ('internal', 'cstring', 'trigger', \
           'event_trigger', 'language_handler', 'fdw_handler', 'index_am_handler', 'table_am_handler', 'tsm_handler')",
    );
    assert!(internals.len() > 500, "internal functions are found");
    for row in &internals {
        let [name, count] = row.as_slice() else {
            panic!("{row:?}")
        };
        let status = function(name, count.parse().unwrap(), false);
        assert!(
            matches!(status, FunctionStatus::Denied { .. }),
            "{name}/{count} is {status:?}"
        );
    }
}

fn every_operator_is_decided(cluster: &Cluster) {
    let operators = rows(
        cluster,
        "SELECT oprname, proname, oprcode, pronargs FROM pg_operator JOIN pg_proc p ON p.oid = oprcode \
         WHERE oprnamespace = 'pg_catalog'::regnamespace",
    );
    assert!(operators.len() > 700, "pg_operator is read");
    for row in &operators {
        // The name may hold the separator: the last three fields are the function's.
        let [name @ .., function_name, _, count] = row.as_slice() else {
            panic!("{row:?}")
        };
        let name = name.join("|");
        assert!(operator_allowed(&name), "operator {name} is on no list");
        let status = function(function_name, count.parse().unwrap(), false);
        let allowed = matches!(status, FunctionStatus::Allowed { .. });
        assert!(
            allowed,
            "{name} is allowed and its function {function_name} is {status:?}"
        );
    }
    assert!(!operator_allowed("<=>") && !operator_allowed("@#@"));
}

fn every_setting_is_decided(cluster: &Cluster) {
    let settings = rows(cluster, "SELECT name, context FROM pg_settings");
    assert!(settings.len() > 300, "pg_settings is read");
    for row in &settings {
        let [name, context] = row.as_slice() else {
            panic!("{row:?}")
        };
        let undecided = Err("it is on no list of settings");
        assert_ne!(may_show(name), undecided, "{name}");
        if context != "user" && name != "lc_messages" {
            assert!(may_set(name, "x").is_err(), "{name} is no setting of a session");
        }
    }
}

fn every_catalog_column_is_decided(cluster: &Cluster) {
    let columns = rows(
        cluster,
        "SELECT nspname, relname, attname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
         JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped \
         WHERE nspname IN ('pg_catalog', 'information_schema') AND relkind IN ('r', 'v')",
    );
    assert!(columns.len() > 1000, "pg_attribute is read");
    for row in &columns {
        let [schema, relation, column] = row.as_slice() else {
            panic!("{row:?}")
        };
        match catalog_relation(schema, relation) {
            Some(listed) => {
                let refused = listed.form(column) == CatalogForm::Refuse;
                assert!(!refused, "{relation}.{column} is on no list");
            }
            None => assert!(
                catalog_refusal(schema, relation).is_some(),
                "{schema}.{relation} is on no list"
            ),
        }
    }
}

/// A hidden column becomes `NULL::type`, which must be possible for its type.
fn hidden_columns_can_be_null(cluster: &Cluster) {
    let columns = rows(
        cluster,
        "SELECT nspname, relname, attname, format_type(atttypid, atttypmod) FROM pg_class c \
         JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 \
         WHERE nspname IN ('pg_catalog', 'information_schema') AND relkind IN ('r', 'v')",
    );
    let mut nulls = BTreeSet::new();
    for row in &columns {
        let [schema, relation, column, type_sql] = row.as_slice() else {
            panic!("{row:?}")
        };
        if catalog_relation(schema, relation).is_some_and(|r| r.form(column) != CatalogForm::Raw) {
            nulls.insert(format!("NULL::{type_sql}"));
        }
    }
    assert!(
        nulls.contains("NULL::anyarray") && nulls.contains("NULL::pg_node_tree"),
        "{nulls:?}"
    );
    let list = nulls.into_iter().collect::<Vec<_>>().join(", ");
    cluster.psql("postgres", "postgres", &format!("SELECT {list}"));
}

/// Values at the edges of a type, as SQL literals.
static EDGES: LazyLock<Vec<(&str, Vec<&str>)>> = LazyLock::new(|| {
    let texts = vec!["", " ", "a ", "ä", "\\", "%", "_\\", "''", "😀", "Zoë"];
    vec![
        ("int2", vec!["-32768", "-1", "0", "32767"]),
        ("int4", vec!["-2147483648", "-1", "0", "2147483647"]),
        ("int8", vec!["-9223372036854775808", "-1", "0", "9223372036854775807"]),
        (
            "numeric",
            vec!["-1e131071", "0", "1e-16383", "1e131071", "NaN", "Infinity", "-Infinity"],
        ),
        (
            "float4",
            vec!["-3.4e38", "1e-45", "0", "3.4e38", "NaN", "Infinity", "-Infinity"],
        ),
        (
            "float8",
            vec!["-1.7e308", "5e-324", "0", "1.7e308", "NaN", "Infinity", "-Infinity"],
        ),
        ("oid", vec!["0", "1", "4294967295"]),
        ("bool", vec!["true", "false"]),
        ("char", vec!["", "a", "\\377"]),
        ("bytea", vec!["", "\\x00", "\\xff00"]),
        (
            "uuid",
            vec![
                "00000000-0000-0000-0000-000000000000",
                "ffffffff-ffff-ffff-ffff-ffffffffffff",
            ],
        ),
        ("text", texts.clone()),
        ("varchar", texts.clone()),
        ("bpchar", texts.clone()),
        ("name", texts),
        (
            "date",
            vec!["4714-11-24 BC", "2000-01-01", "5874897-12-31", "infinity", "-infinity"],
        ),
        (
            "timestamp",
            vec![
                "4714-11-24 00:00 BC",
                "2000-01-01",
                "294276-12-31 23:59:59.999999",
                "infinity",
                "-infinity",
            ],
        ),
        (
            "timestamptz",
            vec![
                "4714-11-24 00:00+00 BC",
                "2000-01-01",
                "294276-12-31 23:59:59.999999+00",
                "infinity",
                "-infinity",
            ],
        ),
        ("time", vec!["00:00", "24:00", "23:59:59.999999"]),
        ("timetz", vec!["00:00+15:59", "24:00-15:59"]),
        (
            "interval",
            vec![
                "-178000000 years",
                "0",
                "1 mon -30 days",
                "178000000 years",
                "2147483647 days",
            ],
        ),
        (
            "inet",
            vec!["0.0.0.0/0", "10.0.0.1/8", "255.255.255.255", "::/0", "ffff::1/128"],
        ),
        ("cidr", vec!["0.0.0.0/0", "10.0.0.0/8", "::/0", "ffff::1/128"]),
        ("macaddr", vec!["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"]),
        ("macaddr8", vec!["00:00:00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff:ff:ff"]),
        ("bit", vec!["0", "1"]),
        ("varbit", vec!["", "0", "1010101010101010101"]),
        ("money", vec!["-92233720368547758.08", "0", "92233720368547758.07"]),
        ("anyenum", vec!["first", "last"]),
        (
            "jsonb",
            vec!["null", "1", "\"a\"", "[]", "{}", "true", "[{\"a\": [1]}]"],
        ),
        ("int4range", vec!["empty", "(,)", "[1,2)"]),
        ("int4multirange", vec!["{}", "{(,)}", "{[1,2)}"]),
    ]
});

/// The types of a line of operators.txt, as SQL names them.
fn sql_type(name: &str) -> String {
    match name {
        "char" => "\"char\"".to_owned(),
        "anyenum" => "an_enum".to_owned(),
        other => other.to_owned(),
    }
}

fn edges_of(name: &str) -> String {
    let (_, values) = EDGES.iter().find(|(n, _)| *n == name).expect("edges");
    let sql = sql_type(name);
    let values = values.iter().map(|v| format!("('{}'::{sql})", v.replace('\'', "''")));
    format!("(VALUES {}, (NULL))", values.collect::<Vec<_>>().join(", "))
}

/// Each total operator over all pairs of edge values. A missing operator fails as well, so a pair
/// that PostgreSQL does not resolve cannot stand on the list.
fn total_operators_never_fail(cluster: &Cluster) {
    let mut script = String::from("CREATE TYPE an_enum AS ENUM ('first', 'last');\n");
    let mut count = 0;
    let names = ["=", "<>", "<", "<=", ">", ">=", "<<", "<<=", ">>", ">>=", "&&"];
    for (left, _) in EDGES.iter() {
        for (right, _) in EDGES.iter() {
            for name in names {
                if operator_total(name, left, right) {
                    count += 1;
                    let (lefts, rights) = (edges_of(left), edges_of(right));
                    script.push_str(&format!(
                        "SELECT 'x' FROM (SELECT count(l {name} r) FROM {lefts} a(l), {rights} b(r)) s WHERE count < 0;\n"
                    ));
                }
            }
        }
    }
    assert!(count > 300, "{count} total operators are tried");
    for zone in ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        let script = match zone {
            "UTC" => script.clone(),
            _ => script.lines().skip(1).collect::<Vec<_>>().join("\n"),
        };
        cluster.psql("postgres", "postgres", &format!("SET TIME ZONE '{zone}';\n{script}"));
    }
}

/// Each total function, in every overload whose argument types have edge values above.
fn total_functions_never_fail(cluster: &Cluster) {
    let overloads = rows(
        cluster,
        "SELECT proname, pronargs, coalesce(string_agg(CASE typname WHEN 'anyrange' THEN 'int4range' \
             WHEN 'anymultirange' THEN 'int4multirange' ELSE typname END, ',' ORDER BY ord), '') \
         FROM pg_proc p LEFT JOIN unnest(proargtypes) WITH ORDINALITY u(t, ord) ON true \
         LEFT JOIN pg_type ON pg_type.oid = t \
         WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' GROUP BY p.oid, proname, pronargs",
    );
    let mut script = String::new();
    let mut tried = BTreeSet::new();
    for row in &overloads {
        let [name, count, types] = row.as_slice() else {
            panic!("{row:?}")
        };
        let total = FunctionStatus::Allowed { total: true };
        if function(name, count.parse().unwrap(), false) != total {
            continue;
        }
        let types: Vec<&str> = types.split(',').filter(|t| !t.is_empty()).collect();
        if types.contains(&"xml") {
            continue;
        }
        tried.insert(name.clone());
        let sources = types
            .iter()
            .enumerate()
            .map(|(i, t)| format!("{} a{i}(v{i})", edges_of(t)));
        let sources = sources.collect::<Vec<_>>().join(", ");
        let arguments = (0..types.len()).map(|i| format!("v{i}")).collect::<Vec<_>>().join(", ");
        let from = if sources.is_empty() {
            String::new()
        } else {
            format!("FROM {sources}")
        };
        script.push_str(&format!(
            "SELECT 'x' FROM (SELECT count(pg_catalog.\"{name}\"({arguments})) {from}) s WHERE count < 0;\n"
        ));
    }
    assert!(tried.len() > 30, "{tried:?}");
    cluster.psql("postgres", "postgres", &script);
}
