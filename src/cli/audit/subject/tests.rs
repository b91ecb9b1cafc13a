//! One person among others in a small log.

use clap::Parser;

use super::*;
use crate::audit::SubjectKey;
use crate::audit::chain::{Head, seal};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

#[test]
fn a_person_is_found_by_the_hash_of_the_key_however_it_is_spelt() {
    let folder = std::env::temp_dir().join(format!("pgpurpose-subject-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir(&folder).unwrap();
    let (file, secret) = (folder.join("audit.jsonl"), folder.join("secret"));
    std::fs::write(&secret, "0123456789abcdef\n").unwrap();
    let derived = keys::derive(b"0123456789abcdef", keys::AUDIT_SUBJECT);
    let hash = |key: &str| SubjectKey::new(&derived).hash(key).to_string();
    let (own, other) = (hash("42"), hash("43"));
    let statement = |id: u8, rest: String| {
        format!(
            r#","time":"2026-11-24T06:00:0{id}.000000Z","event":"statement","id":"{id}","role":"r","purpose":"care","outcome":"allow",{rest}"#
        )
    };
    let mut bytes = Vec::new();
    let mut head = Head::GENESIS;
    for body in [
        statement(1, format!(r#""subject":"{own}","statement":"SELECT 1""#)),
        statement(2, format!(r#""subject":"{other}","statement":"SELECT 2""#)),
        statement(
            3,
            format!(r#""subject":null,"statement":"SELECT 3","subjects":["{other}","{own}"]"#),
        ),
        statement(4, r#""subject":null,"statement":"SELECT 4""#.to_owned()),
    ] {
        head = seal(&mut bytes, head, body.as_bytes());
    }
    std::fs::write(&file, bytes).unwrap();
    for (key, expected) in [("42", 2), ("+042", 2), ("43", 2), ("44", 0), ("customers:42", 0)] {
        let arguments = [
            "subject",
            &file.to_string_lossy(),
            key,
            "--secret-file",
            &secret.to_string_lossy(),
            "--format",
            "json",
        ];
        let line = Line::try_parse_from(arguments).unwrap();
        let mut out = Vec::new();
        assert_eq!(print(&line.args, &mut out).unwrap(), 0);
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["statements"], expected, "{key}");
        assert_eq!(value["records"].as_array().unwrap().len(), expected, "{key}");
    }
    let text = [
        "subject",
        &file.to_string_lossy(),
        "42",
        "--secret-file",
        &secret.to_string_lossy(),
    ]
    .map(str::to_owned);
    let mut out = Vec::new();
    print(&Line::try_parse_from(text).unwrap().args, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.contains("2 statements named this person") && text.contains("What this cannot tell"),
        "{text}"
    );
    std::fs::remove_dir_all(folder).unwrap();
}
