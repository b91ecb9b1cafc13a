//! Every mask against a real PostgreSQL: what it shows, that no stored value makes it fail, that
//! it keeps type and NULL, and that no session setting or search_path changes what it means.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod cluster;

use cluster::Cluster;
use pgpurpose::catalog::{Catalog, Column, QualifiedName, Type, TypeKind};
use pgpurpose::policy::{DateGrain, JsonPath, Mask};
use pgpurpose::rewrite::mask::{self, MaskKeys};

const KEYS: MaskKeys<'static> = MaskKeys {
    pseudonym: "pgpurpose.key_1",
    hash: "pgpurpose.key_0",
};

/// Schema, functions, operators and types of the names that masks use, all of which fail or lie.
const SETUP: &str = r#"
SET client_min_messages = error;
CREATE EXTENSION citext;
CREATE DOMAIN upper_text AS varchar(20) NOT NULL CHECK (VALUE = upper(VALUE));
CREATE DOMAIN even_number AS integer CHECK (VALUE % 2 = 0);
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE SCHEMA evil;
CREATE FUNCTION evil.fail(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'evil ran: %', $1; END $$;
CREATE FUNCTION evil.left(text, int) RETURNS text LANGUAGE sql AS 'SELECT evil.fail($1)';
CREATE FUNCTION evil.join(text, text) RETURNS text LANGUAGE sql AS 'SELECT evil.fail($1)';
CREATE FUNCTION evil.eq(text, text) RETURNS bool LANGUAGE sql AS 'SELECT evil.fail($1)::bool';
CREATE FUNCTION evil.minus(numeric, numeric) RETURNS numeric LANGUAGE sql AS 'SELECT 666.0';
CREATE OPERATOR evil.|| (FUNCTION = evil.join, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR evil.= (FUNCTION = evil.eq, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR evil.- (FUNCTION = evil.minus, LEFTARG = numeric, RIGHTARG = numeric);
CREATE DOMAIN evil.text AS pg_catalog.text CHECK (false);
CREATE DOMAIN evil.date AS pg_catalog.date CHECK (false);
CREATE DOMAIN evil.uuid AS pg_catalog.uuid CHECK (false);
CREATE DOMAIN evil.jsonb AS pg_catalog.jsonb CHECK (false);
"#;

/// What a client may set to make a mask behave otherwise.
const HOSTILE_SESSION: &str = "SET search_path = evil, public, pg_catalog; SET TimeZone = 'America/New_York'; \
    SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'sql_standard'; SET bytea_output = 'escape'; \
    SET extra_float_digits = -10; SET quote_all_identifiers = on;\n";

/// A cluster with the masks' keys, and its types.
fn start(name: &str) -> (Cluster, Catalog) {
    let mut settings = mask::key_settings(KEYS.pseudonym, &[7; 32]).to_vec();
    settings.extend(mask::key_settings(KEYS.hash, &[8; 32]));
    let cluster = Cluster::start(name, &settings);
    cluster.psql(SETUP).unwrap();
    let catalog = load_types(&cluster);
    (cluster, catalog)
}

fn load_types(cluster: &Cluster) -> Catalog {
    let rows = cluster
        .psql(
            "SELECT t.oid, n.nspname, t.typname, t.typtype, t.typbasetype, t.typcategory, t.typelem, t.typrelid,
                (SELECT x.extname FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid
                 WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
             FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace",
        )
        .unwrap();
    let mut catalog = Catalog::default();
    catalog.types.extend(rows.lines().map(|row| {
        let f: Vec<&str> = row.split('|').collect();
        Type {
            oid: f[0].parse().unwrap(),
            name: QualifiedName::new(f[1], f[2]),
            kind: match f[3] {
                "b" => TypeKind::Base,
                "c" => TypeKind::Composite(f[7].parse().unwrap()),
                "d" => TypeKind::Domain(f[4].parse().unwrap()),
                "e" => TypeKind::Enum,
                "p" => TypeKind::Pseudo,
                "r" => TypeKind::Range,
                "m" => TypeKind::Multirange,
                other => panic!("typtype {other}"),
            },
            category: f[5].chars().next().unwrap(),
            element: f[6].parse().unwrap(),
            extension: (!f[8].is_empty()).then(|| f[8].to_owned()),
        }
    }));
    catalog.indexed()
}

/// Makes table `t` with a column `v` of this type, and a subject `s`.
fn make_table(cluster: &Cluster, column_type: &str) -> Column {
    let row = cluster
        .psql(&format!(
            "SET client_min_messages = error; DROP TABLE IF EXISTS public.t;
             CREATE TABLE public.t (n serial, s text DEFAULT 'subject', v {column_type});
             SET search_path = '';
             SELECT atttypid, format_type(atttypid, atttypmod) FROM pg_attribute
             WHERE attrelid = 'public.t'::regclass AND attname = 'v'"
        ))
        .unwrap();
    let (oid, type_sql) = row.split_once('|').unwrap();
    Column {
        number: 3,
        name: "v".into(),
        type_oid: oid.parse().unwrap(),
        type_sql: type_sql.into(),
        not_null: false,
        generated: false,
    }
}

fn expression(mask: &Mask, column: &Column, catalog: &Catalog) -> Result<String, String> {
    mask::mask_expression(mask, column, catalog, "t.v", &KEYS, Some("t.s")).map_err(|e| e.to_string())
}

fn partial(prefix: u32, suffix: u32, fill: &str) -> Mask {
    let fill = fill.into();
    Mask::Partial { prefix, suffix, fill }
}

fn json(paths: &[&str]) -> Mask {
    let path = |p: &&str| JsonPath(p.split('.').map(str::to_owned).collect());
    Mask::Json(paths.iter().map(path).collect())
}

/// Mask, column type, and what each value (SQL) is to be shown as.
type Expectation = (Mask, &'static str, Vec<(&'static str, &'static str)>);

#[rustfmt::skip]
fn expectations() -> Vec<Expectation> {
    let year = Mask::Generalize(DateGrain::Year);
    let month = Mask::Generalize(DateGrain::Month);
    let quarter = Mask::Generalize(DateGrain::Quarter);
    let decade = Mask::Generalize(DateGrain::Decade);
    let round = |n: &str| Mask::Round(n.into());
    let constant = |v: &str| Mask::Constant(v.into());
    let ip = Mask::IpPrefix { v4: 24, v6: 48 };
    vec![
        (partial(1, 4, "*"), "text", vec![
            ("'4111111111111111'", "4***********1111"), ("'123456'", "1*3456"), ("'12345'", "*****"), ("'1'", "*"),
            ("''", ""), ("'żółć gęślą'", "ż*****ęślą"), ("E'a\\nb\\nc\\nd'", "a**\nc\nd")]),
        (partial(2, 0, "x"), "varchar(10)", vec![("'Anderson'", "Anxxxxxx"), ("'An'", "xx")]),
        (partial(0, 0, "█"), "text", vec![("'secret'", "██████")]),
        (partial(1, 1, ""), "text", vec![("'secret'", "st"), ("'ab'", "")]),
        (partial(1, 0, "*"), "char(6)", vec![("'abc'", "a**")]),
        (partial(1, 0, "*"), "citext", vec![("'Abc'", "A**")]),
        (partial(1, 0, "*"), "text COLLATE blind", vec![("'Abc'", "A**")]),
        (partial(1, 0, "*"), "upper_text", vec![("'ABC'", "A**")]),
        (Mask::Email, "text", vec![
            ("'canary-4925-007@example.test'", "c***@example.test"), ("'jo@x.org'", "j***@x.org"), ("'j@x.org'", "***@x.org"),
            ("'@x.org'", "***@x.org"), ("'nobody'", "***"), ("''", "***"), ("'a@'", "***"),
            ("'\"a@b\"@c.org'", "\"***@c.org"), ("'call me @ noon, code 12'", "***"), ("E'ab@c\\nd'", "***"),
            ("'jörg@müller.example'", "j***@müller.example"), ("'ab@' || repeat('x', 300)", "***")]),
        (Mask::Email, "text COLLATE blind", vec![("'Jo@X.org'", "J***@X.org"), ("'x'", "***")]),
        (Mask::Email, "citext", vec![("'Jo@X.org'", "J***@X.org")]),
        (Mask::Email, "varchar(8)", vec![("'jo@x.org'", "j***@x.o")]),
        (year.clone(), "date", vec![
            ("'1961-03-17'", "1961-01-01"), ("'0044-03-15 BC'", "0044-01-01 BC"), ("'infinity'", "infinity"),
            ("'-infinity'", "-infinity"), ("'5874897-12-31'", "294270-01-01"), ("'4713-11-24 BC'", "4700-01-01 BC")]),
        (month.clone(), "date", vec![("'1961-03-17'", "1961-03-01")]),
        (quarter, "date", vec![("'1961-06-17'", "1961-04-01")]),
        (decade.clone(), "date", vec![("'1969-06-17'", "1960-01-01"), ("'0005-01-01'", "0001-01-01 BC")]),
        (year.clone(), "timestamp", vec![("'1961-03-17 12:00'", "1961-01-01 00:00:00"), ("'infinity'", "infinity")]),
        (year.clone(), "timestamptz", vec![
            ("'2000-01-01 00:00:00+00'", "1999-12-31 19:00:00-05"), ("'1999-12-31 23:59:59+00'", "1998-12-31 19:00:00-05")]),
        (month, "timestamptz(3)", vec![("'2024-03-31 23:30:00.1234+00'", "2024-02-29 19:00:00-05")]),
        (decade, "timestamp(0)", vec![("'4713-11-24 00:00 BC'", "4701-01-01 00:00:00 BC")]),
        (round("1000"), "int4", vec![
            ("1234", "1000"), ("-1", "-1000"), ("999", "0"), ("1000", "1000"), ("-1000", "-1000"),
            ("2147483647", "2147483000"), ("-2147483648", "-2147483648")]),
        (round("7"), "int8", vec![("9223372036854775807", "9223372036854775807"), ("9223372036854775806", "9223372036854775800")]),
        (round("100000"), "int2", vec![("32767", "0"), ("-1", "-32768")]),
        (round("10"), "even_number", vec![("42", "40")]),
        (round("1000"), "numeric", vec![
            ("1234.567", "1000"), ("-0.5", "-1000"), ("'NaN'", "NaN"), ("'Infinity'", "Infinity"), ("'-Infinity'", "-Infinity")]),
        (round("0.25"), "numeric", vec![("1.30", "1.25"), ("-1.30", "-1.50")]),
        (round("1000"), "numeric(4,2)", vec![("12.34", "0.00"), ("-12.34", "-99.99")]),
        (round("1000"), "numeric(3,-2)", vec![("12345", "12000"), ("-99900", "-99900")]),
        (round("0.5"), "float8", vec![("1.3", "1"), ("1.7", "1.5"), ("-1.3", "-1.5"), ("'NaN'", "NaN"), ("'Infinity'", "Infinity")]),
        (round("10"), "float4", vec![("'16777216'", "1.677721e+07")]),
        (ip.clone(), "inet", vec![
            ("'10.1.2.3'", "10.1.2.0/24"), ("'10.1.2.3/8'", "10.0.0.0/8"), ("'2001:db8:1:2::3'", "2001:db8:1::/48"),
            ("'::ffff:10.1.2.3'", "::/48")]),
        (ip, "cidr", vec![("'10.1.2.128/25'", "10.1.2.0/24"), ("'10.0.0.0/8'", "10.0.0.0/8")]),
        (constant("it's"), "text", vec![("'x'", "it's")]),
        (constant("0"), "int2", vec![("7", "0")]),
        (constant("-1.50"), "numeric(4,2)", vec![("7", "-1.50")]),
        (constant("1e"), "text", vec![("''", "1e")]),
        (constant("false"), "bool", vec![("true", "false")]),
        (constant("1970-01-31"), "date", vec![("'2020-01-01'", "1970-01-31")]),
        (constant("1970-01-31 12:30Z"), "timestamptz", vec![("'2020-01-01'", "1970-01-31 07:30:00-05")]),
        (constant("00000000-0000-0000-0000-000000000000"), "uuid", vec![
            ("gen_random_uuid()", "00000000-0000-0000-0000-000000000000")]),
        (constant("::"), "inet", vec![("'10.0.0.1'", "::/128")]),
        (Mask::Pseudonym, "text", vec![("'alice'", "PSEUDONYM-TEXT"), ("'bob'", "PSEUDONYM-BOB")]),
        (Mask::Pseudonym, "varchar(5)", vec![("'alice'", "PSEUDONYM-TEXT")]),
        (Mask::Pseudonym, "char(8)", vec![("'alice'", "PSEUDONYM-TEXT")]),
        (Mask::Pseudonym, "citext", vec![("'Alice'", "PSEUDONYM-TEXT"), ("'alice'", "PSEUDONYM-TEXT")]),
        (Mask::Hash, "text", vec![("'alice'", "HASH-TEXT")]),
        (json(&["a", "b.c", "b.d.e", "x'\"y"]), "jsonb", vec![
            (r#"'{"a": 1, "z": 2, "b": {"c": null, "q": 1, "d": {"e": [1], "f": 2}}}'"#, r#"{"a": 1, "b": {"c": null, "d": {"e": [1]}}}"#),
            (r#"'{"b": [1, 2], "a": {"secret": 1}}'"#, r#"{"a": {"secret": 1}}"#),
            (r#"'{"x''\"y": true}'"#, r#"{"x'\"y": true}"#), ("'{}'", "{}"), ("'[1]'", "NULL"), ("'\"s\"'", "NULL"), ("'null'", "NULL")]),
        (json(&["a", "b.c"]), "json", vec![
            (r#"'{"a": 1e99999999, "z": 2, "b": {"c": "é", "q": 1}}'"#, r#"{"a": 1e99999999, "b": {"c": "é"}}"#),
            (r#"'{"z": "\u0000", "a": 1}'"#, "NULL"), (r#"'{"z": "\uD800", "a": 1}'"#, "NULL"), ("'7'", "NULL"), ("'{}'", "{}")]),
        (json(&[]), "jsonb", vec![(r#"'{"a": 1}'"#, "{}")]),
        (Mask::Sql("pg_catalog.upper({}) OPERATOR(pg_catalog.||) '{}' -- end".into()), "text", vec![("'a'", "A{}")]),
        (Mask::Null, "text[]", vec![("ARRAY['x']", "NULL")]),
        (Mask::Null, "upper_text", vec![("'A'", "NULL")]),
        (Mask::Null, "mood", vec![("'sad'", "NULL")]),
    ]
}

#[test]
fn masks_show_what_they_promise() {
    let (cluster, catalog) = start("masks-show");
    let key = |byte: u8, text: &str| {
        use hmac::{Hmac, Mac};
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&[byte; 32]).unwrap();
        mac.update(format!("text:{text}").as_bytes());
        mac.finalize().into_bytes()[..16]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
    };
    let mut failures = Vec::new();
    for (mask, column_type, values) in expectations() {
        let column = make_table(&cluster, column_type);
        let sql = match expression(&mask, &column, &catalog) {
            Ok(sql) => sql,
            Err(misfit) => {
                failures.push(misfit);
                continue;
            }
        };
        for (value, expected) in values {
            let expected = match expected {
                "PSEUDONYM-TEXT" => key(7, "alice"),
                "PSEUDONYM-BOB" => key(7, "bob"),
                "HASH-TEXT" => key(8, "alice"),
                other => other.to_owned(),
            };
            cluster
                .psql(&format!("DELETE FROM t; INSERT INTO t (v) VALUES ({value})"))
                .unwrap_or_else(|e| panic!("{column_type} {value}: {e}"));
            let shown = cluster.psql(&format!(
                "{HOSTILE_SESSION} SET DateStyle = 'ISO'; SET extra_float_digits = 1;
                 SELECT CASE WHEN ({sql}) IS NULL THEN 'NULL' ELSE ({sql})::pg_catalog.text END FROM public.t"
            ));
            if shown.as_deref() != Ok(expected.as_str()) {
                failures.push(format!(
                    "{} of {column_type} {value}: {shown:?}, not {expected}",
                    mask.name()
                ));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Types with the most awkward values that they can store.
#[rustfmt::skip]
fn hostile_values() -> Vec<(&'static str, Vec<&'static str>)> {
    let texts = vec![
        "NULL", "''", "' '", "'@'", "'@@'", "'a@'", "'@b'", r"'\'", r"'\x00'", "''''", "'%_'", r"E'\n\t\r\x01\x7f'",
        "'👩‍👩‍👧‍👦@👨.example'", r"U&'e\0301'", "'مرحبا@مثال.إختبار'", r"U&'\202Eabc@x.y'", r"U&'\+10FFFF\FEFF'",
    ];
    let long = ["repeat('x', 3000000)", "repeat('@', 300000)", "repeat('é@', 300000)", "repeat('a', 70) || '@' || repeat('b', 255)"];
    let mut all_texts = texts.clone();
    all_texts.extend(long);
    let mut short = texts.clone();
    short.push("repeat('x', 40)");
    vec![
        ("text", all_texts.clone()), ("varchar", all_texts.clone()), ("bpchar", all_texts.clone()), ("citext", all_texts.clone()),
        ("text COLLATE blind", all_texts), ("varchar(40)", short.clone()), ("char(40)", short.clone()), ("name", short),
        ("varchar(1)", vec!["NULL", "''", "'@'", "'é'"]), ("char(1)", vec!["NULL", "''", "'@'"]),
        ("upper_text", vec!["'ABC'", "''", "'A@B'"]), ("even_number", vec!["NULL", "0", "-2147483648", "2147483646"]),
        ("bool", vec!["NULL", "true", "false"]),
        ("int2", vec!["NULL", "0", "-1", "-32768", "32767"]), ("int4", vec!["NULL", "0", "-1", "-2147483648", "2147483647"]),
        ("int8", vec!["NULL", "0", "-1", "-9223372036854775808", "9223372036854775807"]),
        ("numeric", vec!["NULL", "0", "'NaN'", "'Infinity'", "'-Infinity'", "'1e131071'::numeric * 9", "-repeat('9', 131072)::numeric",
            "'1e-16383'", "'-1e-16383'", "-0.0"]),
        ("numeric(4,2)", vec!["NULL", "99.99", "-99.99", "'NaN'"]), ("numeric(5,0)", vec!["99999", "-99999"]),
        ("numeric(3,5)", vec!["0.00999", "-0.00999"]), ("numeric(2,-3)", vec!["99000", "-99000"]),
        ("numeric(1000,0)", vec!["-repeat('9', 1000)::numeric"]),
        ("float4", vec!["NULL", "0", "'-0'", "'NaN'", "'Infinity'", "'-Infinity'", "'3.4028235e38'", "'-3.4028235e38'", "'1e-45'", "'-1e-45'"]),
        ("float8", vec!["NULL", "0", "'-0'", "'NaN'", "'Infinity'", "'-Infinity'", "'1.7976931348623157e308'",
            "'-1.7976931348623157e308'", "'5e-324'", "'-5e-324'"]),
        ("date", vec!["NULL", "'infinity'", "'-infinity'", "'4713-11-24 BC'", "'4700-01-01 BC'", "'0001-12-31 BC'", "'0001-01-01'",
            "'2024-02-29'", "'294276-12-31'", "'294277-01-01'", "'5874897-12-31'"]),
        ("timestamp", vec!["NULL", "'infinity'", "'-infinity'", "'4713-11-24 00:00:00 BC'", "'294276-12-31 23:59:59.999999'", "'0001-01-01 BC'"]),
        ("timestamp(0)", vec!["'4713-11-24 00:00:00 BC'", "'294276-12-31 23:59:59'"]),
        ("timestamptz", vec!["NULL", "'infinity'", "'-infinity'", "'4713-11-24 00:00:00+00 BC'", "'294276-12-31 23:59:59.999999+00'",
            "'2024-03-10 02:30:00 America/New_York'"]),
        ("uuid", vec!["NULL", "'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"]),
        ("inet", vec!["NULL", "'0.0.0.0/0'", "'255.255.255.255'", "'::'", "'::/0'", "'10.1.2.3/1'", "'ffff::1/1'"]),
        ("cidr", vec!["NULL", "'0.0.0.0/0'", "'255.255.255.255'", "'::/0'"]),
        ("json", vec!["NULL", "'null'", "'[]'", "'1e999999999'", r#"'"\u0000"'"#, r#"'{"a":"\uD800","a":1}'"#, r#"'{"a":"\uDe00"}'"#,
            r#"'{"a":1,"a":{"b":2}}'"#, r#"'{"b":{"c":[1e99999999]}}'"#, r#"'{"\u0061":1}'"#,
            "(repeat('[', 3000) || repeat(']', 3000))::json", "(repeat('{\"b\":', 2000) || '1' || repeat('}', 2000))::json"]),
        ("jsonb", vec!["NULL", "'null'", "'[]'", "'{}'", r#"'{"a":{"b":{"c":{}}}}'"#, r#"'{"b":[{"c":1}]}'"#, r#"'{"b":{"c":null,"d":{"e":[]}}}'"#,
            "(repeat('{\"b\":', 2000) || '1' || repeat('}', 2000))::jsonb"]),
        ("int4[]", vec!["NULL", "'{}'", "'{NULL}'"]), ("int4range", vec!["NULL", "'empty'", "'(,)'"]), ("mood", vec!["NULL", "'sad'"]),
        ("interval", vec!["NULL", "'-178000000 years'"]), ("bytea", vec!["NULL", "''", r"'\x00ff'"]), ("time", vec!["'24:00'"]),
        ("bit(3)", vec!["'101'"]), ("bit", vec!["'1'"]), ("\"char\"", vec!["'x'"]), ("point", vec!["'(NaN,Infinity)'"]),
    ]
}

fn all_masks() -> Vec<Mask> {
    let mut masks = vec![
        Mask::Null,
        Mask::Email,
        Mask::Pseudonym,
        Mask::Hash,
        partial(0, 0, "*"),
        partial(1, 4, "*"),
        partial(5000, 5000, "████████████████"),
        partial(3, 0, ""),
        json(&["a", "b.c", "b.d.e", "a.b.c"]),
        json(&["b.b.b.b"]),
        Mask::IpPrefix { v4: 0, v6: 0 },
        Mask::IpPrefix { v4: 32, v6: 128 },
        Mask::DateShift { days: 1 },
        Mask::DateShift { days: 36_500 },
    ];
    masks.extend([DateGrain::Month, DateGrain::Quarter, DateGrain::Year, DateGrain::Decade].map(Mask::Generalize));
    let steps = [
        "1",
        "3",
        "1000",
        "0.001",
        "123456789012345678901234567890",
        "0.000000000000000000000000000001",
        "2.50",
    ];
    masks.extend(steps.map(|n| Mask::Round(n.into())));
    let constants = [
        "x",
        "",
        "0",
        "-1",
        "1.5",
        "true",
        "2000-01-01",
        "2000-01-01 00:00:00",
        "2000-01-01T00:00Z",
        "::1",
        "{}",
    ];
    masks.extend(constants.map(|v| Mask::Constant(v.into())));
    masks.extend(mask::FAKE_KINDS.map(|k| Mask::Fake(k.into())));
    masks
}

#[test]
fn masks_never_fail_and_keep_type_and_null() {
    let (cluster, catalog) = start("masks-total");
    let mut failures = Vec::new();
    let mut tried = 0;
    for (column_type, values) in hostile_values() {
        let column = make_table(&cluster, column_type);
        let rows: Vec<String> = values
            .iter()
            .map(|v| format!("INSERT INTO t (v) VALUES ({v});"))
            .collect();
        cluster
            .psql(&rows.join("\n"))
            .unwrap_or_else(|e| panic!("{column_type}: {e}"));
        let base = match catalog.type_by_oid(column.type_oid).unwrap().kind {
            TypeKind::Domain(base) => base,
            _ => column.type_oid,
        };
        let mut checks = Vec::new();
        for mask in all_masks() {
            let Ok(sql) = expression(&mask, &column, &catalog) else {
                assert_ne!(mask, Mask::Null, "NULL fits every type");
                continue;
            };
            let may_hide = mask == Mask::Null || matches!(mask, Mask::Json(_));
            checks.push((mask, check(&sql, base, may_hide)));
        }
        tried += checks.len();
        let together: String = checks.iter().map(|(_, sql)| sql.as_str()).collect();
        if cluster.psql(&format!("{HOSTILE_SESSION}{together}")).as_deref() == Ok("") {
            continue;
        }
        for (mask, sql) in checks {
            let result = cluster.psql(&format!("{HOSTILE_SESSION}{sql}"));
            if result.as_deref() != Ok("") {
                failures.push(format!("{mask:?} of {column_type}: {result:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(tried > 250, "only {tried} masks fitted");
}

/// A query that gives the rows for which a mask does not keep its promises.
fn check(sql: &str, base: u32, may_hide: bool) -> String {
    format!(
        "SELECT n, octet_length(shown) FROM (
           SELECT n, ({sql})::pg_catalog.text AS shown, v IS NULL AS was_null, ({sql}) IS NULL AS is_null,
             pg_typeof({sql})::oid = {base} AS type_kept FROM public.t) AS x
         WHERE NOT type_kept OR was_null AND NOT is_null OR is_null AND NOT was_null AND NOT {may_hide}
           OR octet_length(shown) < 0;\n"
    )
}

#[test]
fn keyed_masks_keep_what_joins_and_intervals_need() {
    let (cluster, catalog) = start("masks-keyed");
    let sql = |mask: &Mask, column: &Column| expression(mask, column, &catalog).unwrap();
    let ask = |query: String| cluster.psql(&query).unwrap();

    let column = make_table(&cluster, "int2");
    ask("INSERT INTO public.t (v) SELECT i FROM generate_series(-32768, 32767) i".into());
    let shown = sql(&Mask::Pseudonym, &column);
    let spread = ask(format!(
        "SELECT count(DISTINCT {shown}), count(*) FILTER (WHERE {shown} = v) < 20 FROM public.t"
    ));
    assert_eq!(
        spread, "65536|t",
        "a permutation of the whole range that moves nearly everything"
    );
    assert_ne!(
        ask(format!("SELECT sum(n * ({shown})::bigint) FROM public.t")),
        ask(format!(
            "SELECT sum(n * ({})::bigint) FROM public.t",
            sql(&Mask::Hash, &column)
        )),
        "another key, another permutation"
    );

    for column_type in ["int4", "int8"] {
        let column = make_table(&cluster, column_type);
        ask("INSERT INTO public.t (v) SELECT i FROM generate_series(-2000, 2000) i".into());
        let shown = sql(&Mask::Pseudonym, &column);
        let spread = ask(format!(
            "SELECT count(DISTINCT {shown}), count(*) FILTER (WHERE {shown} < 0) BETWEEN 1800 AND 2200,
               count(*) FILTER (WHERE abs({shown}) < 100000) < 5 FROM public.t"
        ));
        assert_eq!(spread, "4001|t|t", "{column_type}");
    }

    for column_type in ["date", "timestamp", "timestamptz"] {
        let column = make_table(&cluster, column_type);
        ask("INSERT INTO public.t (s, v) SELECT p, '2024-03-01'::date + d
             FROM generate_series(1, 300) p, generate_series(0, 20, 10) d"
            .into());
        let shown = sql(&Mask::DateShift { days: 5 }, &column);
        let shift = format!("(({shown})::timestamp::date - v::timestamp::date)");
        let shifts = ask(format!(
            "SET TimeZone = 'UTC'; SELECT max(k), min(lo), max(hi), count(DISTINCT lo), bool_or(lo = 0) FROM
             (SELECT count(DISTINCT {shift}) k, min({shift}) lo, max({shift}) hi FROM public.t GROUP BY s) x"
        ));
        assert_eq!(shifts, "1|-5|5|10|f", "{column_type}");
    }

    let column = make_table(&cluster, "text");
    ask("INSERT INTO public.t (v) SELECT 'p' || i FROM generate_series(1, 2000) i".into());
    for (kind, pattern) in [
        ("name", "^[A-Z][a-z]+ [A-Z][a-z]+$"),
        ("email", r"^[a-z]+\.[a-z]+[0-9]{2}@example\.com$"),
        ("phone", r"^\+1-202-555-01[0-9]{2}$"),
        ("company", "^[A-Z][a-z]+ & [A-Z][a-z]+$"),
    ] {
        let shown = sql(&Mask::Fake(kind.into()), &column);
        let made_up = ask(format!(
            "SELECT bool_and(({shown}) OPERATOR(pg_catalog.~) '{pattern}'), count(DISTINCT {shown}) > 50 FROM public.t"
        ));
        assert_eq!(made_up, "t|t", "{kind}");
    }
    let lost = MaskKeys {
        pseudonym: "pgpurpose.lost",
        hash: "pgpurpose.lost",
    };
    let shown = mask::mask_expression(&Mask::Pseudonym, &column, &catalog, "t.v", &lost, None).unwrap();
    assert_eq!(
        ask(format!("SELECT count({shown}) FROM public.t")),
        "0",
        "without a key, hidden"
    );
}
