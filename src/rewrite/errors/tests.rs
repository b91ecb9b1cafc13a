use super::*;

fn error(sqlstate: &str, message: &str) -> ServerError {
    ServerError {
        severity: "ERROR".into(),
        sqlstate: sqlstate.into(),
        message: message.into(),
        ..ServerError::default()
    }
}

fn shown(sqlstate: &str, message: &str, statement: &str) -> String {
    let known = Known {
        statement,
        ..Known::default()
    };
    rebuild(&error(sqlstate, message), &known).message
}

#[test]
fn no_value_of_a_row_is_in_a_message() {
    const EMAIL: &str = "canary-4925-007@example.test";
    for (sqlstate, message, statement, expected) in [
        (
            "22P02",
            r#"invalid input syntax for type integer: "canary-4925-007@example.test""#,
            "SELECT 1 FROM customers WHERE id=1007 AND email::int = 1",
            r#"invalid input syntax for type integer: "…""#,
        ),
        (
            "22007",
            r#"invalid input syntax for type date: "canary-4925-007@example.test""#,
            "SELECT email::date FROM customers",
            r#"invalid input syntax for type date: "…""#,
        ),
        (
            "22P02",
            r#"invalid input value for enum region_enum: "canary-4925-007@example.test""#,
            "SELECT email::region_enum FROM customers",
            r#"invalid input value for enum region_enum: "…""#,
        ),
        (
            "22P02",
            "invalid input syntax for type json",
            "SELECT email::json FROM customers",
            "invalid input syntax for type json",
        ),
        (
            "2200N",
            "invalid XML content",
            "SELECT ('<a>'||email)::xml FROM customers",
            "invalid xml content",
        ),
        (
            "42P01",
            r#"relation "canary-4925-007@example.test" does not exist"#,
            "SELECT quote_ident(email)::regclass FROM customers",
            r#"relation "…" does not exist"#,
        ),
        (
            "22023",
            r#"time zone "canary-4925-007@example.test" not recognized"#,
            "SELECT now() AT TIME ZONE email FROM customers",
            r#"time zone "…" not recognized"#,
        ),
        (
            "22023",
            r#"invalid size: "canary-4925-007@example.test""#,
            "SELECT pg_size_bytes(email) FROM customers",
            "invalid parameter value",
        ),
        (
            "22007",
            r#"invalid value "cana" for "YYYY""#,
            "SELECT to_date(email,'YYYY') FROM customers",
            "invalid datetime format",
        ),
        (
            "22P02",
            r#"invalid input syntax for type integer: "(1001,"Canaria Zq-de70",canary-4925-007@example.test)""#,
            "SELECT c::text::int FROM customers c",
            r#"invalid input syntax for type integer: "…""#,
        ),
        (
            "22001",
            "value too long for type character varying(27)",
            "INSERT INTO vl SELECT email FROM customers",
            "value too long for type character varying(…)",
        ),
        ("22012", "division by zero", "SELECT 1/0", "division by zero"),
        (
            "P0001",
            "mail canary-4925-007@example.test",
            "SELECT f('canary-4925-007@example.test')",
            "raise exception",
        ),
        ("99999", EMAIL, "SELECT 1", "an error of the server"),
        ("22ZZZ", EMAIL, "SELECT 1", "data exception"),
    ] {
        assert_eq!(shown(sqlstate, message, statement), expected);
    }
}

#[test]
fn what_the_client_wrote_is_shown() {
    for (sqlstate, message, statement) in [
        ("42703", r#"column "nosuch" does not exist"#, "SELECT NoSuch FROM t"),
        (
            "42703",
            "column c.emial does not exist",
            "select c.emial from customers c",
        ),
        (
            "42P01",
            r#"relation "public.x y" does not exist"#,
            "SELECT * FROM public.\"x y\"",
        ),
        (
            "42883",
            "function lower(integer, unknown) does not exist",
            "SELECT Lower(1, 'x')",
        ),
        (
            "42883",
            "operator does not exist: integer = text",
            "SELECT 1 = 'a'::text",
        ),
        (
            "42883",
            "operator does not exist: integer ~~ unknown",
            "SELECT 1 LIKE 'a'",
        ),
        (
            "42883",
            "operator does not exist: date @@ integer",
            "SELECT d @@ 1 FROM t",
        ),
        (
            "42803",
            r#"column "t.b" must appear in the GROUP BY clause or be used in an aggregate function"#,
            "SELECT a, t.b FROM t GROUP BY a",
        ),
        (
            "42803",
            "aggregate functions are not allowed in WHERE",
            "select 1 where count(*) > 1",
        ),
        ("42601", r#"syntax error at or near "SELEC""#, "SELEC 1"),
        ("42601", "syntax error at end of input", "SELECT"),
        (
            "42601",
            r#"unterminated quoted string at or near "'abc""#,
            "select 'abc",
        ),
        ("42601", r#"unterminated /* comment at or near "/* x""#, "select 1 /* x"),
        ("42601", r#"syntax error at or near "$1""#, "SELECT $1 $1"),
        (
            "42804",
            r#"column "a" is of type integer but expression is of type text"#,
            "UPDATE t SET a = b",
        ),
        (
            "42804",
            "UNION types integer and text cannot be matched",
            "SELECT 1 UNION SELECT 'a'::text",
        ),
        (
            "42804",
            "argument of WHERE must be type boolean, not type integer",
            "SELECT 1 WHERE 1",
        ),
        ("42P18", "could not determine data type of parameter $1", "SELECT $1"),
        (
            "22P02",
            r#"invalid input syntax for type integer: "it's""#,
            "SELECT 'it''s'::int",
        ),
        (
            "22008",
            r#"date/time field value out of range: "2020-13-01""#,
            "SELECT '2020-13-01'::date",
        ),
        ("26000", r#"prepared statement "q" does not exist"#, "EXECUTE q"),
        (
            "25P02",
            "current transaction is aborted, commands ignored until end of transaction block",
            "SELECT 1",
        ),
        (
            "42P10",
            "ORDER BY position 5 is not in select list",
            "SELECT 1 ORDER BY 5",
        ),
        ("25001", "there is already a transaction in progress", "BEGIN"),
        (
            "25001",
            "CREATE DATABASE cannot run inside a transaction block",
            "create database x",
        ),
        (
            "08P01",
            r#"bind message supplies 1 parameters, but prepared statement "" requires 2"#,
            "SELECT ''",
        ),
        ("42501", "permission denied for table orders", "SELECT * FROM orders"),
        (
            "42622",
            r#"identifier "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" will be truncated to "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa""#,
            "SELECT aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ),
    ] {
        assert_eq!(shown(sqlstate, message, statement), message, "{statement}");
    }
}

#[test]
fn names_sent_outside_of_sql_are_known() {
    let known = Known {
        names: &["app", "S_1"],
        ..Known::default()
    };
    let failed = error("28P01", r#"password authentication failed for user "app""#);
    assert_eq!(
        rebuild(&failed, &known).message,
        r#"password authentication failed for user "app""#
    );
    let other = error("28P01", r#"password authentication failed for user "root""#);
    assert_eq!(
        rebuild(&other, &known).message,
        r#"password authentication failed for user "…""#
    );
}

#[test]
fn a_word_of_a_comment_or_half_a_token_is_not_the_clients() {
    let message = r#"invalid input syntax for type integer: "ssn""#;
    for statement in [
        "SELECT x /* ssn */",
        "SELECT x -- ssn\n",
        "SELECT x_ssn",
        "SELECT 'ssn-1'",
        "SELECT 'a ssn b'",
    ] {
        assert!(shown("22P02", message, statement).ends_with("\"…\""), "{statement}");
    }
    for statement in [
        "SELECT ssn",
        "SELECT 'ssn'",
        "SELECT $$ssn$$",
        "SELECT $a$ssn$a$, 1",
        "SELECT \"ssn\"",
    ] {
        assert_eq!(shown("22P02", message, statement), message, "{statement}");
    }
}

#[test]
fn nothing_but_the_message_tells_of_values() {
    let full = ServerError {
        detail: Some("Failing row contains (1, secret).".into()),
        hint: Some("Perhaps secret".into()),
        position: Some("8".into()),
        internal_position: Some("3".into()),
        context: Some("PL/pgSQL function f(text) secret".into()),
        schema: Some("secret".into()),
        table: Some("secret".into()),
        column: Some("secret".into()),
        datatype: Some("secret".into()),
        constraint: Some("secret".into()),
        file: Some("int.c".into()),
        line: Some("869".into()),
        routine: Some("int4div".into()),
        ..error("22012", "division by zero")
    };
    let seen = rebuild(&full, &Known::default());
    let fields: Vec<(u8, &str)> = vec![
        (b'S', "ERROR"),
        (b'V', "ERROR"),
        (b'C', "22012"),
        (b'M', "division by zero"),
        (b'P', "8"),
    ];
    let expected: Vec<(u8, String)> = fields
        .into_iter()
        .map(|(code, value)| (code, value.to_owned()))
        .collect();
    assert_eq!(seen.fields(), expected);
    let inner = ServerError {
        internal_query: Some("SELECT secret".into()),
        ..full
    };
    assert_eq!(rebuild(&inner, &Known::default()).position, None);
}

#[test]
fn known_hints_are_kept_where_they_hold_nothing_new() {
    let with_hint = |sqlstate: &str, message: &str, hint: &str| ServerError {
        hint: Some(hint.into()),
        ..error(sqlstate, message)
    };
    let cast = "No function matches the given name and argument types. You might need to add explicit type casts.";
    let known = |statement| Known {
        statement,
        ..Known::default()
    };
    let unknown_function = with_hint("42883", "function f(integer) does not exist", cast);
    assert_eq!(
        rebuild(&unknown_function, &known("SELECT f(1)")).hint.as_deref(),
        Some(cast)
    );
    let meant = r#"Perhaps you meant to reference the column "c.email"."#;
    let unknown_column = with_hint("42703", "column c.emial does not exist", meant);
    assert_eq!(rebuild(&unknown_column, &known("SELECT c.emial FROM c")).hint, None);
    assert_eq!(
        rebuild(&unknown_column, &known("SELECT c.emial, email FROM c"))
            .hint
            .as_deref(),
        Some(meant)
    );
    let elsewhere = with_hint("42703", "something new", cast);
    assert_eq!(rebuild(&elsewhere, &known("")).hint, None);
}

#[test]
fn an_integrity_error_names_catalog_objects_of_unprotected_tables_only() {
    let duplicate = ServerError {
        detail: Some("Key (k)=(canary@example.test) already exists.".into()),
        schema: Some("public".into()),
        table: Some("x".into()),
        constraint: Some("x_k_key".into()),
        routine: Some("_bt_check_unique".into()),
        ..error("23505", r#"duplicate key value violates unique constraint "x_k_key""#)
    };
    let open = rebuild(&duplicate, &Known::default());
    assert_eq!(open.message, duplicate.message);
    assert_eq!(open.constraint.as_deref(), Some("x_k_key"));
    assert_eq!(open.detail, None);
    let protected = Known {
        protected: true,
        ..Known::default()
    };
    let closed = rebuild(&duplicate, &protected);
    assert_eq!(closed.message, "a constraint of a protected table was violated");
    assert_eq!(closed.sqlstate, "23505");
    assert_eq!((closed.table, closed.constraint, closed.detail), (None, None, None));
    let failing_row = ServerError {
        detail: Some("Failing row contains (null, Canaria Zq-de70).".into()),
        routine: Some("ExecConstraints".into()),
        ..error(
            "23502",
            r#"null value in column "id" of relation "customers" violates not-null constraint"#,
        )
    };
    assert!(!format!("{:?}", rebuild(&failing_row, &protected)).contains("id\\\""));
}

#[test]
fn what_functions_raise_is_never_kept() {
    for routine in RAISING_ROUTINES {
        for (sqlstate, message) in [
            (
                "23505",
                r#"duplicate key value violates unique constraint "canary@example.test""#,
            ),
            ("22012", "division by zero"),
            ("00000", "mail canary@example.test"),
        ] {
            let raised = ServerError {
                routine: Some(routine.into()),
                constraint: Some("canary@example.test".into()),
                hint: Some("canary@example.test".into()),
                ..error(sqlstate, message)
            };
            let seen = format!("{:?}", rebuild(&raised, &Known::default()));
            assert!(!seen.contains("canary"), "{routine} {seen}");
        }
    }
    let borrowed = ServerError {
        routine: None,
        constraint: Some("canary@example.test".into()),
        ..error(
            "23505",
            r#"duplicate key value violates unique constraint "canary@example.test""#,
        )
    };
    let seen = rebuild(&borrowed, &Known::default());
    assert_eq!((seen.message.as_str(), seen.constraint), ("unique violation", None));
}

#[test]
fn severity_and_sqlstate_are_of_their_fixed_sets() {
    let odd = ServerError {
        severity: "canary".into(),
        ..error("can\0y", "x")
    };
    let seen = rebuild(&odd, &Known::default());
    assert_eq!(
        (seen.severity, seen.sqlstate.as_str(), seen.message.as_str()),
        ("ERROR", "XX000", "internal error")
    );
    let fields = [
        (b'S', "FEHLER"),
        (b'V', "WARNING"),
        (b'C', "01000"),
        (b'M', "x"),
        (b'Z', "new"),
    ];
    let seen = rebuild(&ServerError::from_fields(fields), &Known::default());
    assert_eq!((seen.severity, seen.message.as_str()), ("WARNING", "warning"));
}

#[test]
fn a_hostile_message_is_held_against_the_templates_in_bounded_time() {
    let message = format!("column {} of relation", "\"x\" of relation ".repeat(50));
    assert_eq!(shown("42703", &message, "x"), "undefined column");
    let long = format!("invalid input syntax for type integer: \"{}\"", "x".repeat(1 << 20));
    assert_eq!(shown("22P02", &long, "x"), "invalid text representation");
}
