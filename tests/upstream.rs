//! Servers that are not what they should be: a stand-in answers some of the proxy's questions otherwise than PostgreSQL.
//! Cases: tests/upstream.txt.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test fails loudly

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use common::proxy::{Proxy, RULES};
use common::{Cluster, psql_at};

/// What is answered to a query that holds a text: a row, or an error by its SQLSTATE.
#[derive(Debug, Clone, PartialEq)]
struct Lie {
    to: String,
    answer: String,
}

#[derive(Debug, Default)]
struct Case {
    name: String,
    lies: Vec<Lie>,
    served: bool,
    told: String,
}

/// `name`, then lines `to … -> …`, `served` or `refused`, and `log …`.
fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/upstream.txt")).unwrap();
    let blocks = text
        .split("\n\n")
        .map(|block| block.lines().filter(|line| !line.starts_with('#')));
    blocks
        .map(|mut lines| {
            let mut case = Case {
                name: lines.next().expect("a name").to_owned(),
                ..Case::default()
            };
            for line in lines {
                match line.split_once(' ') {
                    Some(("to", lie)) => {
                        let (to, answer) = lie.split_once(" -> ").expect("an answer");
                        case.lies.push(Lie {
                            to: to.to_owned(),
                            answer: answer.to_owned(),
                        });
                    }
                    Some(("log", words)) => case.told = words.to_owned(),
                    None if line == "served" => case.served = true,
                    None if line == "refused" => {}
                    _ => panic!("{line}"),
                }
            }
            case
        })
        .collect()
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag], &length[..], body].concat()
}

/// `error SQLSTATE`, `nothing` (the columns without origins, no row), or a row of values between `|`.
fn answer(said: &str) -> Vec<u8> {
    let count = |values: &[&str]| u16::try_from(values.len()).unwrap().to_be_bytes().to_vec();
    let columns = |values: &[&str]| {
        let mut body = count(values);
        values
            .iter()
            .for_each(|_| body.extend([b"c\0".as_slice(), &[0; 6], &[0, 0, 0, 25, 255, 255], &[0; 6]].concat()));
        message(b'T', &body)
    };
    let answer = match said.split_once(' ') {
        Some(("error", state)) => message(b'E', format!("SERROR\0VERROR\0C{state}\0Mno\0\0").as_bytes()),
        None if said == "nothing" => [columns(&["c"]), message(b'C', b"SELECT 0\0")].concat(),
        _ => {
            let values: Vec<&str> = said.split('|').collect();
            let mut row = count(&values);
            for value in &values {
                row.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
                row.extend(value.as_bytes());
            }
            [columns(&values), message(b'D', &row), message(b'C', b"SELECT 1\0")].concat()
        }
    };
    [answer, message(b'Z', b"I")].concat()
}

/// The whole message that comes next; a start-up packet has no tag.
fn next(from: &mut TcpStream, tagged: bool) -> Option<Vec<u8>> {
    let mut message = vec![0; if tagged { 5 } else { 4 }];
    from.read_exact(&mut message).ok()?;
    let length = u32::from_be_bytes(message[message.len() - 4..].try_into().unwrap());
    let start = message.len();
    message.resize(start + length as usize - 4, 0);
    from.read_exact(&mut message[start..]).ok()?;
    Some(message)
}

/// A server that lies, in front of one that does not.
fn stand_in(server: u16, lies: Vec<Lie>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let lies = Arc::new(lies);
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let (mut near, mut far) = (near.unwrap(), TcpStream::connect(("127.0.0.1", server)).unwrap());
            let (mut back, mut from, lies) = (near.try_clone().unwrap(), far.try_clone().unwrap(), Arc::clone(&lies));
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut back);
                let _ = back.shutdown(Shutdown::Both);
            });
            std::thread::spawn(move || {
                // The question for TLS comes first; the real server says no to it.
                let mut tagged = false;
                while let Some(message) = next(&mut near, tagged) {
                    tagged |= message.get(4..8) != Some(&[4, 210, 22, 47]);
                    let text = String::from_utf8_lossy(&message);
                    match lies.iter().find(|lie| message[0] == b'Q' && text.contains(&lie.to)) {
                        Some(lie) => near.write_all(&answer(&lie.answer)).unwrap(),
                        None => far.write_all(&message).unwrap(),
                    }
                }
                let _ = far.shutdown(Shutdown::Both);
            });
        }
    });
    port
}

/// A proxy whose log is kept.
struct Logged(Child, u16, std::path::PathBuf);

impl Logged {
    fn start(upstream: u16) -> Self {
        let folder = Proxy::folder("upstream");
        std::fs::write(folder.join("rules.yaml"), RULES).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_pgpurpose"))
            .args(["serve", "--listen", "127.0.0.1:0", "--upstream"])
            .arg(format!("postgres://127.0.0.1:{upstream}"))
            .arg("--rules")
            .arg(folder.join("rules.yaml"))
            .arg("--audit")
            .arg(folder.join("audit.jsonl"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut said = [0; 64];
        let read = process.stdout.as_mut().unwrap().read(&mut said).unwrap();
        let said = std::str::from_utf8(&said[..read]).unwrap();
        let port = said.trim().rsplit_once(':').expect("it listens").1.parse().unwrap();
        Self(process, port, folder)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.2.join("log")).unwrap()
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = std::fs::remove_dir_all(&self.2);
    }
}

#[test]
fn a_server_that_lacks_what_is_relied_on_is_refused_or_told_of() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", "CREATE ROLE app LOGIN");
    let cases = cases();
    assert!(cases.len() > 10);
    for Case {
        name,
        lies,
        served,
        told,
    } in cases
    {
        let proxy = Logged::start(stand_in(cluster.port(), lies));
        for _ in 0..2 {
            let said = psql_at(proxy.1, "postgres", "app", "SELECT 1");
            assert_eq!(said.success, served, "{name}: {said:?}");
            assert!(served || said.stderr.contains("not supported"), "{name}: {said:?}");
        }
        let log = proxy.log();
        assert!(log.contains(&told), "{name}: {log}");
        // What will do is looked at once.
        let times = log.matches("needs: the database server is ").count();
        assert_eq!(times, if served { 1 } else { 2 }, "{name}: {log}");
    }
}

/// Without what makes a fence of it, each of the two conditions does fail: that they do not says something.
#[test]
fn fences_are_looked_at_by_what_fails_without_them() {
    let cluster = Cluster::start();
    let source = include_str!("../src/upstream/needs.rs");
    let whole = |start: &str| {
        let rest = &source[source.find(start).unwrap()..];
        let parts = rest.split("concat!(").nth(1).unwrap().split("parts:").next().unwrap();
        parts.split('"').skip(1).step_by(2).collect::<String>()
    };
    for (start, fence, without) in [
        ("OFFSET 0 is a fence", " OFFSET 0", ""),
        ("CASE is evaluated", "CASE WHEN ", "("),
    ] {
        let fenced = whole(start);
        let bare = fenced
            .replace(fence, without)
            .replace(" THEN ", ") AND (")
            .replace(" END)", "))");
        assert_eq!(cluster.psql("postgres", "postgres", &fenced), "t", "{fenced}");
        let failed = cluster.try_psql("postgres", "postgres", &bare);
        assert!(failed.stderr.contains("division by zero"), "{bare}: {failed:?}");
    }
}
