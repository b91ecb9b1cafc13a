//! Held against the RangeVars of PostgreSQL's grammar.

use super::*;
use serde_json::Value;

/// One statement a line; a line `== …` starts a section.
const CASES: &str = include_str!("cases.txt");

fn section(name: &str) -> Vec<&'static str> {
    CASES
        .split("== ")
        .filter_map(|section| section.split_once('\n'))
        .filter(|(title, _)| *title == name)
        .flat_map(|(_, statements)| statements.lines())
        .filter(|line| !line.is_empty())
        .collect()
}

/// Every relation of PostgreSQL's tree, each position once; `None` where its grammar refuses the text.
fn first_reading(text: &str) -> Option<Vec<NamedRelation>> {
    let tree = serde_json::to_value(pg_query::parse(text, 0).ok()?.protobuf).unwrap();
    let mut relations = Vec::new();
    range_vars(&tree, &mut relations);
    relations.sort_by_key(|r: &NamedRelation| r.start);
    relations.dedup();
    Some(relations)
}

fn range_vars(tree: &Value, relations: &mut Vec<NamedRelation>) {
    match tree {
        Value::Object(fields) => {
            if let (Some(name), Some(_)) = (fields.get("relname"), fields.get("relpersistence")) {
                let parts = [fields.get("catalogname"), fields.get("schemaname"), Some(name)];
                let parts = parts
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .filter(|part| !part.is_empty());
                let start = fields["location"].as_i64().unwrap() as usize;
                relations.push(NamedRelation {
                    parts: parts.map(str::to_owned).collect(),
                    start,
                });
            }
            // FOR UPDATE OF names aliases.
            fields
                .iter()
                .filter(|(key, _)| *key != "locked_rels")
                .for_each(|(_, value)| range_vars(value, relations));
        }
        Value::Array(items) => items.iter().for_each(|item| range_vars(item, relations)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn both_readings_name_the_same_relations() {
    let cases = section("read");
    assert!(cases.len() > 150, "{}", cases.len());
    let mut wrong = String::new();
    for text in cases {
        let first = first_reading(text).unwrap_or_else(|| panic!("postgresql refuses {text}"));
        if relations(text) != Reading::Relations(first.clone()) {
            wrong += &format!("{text}\n  first  {first:?}\n  second {:?}\n", relations(text));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_the_second_parser_misreads_is_unread() {
    for text in section("unread") {
        assert!(
            matches!(relations(text), Reading::Unread(_)),
            "{text}: {:?}",
            relations(text)
        );
    }
}

/// To PostgreSQL 16 and its grammar it is a function, to earlier servers a relation: the readings must not agree.
#[test]
fn what_means_something_else_to_older_servers_differs() {
    let texts = section("differ");
    assert!(!texts.is_empty());
    for text in texts {
        assert_ne!(
            relations(text),
            Reading::Relations(first_reading(text).unwrap()),
            "{text}"
        );
    }
}

/// Words that one dialect or another gives a meaning, where PostgreSQL may read a name.
#[test]
fn no_word_makes_the_second_reading_miss_a_relation() {
    let places = [
        "SELECT a {} FROM t",
        "SELECT {} FROM t",
        "SELECT f(a) {} FROM t, u",
        "SELECT * FROM t {}, u",
        "SELECT * FROM t {} JOIN u ON true",
        "SELECT * FROM t AS {}(a), u",
        "SELECT * FROM {} x, u",
        "SELECT * FROM {}(1), u",
        "WITH {} AS (SELECT * FROM t) SELECT * FROM {}",
        "UPDATE t {} SET a = (SELECT 1 FROM u)",
        "INSERT INTO t AS {} SELECT * FROM u",
        "DELETE FROM t {} USING u",
        "COPY {} TO STDOUT",
        "EXPLAIN {} SELECT * FROM t",
    ];
    let words = "all anti any apply array asof bucket by cluster collate connect cube cursor default describe distribute \
        div end except exclude explode fetch final for format from_ full glob global group having ilike index inner \
        interval into isnull json_table lateral left like limit match_recognize minus natural notnull of offset on only \
        or outer partition pivot prewhere prior qualify regexp rename replace return right rlike rollup row rows sample \
        semi settings show sort start straight_join struct summarize table tablesample then top trigger truncate unnest \
        unpivot use using values view when where window with xor";
    for place in places {
        for word in words.split_whitespace() {
            let text = place.replace("{}", word);
            if let (Some(first), Reading::Relations(second)) = (first_reading(&text), relations(&text)) {
                assert_eq!(first, second, "{text}");
            }
        }
    }
}

#[test]
fn positions_count_bytes_over_lines_and_wide_characters() {
    for text in [
        "SELECT 'é',\n '日本' /* ł */ FROM t,\r\n\tu -- é\n, \"ł\" JOIN v ON true",
        "/* é\n é */ SELECT\r1\nFROM\n\n t; \n DELETE\nFROM é\n",
        "SELECT $é$\n x \n$é$ FROM t, 'a'::u",
        "SELECT E'\\n\\'\n' FROM t",
        "SELECT '\u{1F600}' FROM t",
    ] {
        let Some(first) = first_reading(text) else { continue };
        assert_eq!(relations(text), Reading::Relations(first), "{text}");
    }
}

#[test]
fn reasons_do_not_hold_the_client_s_words() {
    for text in [
        "SELECT 'john' 'doe'",
        "SELECT * FROM john doe smith",
        "SELECT 'john doe",
        "john",
        "SELECT \"john",
    ] {
        let Reading::Unread(why) = relations(text) else {
            panic!("{text}")
        };
        assert!(
            !why.contains("john") && !why.contains("doe") && !why.contains("smith"),
            "{why}"
        );
    }
}

#[test]
fn long_chains_do_not_exhaust_the_stack() {
    let ors = format!(
        "SELECT 1 FROM t WHERE a = 1{}",
        " OR a = (SELECT 1 FROM u)".repeat(3000)
    );
    let unions = format!("SELECT 1 FROM t{}", " UNION ALL SELECT 1 FROM u".repeat(3000));
    for text in [ors, unions] {
        let reading = std::thread::Builder::new()
            .stack_size(64 << 20)
            .spawn(move || relations(&text))
            .unwrap()
            .join();
        let Ok(Reading::Relations(relations)) = reading else {
            panic!("{reading:?}")
        };
        assert_eq!(relations.len(), 3001);
    }
    assert!(matches!(
        relations(&format!("SELECT {}1", "(".repeat(500))),
        Reading::Unread(_)
    ));
}
