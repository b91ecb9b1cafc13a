use super::*;
use proptest::prelude::*;

fn tagged(text: &str) -> (String, Vec<(String, String)>) {
    let sql = ClientSql::new(text).unwrap();
    (
        sql.text().to_owned(),
        sql.tags().iter().map(|t| (t.key.clone(), t.value.clone())).collect(),
    )
}

#[test]
fn a_text_with_tags_is_the_text_without() {
    for (with, without) in [
        ("SELECT 1 /*purpose='a'*/", "SELECT 1"),
        ("SELECT 1 /*purpose='a'*/;", "SELECT 1;"),
        ("SELECT 1 /*purpose='a'*/ ;", "SELECT 1;"),
        ("SELECT 1; /*purpose='a'*/", "SELECT 1;"),
        ("SELECT 1;/*purpose='a'*/\n", "SELECT 1;"),
        ("/*purpose='a'*/ SELECT 1", "SELECT 1"),
        (" /*purpose='a'*/\nSELECT 1", "SELECT 1"),
        ("/*purpose='a'*//*reason='b'*/ SELECT 1", "SELECT 1"),
        ("SELECT /*purpose='a'*/ 1", "SELECT 1"),
        ("SELECT/*purpose='a'*/1", "SELECT 1"),
        ("SELECT /*purpose='a'*/1", "SELECT 1"),
        ("SELECT/*purpose='a'*/ 1", "SELECT 1"),
        ("SELECT/*purpose='a'*//*reason='b'*/1", "SELECT 1"),
        ("SELECT 1 /*purpose='a'*/ /*reason='b'*/", "SELECT 1"),
        ("SELECT f(/*purpose='a'*/1/*reason='b'*/)", "SELECT f(1)"),
        ("SELECT 1;/*purpose='a'*/SELECT 2", "SELECT 1;SELECT 2"),
        ("SELECT 1; /*purpose='a'*/ SELECT 2", "SELECT 1; SELECT 2"),
        ("SELECT 1 -- x\n/*purpose='a'*/;", "SELECT 1 -- x\n;"),
        ("SELECT 1 -- x \n /*purpose='a'*/ + 2", "SELECT 1 -- x \n + 2"),
        ("SELECT 1 /* other */ /*purpose='a'*/", "SELECT 1 /* other */"),
        ("SELECT 1 -/*purpose='a'*/-2", "SELECT 1 - -2"),
        ("SELECT 'é' /*purpose='a'*/ || 'ł'", "SELECT 'é' || 'ł'"),
        ("/*purpose='a'*/", ""),
        ("/*purpose='a'*/;", ";"),
        ("SELECT 1 /*traceparent='00-ab-cd-01'*/", "SELECT 1"),
    ] {
        let (text, tags) = tagged(with);
        assert_eq!(text, without, "{with}");
        assert!(!tags.is_empty(), "{with}");
    }
}

#[test]
fn what_is_not_exactly_the_form_is_no_tag() {
    for text in [
        "SELECT 1",
        "SELECT '/*purpose=''care''*/'",
        "SELECT E'\\'/*purpose=\\'care\\'*/'",
        "SELECT \"/*purpose='care'*/\"",
        "SELECT $$/*purpose='care'*/$$",
        "SELECT $a$ /*purpose='care'*/ $a$",
        "SELECT U&'/*purpose=''care''*/'",
        "SELECT 1 -- /*purpose='care'*/",
        "SELECT 1 -- purpose='care'",
        "/* /*purpose='care'*/ */ SELECT 1",
        "/*purpose='care'/*x='y'*/*/ SELECT 1",
        "/*purpose='a/*b*/'*/ SELECT 1",
        "/*+ purpose='care' */ SELECT 1",
        "/*+purpose='care'*/ SELECT 1",
        "/*!purpose='care'*/ SELECT 1",
        "/**purpose='care'*/ SELECT 1",
        "/*purpose='care'**/ SELECT 1",
        "/*purpose=care*/ SELECT 1",
        "/*purpose=\"care\"*/ SELECT 1",
        "/* purpose = 'care' */ SELECT 1",
        "/*purpose ='care'*/ SELECT 1",
        "/*PURPOSE='care'*/ SELECT 1",
        "/*Purpose='care'*/ SELECT 1",
        "/*рurpose='care'*/ SELECT 1",
        "/*purpose='care';*/ SELECT 1",
        "/*purpose='care',*/ SELECT 1",
        "/*,purpose='care'*/ SELECT 1",
        "/*purpose='care' reason='x'*/ SELECT 1",
        "/*purpose='care',,reason='x'*/ SELECT 1",
        "/*purpose='care'x*/ SELECT 1",
        "/*purpose='care*/ SELECT 1 --'*/",
        "/*\npurpose='care'*/ SELECT 1",
        "/*purpose='ca\nre'*/ SELECT 1",
        "/*purpose='ca\\re'*/ SELECT 1",
        "/*use purpose='care'*/ SELECT 1",
        "/*='care'*/ SELECT 1",
        "/**/ SELECT 1",
        "/* */ SELECT 1",
    ] {
        assert_eq!(tagged(text), (text.to_owned(), vec![]));
    }
}

#[test]
fn values_are_decoded() {
    for (body, expected) in [
        (
            "purpose='care.support',reason='T-123'",
            vec![("purpose", "care.support"), ("reason", "T-123")],
        ),
        (" purpose='a' , reason='b' ", vec![("purpose", "a"), ("reason", "b")]),
        ("reason='a%20b%2Cc%27d%C3%A9'", vec![("reason", "a b,c'dé")]),
        ("reason='it\\'s',actor='x'", vec![("reason", "it's"), ("actor", "x")]),
        ("reason='two words, a comma'", vec![("reason", "two words, a comma")]),
        ("reason='a+b'", vec![("reason", "a+b")]),
        // Badly encoded ones stay: an unknown purpose is refused, a missing one may have a default.
        ("purpose='care%'", vec![("purpose", "care%")]),
        ("purpose='care%2'", vec![("purpose", "care%2")]),
        ("purpose='care%zz'", vec![("purpose", "care%zz")]),
        ("purpose='care%00'", vec![("purpose", "care%00")]),
        ("purpose='care%ff'", vec![("purpose", "care\u{fffd}")]),
        ("purpose='\u{441}are'", vec![("purpose", "\u{441}are")]),
        ("purpose=''", vec![("purpose", "")]),
        ("purpose='a',purpose='a'", vec![("purpose", "a"), ("purpose", "a")]),
    ] {
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        assert_eq!(tagged(&format!("/*{body}*/ SELECT 1")).1, expected, "{body}");
    }
}

/// Statement ranges as PostgreSQL's grammar gives them.
fn purposes(text: &str) -> Vec<Result<Option<String>, TagError>> {
    let sql = ClientSql::new(text).unwrap();
    let parsed = pg_query::parse(sql.text(), pg_query::ParserOptions::default())
        .unwrap()
        .protobuf;
    let statements = parsed.stmts.iter().map(|s| {
        let start = s.stmt_location as usize;
        let len = s.stmt_len as usize;
        start..if len == 0 { sql.text().len() } else { start + len }
    });
    statements
        .map(|range| {
            let tags = sql.tags_in(range)?;
            Ok(tags.iter().find(|t| t.key == "purpose").map(|t| t.value.clone()))
        })
        .collect()
}

#[test]
fn a_tag_belongs_to_the_statement_it_stands_in_or_before() {
    let a = || Ok(Some("a".to_owned()));
    let b = || Ok(Some("b".to_owned()));
    let none = || Ok(None);
    let conflict = || Err(TagError::Conflict("purpose".to_owned()));
    for (text, expected) in [
        ("/*purpose='a'*/ SELECT 1; SELECT 2", vec![a(), none()]),
        ("SELECT 1 /*purpose='a'*/; SELECT 2", vec![a(), none()]),
        ("SELECT 1; /*purpose='a'*/ SELECT 2", vec![none(), a()]),
        ("SELECT 1;/*purpose='a'*/SELECT 2", vec![none(), a()]),
        ("SELECT 1; SELECT 2 /*purpose='a'*/", vec![none(), a()]),
        ("SELECT 1; SELECT 2; /*purpose='a'*/", vec![none(), a()]),
        ("SELECT 1; /*purpose='a'*/ ; ", vec![a()]),
        ("; /*purpose='a'*/ ; SELECT 1", vec![a()]),
        ("/*purpose='a'*/ /* x */ SELECT 1 /*purpose='a'*/", vec![a()]),
        ("/* x */ /*purpose='a'*/ -- y\n SELECT 1;", vec![a()]),
        (
            "SELECT 1 /* x */ /*purpose='a'*/ -- y\n ; SELECT 2 /*purpose='b'*/ -- z",
            vec![a(), b()],
        ),
        (
            "/*purpose='a'*/ SELECT 1 /*purpose='b'*/; SELECT 2",
            vec![conflict(), none()],
        ),
        ("/*purpose='a'*/ /*purpose='b'*/ SELECT 1", vec![conflict()]),
        ("/*purpose='a',purpose='b'*/ SELECT 1", vec![conflict()]),
        (
            "SELECT 1; SELECT 2 /*purpose='a'*/; /*purpose='b'*/",
            vec![none(), conflict()],
        ),
        ("SELECT /*purpose='a'*/ 1; SELECT /*purpose='b'*/ 2;", vec![a(), b()]),
    ] {
        assert_eq!(purposes(text), expected, "{text}");
    }
}

#[test]
fn equal_repeats_are_one_tag() {
    let sql = ClientSql::new("/*purpose='a',reason='x'*/ SELECT 1 /*purpose='a'*/").unwrap();
    let keys: Vec<_> = sql.tags_in(0..8).unwrap().iter().map(|t| t.key.as_str()).collect();
    assert_eq!(keys, ["purpose", "reason"]);
}

#[test]
fn what_does_not_end_is_an_error() {
    for (text, what) in [
        ("SELECT 1 /*purpose='a'", "/* comment"),
        ("SELECT 'a /*purpose=a*/ ", "quoted string"),
        ("SELECT \"a /*purpose='a'*/", "quoted identifier"),
        ("SELECT $$ /*purpose='a'*/", "dollar-quoted string"),
    ] {
        assert_eq!(ClientSql::new(text), Err(TagError::Unterminated(what)), "{text}");
    }
}

const FRAGMENTS: &[&str] = &[
    "/*purpose='a'*/",
    "/*reason='%C3%A9'*/",
    "/*traceparent='x', actor='y'*/",
    "/* other */",
    "-- line\n",
    "-- /*",
    " ",
    "\n",
    "\t ",
    ";",
    ",",
    "(",
    ")",
    "SELECT",
    "a",
    "\"é\"",
    "'s'",
    "'/*purpose=''b''*/'",
    "1",
    "-",
    "+",
    "*",
    "/",
    "$1",
    "$$x$$",
    "::",
    ".",
    "é",
];

/// Tokens that mean something, by their spelling.
fn spellings(text: &str) -> Option<Vec<&str>> {
    lexer::significant(text)
        .ok()
        .map(|tokens| tokens.iter().map(|t| t.text(text)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tokens_stay_and_positions_map_back(parts in prop::collection::vec(prop::sample::select(FRAGMENTS), 0..16)) {
        let client = parts.concat();
        let Ok(sql) = ClientSql::new(&client) else { return Ok(()) };
        let Ok(before) = lexer::significant(&client) else { return Ok(()) };
        let after = lexer::significant(sql.text()).unwrap();
        // A comment between two strings is what kept them apart, and PostgreSQL refuses them both ways or
        // reads them as one.
        let glued = after.iter().any(|t| t.kind.is_literal() && t.text(sql.text()).contains('\n'));
        if !glued {
            prop_assert_eq!(spellings(&client), spellings(sql.text()), "{:?} -> {:?}", client, sql.text());
            for (ours, theirs) in after.iter().zip(&before) {
                prop_assert_eq!(sql.to_client(ours.start), theirs.start, "{:?} -> {:?}", client, sql.text());
            }
        }
        // Taking tags off twice changes nothing more.
        let again = ClientSql::new(sql.text()).unwrap();
        prop_assert_eq!(again.text(), sql.text());
        prop_assert!(again.tags().is_empty());
    }
}
