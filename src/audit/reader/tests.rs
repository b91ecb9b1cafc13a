//! Lines as they may stand in a file.

use std::io::BufReader;

use super::*;

fn lines(bytes: &[u8]) -> Vec<(u64, String)> {
    let mut lines = Lines::new(bytes);
    let mut all = Vec::new();
    while let Some((number, line)) = lines.next_line().expect("readable") {
        all.push((
            number,
            match line {
                Line::Whole(line) => String::from_utf8_lossy(line).into_owned(),
                Line::Torn(part) => format!("torn {}", part.len()),
                Line::TooLong => "too long".to_owned(),
                Line::Undecodable => "undecodable".to_owned(),
            },
        ));
    }
    all
}

#[test]
fn whole_and_torn_lines() {
    assert_eq!(lines(b""), []);
    assert_eq!(
        lines(b"a\n\nb\n"),
        [(1, "a".into()), (2, String::new()), (3, "b".into())]
    );
    assert_eq!(lines(b"a\nbcd"), [(1, "a".into()), (2, "torn 3".into())]);
}

#[test]
fn a_line_without_end_takes_no_memory() {
    let endless = io::repeat(b'x').take(LONGEST_LINE * 3).chain(&b"\nnext\n"[..]);
    let mut reader = Lines::new(BufReader::new(endless));
    assert_eq!(reader.next_line().expect("readable"), Some((1, Line::TooLong)));
    assert_eq!(reader.next_line().expect("readable"), Some((2, Line::Whole(b"next"))));
    assert!(reader.buffer.capacity() as u64 <= 2 * LONGEST_LINE);
}

#[test]
fn a_known_head_is_found_after_a_gap_too() {
    let mut bytes = Vec::new();
    let mut head = Head::GENESIS;
    for _ in 0..3 {
        head = super::super::chain::seal(&mut bytes, head, b",\"event\":\"stop\"");
    }
    let text = String::from_utf8(bytes).expect("UTF-8");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let path = std::env::temp_dir().join(format!("pgpurpose-gap-{}.jsonl", uuid::Uuid::now_v7()));
    std::fs::write(&path, [lines[0], lines[2]].concat()).expect("file");
    let summary = verify(std::slice::from_ref(&path), &[head], |_| ());
    std::fs::remove_file(path).expect("file");
    let summary = summary.expect("readable");
    assert_eq!((summary.faults, summary.known), (1, vec![(head, Known::Holds)]));
}

#[test]
fn compressed_files_and_those_that_rotation_left_are_read_in_order() {
    let folder = std::env::temp_dir().join(format!("pgpurpose-rotated-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir(&folder).expect("folder");
    let mut head = Head::GENESIS;
    let mut write = |name: &str, compressed: bool| {
        let mut bytes = Vec::new();
        for _ in 0..2 {
            head = super::super::chain::seal(&mut bytes, head, b",\"event\":\"stop\"");
        }
        if compressed {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            io::Write::write_all(&mut gzip, &bytes).expect("memory");
            bytes = gzip.finish().expect("memory");
        }
        std::fs::write(folder.join(name), bytes).expect("file");
    };
    write("audit-000000000001.jsonl.gz", true);
    write("audit-000000000003.jsonl", false);
    write("audit.jsonl", false);
    std::fs::write(folder.join("audit-x.jsonl"), "not ours\n").expect("file");
    std::fs::write(folder.join("other-000000000001.jsonl"), "not ours\n").expect("file");
    let files = with_rotated(&[folder.join("audit.jsonl")]).expect("folder");
    let names: Vec<_> = in_order(&files).expect("files");
    let names: Vec<_> = names.iter().filter_map(|p| p.file_name()?.to_str()).collect();
    assert_eq!(
        names,
        ["audit-000000000001.jsonl.gz", "audit-000000000003.jsonl", "audit.jsonl"]
    );
    let summary = verify(&files, &[], |_| ()).expect("readable");
    assert!(summary.holds());
    assert_eq!((summary.records, summary.head), (6, Some(head)));
    std::fs::remove_dir_all(folder).expect("folder");
}
