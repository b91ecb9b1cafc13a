//! What passes: versions of the protocol, encodings, values of any size, COPY in binary.

use std::io::Write;
use std::process::Command;

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

/// A client's encoding is PostgreSQL's to convert; statements beyond ASCII are served in UTF8 alone.
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
    let script = |sql: &[u8]| {
        let mut child = Command::new("psql")
            .args(["-X", "-A", "-t", "-q", &as_app(proxy.port, "client_encoding=UTF8")])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(sql).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (out, errors) = script(
        b"SET client_encoding = 'LATIN1'; SELECT w FROM words; SELECT count(*) FROM words WHERE w = U&'\\00e9';",
    );
    assert_eq!(
        (&out[..], errors.contains("ERROR")),
        (&b"\xe9\n1\n"[..], false),
        "{errors}"
    );
    let (out, errors) = script("SET client_encoding = 'LATIN1'; SELECT 'é'; SELECT 2;".as_bytes());
    assert!(
        out == b"2\n" && errors.contains("client_encoding UTF8 only"),
        "{out:?} {errors}"
    );
    // What is undone is undone: the text that follows is read as UTF-8 again.
    let (out, errors) = script("BEGIN; SET LOCAL client_encoding = 'LATIN1'; COMMIT; SELECT 'é';".as_bytes());
    assert_eq!((&out[..], errors.as_str()), ("é\n".as_bytes(), ""));
    let (out, errors) = script("BEGIN; SET client_encoding = 'SJIS'; ROLLBACK; SELECT 'é';".as_bytes());
    assert_eq!((&out[..], errors.as_str()), ("é\n".as_bytes(), ""));
}
