//! Every mask against a real PostgreSQL: what it shows, that no stored value makes it fail, that
//! it keeps type and NULL, and that no session setting or search_path changes what it means.

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
#[rustfmt::skip]
fn expectations() -> Vec<(Mask, &'static str, Vec<(&'static str, &'static str)>)> {
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
        (round("0.5"), "float8", vec![("1.3", "1.5"), ("1.7", "1.5"), ("-1.3", "-1.5"), ("'NaN'", "NaN"), ("'Infinity'", "Infinity")]),
        (round("10"), "float4", vec![("'16777216'", "16777210")]),
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
        (constant("::"), "inet", vec![("'10.0.0.1'", "::")]),
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
        (Mask::Sql("pg_catalog.upper({}) || '{}' -- end".into()), "text", vec![("'a'", "A{}")]),
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
