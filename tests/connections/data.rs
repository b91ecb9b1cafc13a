//! What passes: versions of the protocol, encodings, values of any size, COPY in binary.

use std::io::Write;
use std::process::Command;

use pgpurpose::wire::Encoding;

use super::common::Cluster;
use super::common::proxy::{Proxy, psql};
use super::{Folder, ROLES, Raw, answer_to, as_app, url};

#[test]
fn versions_and_options_of_the_protocol_are_negotiated() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", ROLES);
    let proxy = Proxy::start("versions", &url(&cluster), &[]);
    let packet = |version: [u8; 4], options: &[u8]| {
        let body = [&version[..], b"user\0app\0database\0postgres\0", options, b"\0"].concat();
        [&(body.len() as u32 + 4).to_be_bytes()[..], &body].concat()
    };
    let said = |version, options: &[u8]| answer_to(proxy.port, &packet(version, options), 9);
    assert_eq!(said([0, 3, 0, 0], b"")[0], b'R');
    assert_eq!(said([0, 3, 0, 2], b"")[0], b'R', "3.2 is spoken");
    assert_eq!(said([0, 3, 0, 9], b""), b"v\0\0\0\x0c\0\x03\0\x02");
    assert_eq!(said([0, 3, 0, 0], b"_pq_.new\0on\0"), b"v\0\0\0\x15\0\x03\0\0");
    assert_eq!(said([0, 2, 0, 0], b"")[0], b'E');
}

/// Values of any size pass without being held: rows, parameters and COPY data of 200 MB take no such memory here, nor
/// do larger ones, up to PostgreSQL's limit of 1 GB: PGPURPOSE_TEST_LARGE says how many bytes.
#[test]
fn large_values_are_not_held() {
    /// KiB
    const ROOM: u64 = 48 << 10;
    let wanted = std::env::var("PGPURPOSE_TEST_LARGE").ok().map(|n| n.parse().unwrap());
    let large: usize = wanted.unwrap_or(200_000_000);
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", ROLES);
    cluster.psql(
        "postgres",
        "postgres",
        "CREATE TABLE large (v text); GRANT ALL ON large TO app",
    );
    let proxy = Proxy::start("large", &url(&cluster), &[]);
    let mut raw = Raw::connect(proxy.port);
    raw.query("SELECT 1");
    let before = proxy.peak_memory();
    let small = |what: &str| {
        let grown = proxy.peak_memory().saturating_sub(before);
        assert!(grown < ROOM, "{what} took {grown} KiB");
    };

    let (types, largest) = raw.query(&format!("SELECT repeat('x', {large})"));
    assert_eq!((types.as_str(), largest), ("TDCZ", large as u64 + 6));
    small("a row");

    let value = "y".repeat(large);
    raw.message(b'P', &[b"s\0SELECT length($1::text)\0\0\0"]);
    let length = (large as u32).to_be_bytes();
    let bind = [&b"\0s\0\0\0\0\x01"[..], &length, value.as_bytes(), b"\0\0"];
    raw.message(b'B', &bind);
    raw.message(b'E', &[b"\0\0\0\0\0"]);
    raw.message(b'S', &[]);
    assert_eq!(raw.answers().0, "12DCZ");
    small("a parameter");

    // What is refused, or skipped after an error, is passed over: the next pipeline is served.
    raw.message(b'B', &[&b"\0none\0\0\0\0\x01"[..], &length, value.as_bytes(), b"\0\0"]);
    raw.message(b'B', &bind);
    raw.message(b'd', &[value.as_bytes()]);
    raw.message(b'S', &[]);
    assert_eq!(raw.answers().0, "EZ");
    small("a parameter of nothing");

    assert_eq!(raw.query("COPY large FROM STDIN").0, "G");
    raw.message(b'd', &[value.as_bytes(), b"\n"]);
    raw.message(b'c', &[]);
    assert_eq!(raw.answers().0, "CZ");
    small("COPY data in");

    let (types, largest) = raw.query("COPY large TO STDOUT");
    assert_eq!((types.as_str(), largest), ("HdcCZ", large as u64 + 1));
    small("COPY data out");
}

/// COPY in binary, out and in, is byte for byte what it is without the proxy.
#[test]
fn binary_copy_passes_both_ways() {
    let folder = Folder::new("binary-files");
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", ROLES);
    let columns = "a int, b text, c bytea, d timestamptz, e numeric, f jsonb, g int[], h bool, i float8, j uuid";
    let fill = "INSERT INTO sent SELECT n, nullif(repeat('ä', n), ''), decode(md5(n::text), 'hex'), now(), n / 7.0, \
                jsonb_build_object('n', n), ARRAY[n, NULL], n % 2 = 0, n / 3.0, gen_random_uuid() FROM generate_series(0, 2000) n";
    cluster.psql(
        "postgres",
        "postgres",
        &format!(
            "CREATE TABLE sent ({columns}); CREATE TABLE taken ({columns}); {fill}; GRANT ALL ON sent, taken TO app"
        ),
    );
    let proxy = Proxy::start("binary", &url(&cluster), &[]);
    let file = |name: &str| folder.0.join(name).display().to_string();
    let copy = |port: u16, what: &str| psql(&as_app(port, ""), &format!("\\copy {what} (FORMAT binary)"));
    assert_eq!(
        copy(proxy.port, &format!("sent TO '{}'", file("out"))),
        Ok("COPY 2001".to_owned())
    );
    assert_eq!(
        copy(cluster.port(), &format!("sent TO '{}'", file("direct"))),
        Ok("COPY 2001".to_owned())
    );
    assert_eq!(
        std::fs::read(file("out")).unwrap(),
        std::fs::read(file("direct")).unwrap()
    );
    assert_eq!(
        copy(proxy.port, &format!("taken FROM '{}'", file("out"))),
        Ok("COPY 2001".to_owned())
    );
    let differ = "SELECT count(*) FROM (TABLE sent EXCEPT ALL TABLE taken) AS d";
    assert_eq!(cluster.psql("postgres", "postgres", differ), "0");
    // What is no such data is PostgreSQL's to say, and the session goes on.
    std::fs::write(file("bad"), "PGCOPY\n\u{fffd}").unwrap();
    let refused = copy(proxy.port, &format!("taken FROM '{}'", file("bad"))).unwrap_err();
    assert!(refused.contains("COPY file signature not recognized"), "{refused}");
}

/// What psql says to a script whose bytes are in any encoding: output as it came, and errors.
fn script(port: u16, sql: &[u8]) -> (Vec<u8>, String) {
    let mut child = Command::new("psql")
        .args(["-X", "-A", "-t", "-q", &as_app(port, "client_encoding=UTF8")])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(sql).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A client's encoding is PostgreSQL's to convert; statements beyond ASCII are read where one byte is one character.
#[test]
fn encodings_are_converted_by_the_server() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", ROLES);
    cluster.psql(
        "postgres",
        "postgres",
        "CREATE TABLE words (w text); INSERT INTO words VALUES ('é'); GRANT ALL ON words TO app",
    );
    let proxy = Proxy::start("encodings", &url(&cluster), &[]);
    let script = |sql: &[u8]| script(proxy.port, sql);
    let (out, errors) = script(
        b"SET client_encoding = 'LATIN1'; SELECT w FROM words; SELECT count(*) FROM words WHERE w = U&'\\00e9';",
    );
    assert_eq!(
        (&out[..], errors.contains("ERROR")),
        (&b"\xe9\n1\n"[..], false),
        "{errors}"
    );
    let (out, errors) =
        script(b"SET client_encoding = 'LATIN1'; SELECT w = '\xe9', '\xe9', \xe9 FROM words AS w(\xe9), words AS x;");
    assert_eq!((&out[..], errors.as_str()), (&b"t|\xe9|\xe9\n"[..], ""));
    let (out, errors) = script(b"SET client_encoding = 'LATIN1'; SELECT \xe9 FROM words;");
    assert!(
        out.is_empty() && errors.contains("column \"\u{fffd}\""),
        "{out:?} {errors}"
    );
    let (out, errors) = script(b"SET client_encoding = 'SJIS'; SELECT '\x83\x5c'; SELECT 2;");
    assert!(
        out == b"2\n" && errors.contains("client_encoding UTF8, or one of one byte a character"),
        "{out:?} {errors}"
    );
    // What is undone is undone: the text that follows is read as UTF-8 again.
    let (out, errors) = script("BEGIN; SET LOCAL client_encoding = 'LATIN1'; COMMIT; SELECT 'é';".as_bytes());
    assert_eq!((&out[..], errors.as_str()), ("é\n".as_bytes(), ""));
    let (out, errors) = script("BEGIN; SET client_encoding = 'SJIS'; ROLLBACK; SELECT 'é';".as_bytes());
    assert_eq!((&out[..], errors.as_str()), ("é\n".as_bytes(), ""));
}

/// A tag is UTF-8 whatever the client's encoding; the server must read of it whom the proxy read.
#[test]
fn a_subject_in_a_tag_is_the_same_in_every_encoding() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", ROLES);
    // In LATIN1 the bytes of the first in UTF-8 are the second.
    const WORDS: &str = "SET client_encoding = 'UTF8'; CREATE TABLE words (w text PRIMARY KEY);
        INSERT INTO words VALUES ('é'), ('Ã©'); GRANT SELECT ON words TO app";
    cluster.psql("postgres", "postgres", WORDS);
    let rules = "
version: 1
purposes: {access: {scope: one_subject}}
data_categories: {user: {sensitivity: personal, other_purpose: allow}}
roles: {app: {purposes: [access], default_purpose: access}}
tables: {public.words: {data_subject: {key: w}, collected_for: [access], columns: {w: user}}}
release: [{purposes: [access], data_categories: [user], as: raw}]
";
    let proxy = Proxy::start_with("subject-encoding", rules, &url(&cluster), &[]);
    let asked = "SELECT w FROM words /*subject='%C3%A9'*/;";
    let said = |encoding: &str| {
        script(
            proxy.port,
            format!("SET client_encoding = '{encoding}'; {asked}").as_bytes(),
        )
    };
    assert_eq!(said("UTF8"), ("é\n".into(), String::new()));
    assert_eq!(said("LATIN1"), (b"\xe9\n".to_vec(), String::new()));
    let (out, errors) = said("KOI8R");
    assert!(out.is_empty() && errors.contains("subject_missing"), "{errors}");
    // What a start-up packet says the server takes as it comes, in its own encoding.
    let named = |database: &str| {
        let options = format!("dbname={database} options='-c pgpurpose.subject=é'");
        psql(&as_app(proxy.port, &options), "SELECT w FROM words")
    };
    assert_eq!(named("postgres"), Ok("é".to_owned()));
    cluster.psql(
        "postgres",
        "postgres",
        "CREATE DATABASE latin1 TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'",
    );
    cluster.psql("latin1", "postgres", WORDS);
    let refused = named("latin1").unwrap_err();
    assert!(refused.contains("where the database's encoding is UTF8"), "{refused}");
}

/// Every name that PostgreSQL has for an encoding of one byte a character, and every byte of it.
#[test]
fn encodings_of_one_byte_a_character_are_read_as_postgresql_reads_them() {
    let cluster = Cluster::start();
    cluster.psql(
        "postgres",
        "postgres",
        "CREATE FUNCTION point(name text, byte int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
             RETURN ascii(convert_from(set_byte('\\x00', 0, byte), name));
         EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN RETURN NULL; END $$",
    );
    let names = cluster.psql(
        "postgres",
        "postgres",
        "SELECT name FROM unnest('{LATIN1,ISO-8859-1,latin2,latin3,latin4,latin5,latin6,latin7,latin8,latin9,latin10,
             iso8859_2,iso88593,iso88594,iso88595,ISO_8859_6,iso88597,iso88598,iso88599,iso885910,iso885913,iso885914,
             iso885915,iso885916,koi8,koi8r,koi8u,alt,win,win866,win874,win1250,win1251,win1252,win1253,win1254,win1255,
             win1256,win1257,win1258,tcvn,tcvn5712,vscii,abc,windows866,windows874,windows1250,windows1251,windows1252,
             windows1253,windows1254,windows1255,windows1256,windows1257,windows1258}'::text[]) AS name
         WHERE pg_char_to_encoding(name) >= 0 AND pg_encoding_max_length(pg_char_to_encoding(name)) = 1",
    );
    for name in names.lines() {
        let points = cluster.psql(
            "postgres",
            "postgres",
            &format!("SELECT point('{name}', byte) FROM generate_series(1, 255) AS byte ORDER BY byte"),
        );
        let encoding = Encoding::of(name, "UTF8");
        assert!(matches!(encoding, Encoding::SingleByte(_)), "{name}");
        // psql's last empty lines are rows too.
        let mut lines = points.split('\n').chain(std::iter::repeat(""));
        for byte in 1..=255u8 {
            let theirs = lines
                .next()
                .and_then(|point| point.parse().ok())
                .and_then(char::from_u32);
            let ours = encoding.decode(&[byte]).ok().and_then(|text| text.chars().next());
            assert_eq!(ours, theirs, "{name} {byte:x}");
        }
    }
}

/// What the server says of a login before it is done reaches the client, without the values in it, as any message does.
#[test]
fn notices_of_a_login_are_passed_on() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", ROLES);
    cluster.psql(
        "postgres",
        "postgres",
        "ALTER ROLE app SET default_text_search_config = 'nope'",
    );
    let proxy = Proxy::start("login-notices", &url(&cluster), &[]);
    let said = |port: u16| {
        let output = Command::new("psql")
            .args(["-X", "-A", "-t", "-c", "SELECT 1", &as_app(port, "")])
            .output()
            .unwrap();
        (output.stdout, String::from_utf8(output.stderr).unwrap())
    };
    let warning = |name: &str, value: &str| {
        let text = format!("WARNING:  invalid value for parameter \"{name}\": \"{value}\"\n");
        (b"1\n".to_vec(), text)
    };
    assert_eq!(said(cluster.port()), warning("default_text_search_config", "nope"));
    assert_eq!(said(proxy.port), warning("?", "?"));
}
