//! One record of each kind, and every kind of change at every record.

use super::*;

fn chain(bodies: &[&str]) -> Vec<Vec<u8>> {
    let mut head = Head::GENESIS;
    bodies
        .iter()
        .map(|body| {
            let mut line = Vec::new();
            head = seal(&mut line, head, body.as_bytes());
            assert_eq!(line.pop(), Some(b'\n'));
            line
        })
        .collect()
}

const BODIES: &[&str] = &[
    r#","event":"start""#,
    r#","event":"login","role":"a""#,
    r#","event":"statement","reason":"\",\"hash\":\"""#,
    r#","event":"completed","rows":3"#,
    r#","event":"logout""#,
    r#","event":"stop""#,
];

fn faults(lines: &[Vec<u8>]) -> Vec<(usize, Fault)> {
    let mut checker = Checker::default();
    lines
        .iter()
        .enumerate()
        .filter_map(|(i, line)| checker.next(line).err().map(|fault| (i, fault)))
        .collect()
}

#[test]
fn an_untouched_chain_holds() {
    let lines = chain(BODIES);
    assert_eq!(faults(&lines), []);
    assert_eq!(faults(&lines[2..]), [], "earlier files need not be at hand");
}

#[test]
fn the_hash_is_that_of_the_record_without_its_hash() {
    let lines = chain(BODIES);
    for (i, line) in lines.iter().enumerate() {
        let text = std::str::from_utf8(line).expect("UTF-8");
        let mut object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).expect("JSON");
        let hash = object.shift_remove("hash").expect("hash");
        let bytes = serde_json::to_vec(&object).expect("JSON");
        let expected = Digest(Sha256::digest(&bytes).into()).to_string();
        assert_eq!(hash, expected.as_str(), "record {i}");
        assert_eq!(object["seq"], i + 1);
    }
}

#[test]
fn any_changed_byte_is_found_at_its_line() {
    let lines = chain(BODIES);
    for at in 0..lines.len() {
        for byte in 0..lines[at].len() {
            for new in [b'0', b'"', b' ', lines[at][byte] ^ 1] {
                let mut changed = lines.clone();
                if changed[at][byte] == new {
                    continue;
                }
                changed[at][byte] = new;
                let found = faults(&changed);
                assert!(
                    matches!(found.first(), Some((i, Fault::Changed { .. } | Fault::NotARecord)) if *i == at),
                    "record {at}, byte {byte}: {found:?}"
                );
            }
        }
    }
}

#[test]
fn a_changed_record_is_told_once_and_the_chain_taken_up_again() {
    let lines = chain(BODIES);
    for at in 0..lines.len() {
        let mut changed = lines.clone();
        let text = String::from_utf8(changed[at].clone()).expect("UTF-8");
        changed[at] = text.replace("\"event\":\"", "\"event\":\"x").into_bytes();
        assert_eq!(faults(&changed), [(at, Fault::Changed { seq: at as u64 + 1 })]);
    }
}

#[test]
fn a_record_rewritten_with_its_own_hash_made_anew_breaks_the_next_one() {
    let lines = chain(BODIES);
    for at in 0..lines.len() - 1 {
        let link = Link::read(&lines[at]).expect("record");
        let mut changed = lines.clone();
        changed[at].clear();
        let before = Head {
            seq: link.seq - 1,
            hash: link.prev,
        };
        seal(&mut changed[at], before, br#","event":"nothing""#);
        changed[at].pop();
        assert_eq!(
            faults(&changed),
            [(at + 1, Fault::DoesNotFollow { seq: at as u64 + 2 })]
        );
    }
}

#[test]
fn removal() {
    let lines = chain(BODIES);
    for from in 1..lines.len() - 1 {
        for to in from..lines.len() - 1 {
            let mut rest = lines.clone();
            rest.drain(from..=to);
            let expected = Fault::Missing {
                from: from as u64 + 1,
                to: to as u64 + 1,
                next: to as u64 + 2,
            };
            assert_eq!(faults(&rest), [(from, expected)]);
        }
    }
}

#[test]
fn a_beginning_that_was_removed_cannot_be_made_to_look_like_one() {
    let lines = chain(BODIES);
    let mut forged = Vec::new();
    let elsewhere = Head {
        seq: 0,
        hash: Digest([7; 32]),
    };
    seal(&mut forged, elsewhere, b",\"event\":\"start\"");
    forged.pop();
    assert_eq!(faults(&[forged]), [(0, Fault::FalseStart { seq: 1 })]);
    let mut forged = Vec::new();
    let later = Head {
        seq: 8,
        hash: Digest::GENESIS,
    };
    seal(&mut forged, later, b",\"event\":\"start\"");
    forged.pop();
    assert_eq!(faults(&[forged]), [(0, Fault::FalseStart { seq: 9 })]);
    assert_eq!(Link::read(&lines[0]).expect("record").prev, Digest::GENESIS);
}

#[test]
fn repetition_and_insertion() {
    let lines = chain(BODIES);
    for at in 0..lines.len() {
        for to in at + 1..=lines.len() {
            let mut more = lines.clone();
            more.insert(to, lines[at].clone());
            let expected = Fault::OutOfOrder {
                seq: at as u64 + 1,
                after: to as u64,
            };
            assert_eq!(faults(&more), [(to, expected)]);
        }
        for junk in ["", "{}", "{\"seq\":1}", "\u{0}\u{0}"] {
            let mut more = lines.clone();
            more.insert(at, junk.into());
            assert_eq!(faults(&more), [(at, Fault::NotARecord)]);
        }
    }
}

#[test]
fn an_inserted_record_that_follows_is_found_at_the_one_it_displaces() {
    let lines = chain(BODIES);
    for at in 1..lines.len() {
        let before = Link::read(&lines[at - 1]).expect("record");
        let mut forged = Vec::new();
        let head = Head {
            seq: before.seq,
            hash: before.hash,
        };
        seal(&mut forged, head, b",\"event\":\"forged\"");
        forged.pop();
        let mut more = lines.clone();
        more.insert(at, forged);
        let found = faults(&more);
        assert_eq!(found.first().map(|(i, _)| *i), Some(at + 1), "{found:?}");
    }
}

#[test]
fn reordering() {
    let lines = chain(BODIES);
    for a in 0..lines.len() {
        for b in a + 1..lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(a, b);
            let found = faults(&swapped);
            assert!(!found.is_empty(), "{a} and {b}");
            assert!(found.iter().all(|(i, _)| *i >= a), "{found:?}");
        }
    }
}

#[test]
fn digests_have_one_spelling() {
    let text = Digest([0xab; 32]).to_string();
    assert_eq!(Digest::from_hex(text.as_bytes()), Some(Digest([0xab; 32])));
    assert_eq!(Digest::from_hex(text.to_uppercase().as_bytes()), None);
    assert_eq!(Digest::from_hex(&text.as_bytes()[1..]), None);
}
