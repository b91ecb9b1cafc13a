//! A small log, counted.

use super::*;

fn found(line: &str, completion: Option<&str>) -> Found {
    Found {
        record: Record::read(line).expect("a record"),
        completion: completion.map(|line| Record::read(line).expect("a record")),
    }
}

fn statement(time: &str, rest: &str) -> String {
    format!(r#"{{"seq":1,"time":"{time}","event":"statement","id":"i","role":"r",{rest}}}"#)
}

#[test]
fn statements_are_counted_by_purpose_actor_category_and_refusal() {
    let mut tally = Tally::default();
    let read = statement(
        "2026-11-24T06:00:00.000000Z",
        r#""actor":"a","purpose":"care","legal_basis":"contract","recipient":"controller","outcome":"mask","fields":[
        {"column":"s.t.note","data_category":"user.health","position":"output","form":"raw"},
        {"column":"s.t.note","data_category":"user.health","position":"filter","form":"raw"},
        {"column":"s.t.mail","data_category":"user.mail","position":"output","form":"hidden"}]"#,
    );
    let done = r#"{"event":"completed","of":"i","rows":3,"bytes":40,"sqlstate":null}"#;
    tally.add(&found(&read, Some(done)));
    let failed = r#"{"event":"completed","of":"i","rows":1,"bytes":10,"sqlstate":"22012"}"#;
    tally.add(&found(&read, Some(failed)));
    let refused = statement(
        "2026-11-24T06:05:00.000000Z",
        r#""purpose":"care","outcome":"refuse","code":"column_refused","rule":"a.yaml:4","fields":[
        {"column":"s.t.device","data_category":"user.device","position":"output","form":"refuse","rule":"a.yaml:4"}]"#,
    );
    tally.add(&found(&refused, None));
    let gap = statement(
        "2026-11-24T07:00:00.000000Z",
        r#""outcome":"gap","gaps":["s.new"],"fields":[{"column":"s.t.nick","position":"output","form":"hidden"}]"#,
    );
    tally.add(&found(&gap, None));

    let care = &tally.purposes["care"];
    assert_eq!(care.outcomes.0, [0, 1, 0, 0, 1, 1]);
    assert_eq!((care.rows, care.bytes), (4, 50));
    assert_eq!(care.released(), [("user.health", 2)]);
    assert_eq!(care.recipients.by_count(), [("controller", 2)]);
    assert_eq!(tally.actors.len(), 2);
    let (key, refusals) = tally.refusals.first_key_value().expect("one");
    assert_eq!((key.code.as_str(), refusals.count), ("column_refused", 1));
    assert_eq!(
        (refusals.rule.as_str(), refusals.columns.by_count()),
        ("a.yaml:4", vec![("s.t.device", 1)])
    );
    assert_eq!(tally.gaps.keys().collect::<Vec<_>>(), ["s.new", "s.t.nick"]);
    assert_eq!(tally.first, "2026-11-24T06:00:00.000000Z");

    let (step, spans) = tally.over_time(12);
    assert_eq!((step, spans.len()), (10, 7));
    assert_eq!(
        spans.iter().map(|(_, o)| o.total()).collect::<Vec<_>>(),
        [3, 0, 0, 0, 0, 0, 1]
    );
}

#[test]
fn words_of_clients_do_not_make_it_grow() {
    let mut tally = Tally::default();
    for n in 0..3 * MOST_KEYS {
        let line = statement(
            "2026-11-24T06:00:00.000000Z",
            &format!(r#""actor":"a{n}","purpose":"p{n}","outcome":"allow""#),
        );
        tally.add(&found(&line, None));
    }
    assert_eq!(tally.all.outcomes.total(), 3 * MOST_KEYS as u64);
    for length in [tally.purposes.len(), tally.actors.len(), tally.all.actors.0.len()] {
        assert!(length <= MOST_KEYS + 1, "{length}");
    }
}

#[test]
fn minutes() {
    assert_eq!(minute("1970-01-02T01:01:59.000000Z"), Some(1440 + 61));
    assert_eq!(minute("2026-13-24T06:00:00Z"), None);
    assert_eq!(minute(""), None);
    assert_eq!(time_of_minute(1440 + 61), "1970-01-02T01:01:00.000000Z");
}
