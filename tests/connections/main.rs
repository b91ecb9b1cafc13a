//! Connections of both sides: TLS, certificates, authentication by the proxy itself, limits and patience, versions of the
//! protocol, and data of any size and form.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test fails loudly

#[path = "../common/mod.rs"]
mod common;
mod data;
mod limits;
mod secured;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use common::Cluster;

const SSL: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const GSS: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30];

/// A folder that the server's user may read, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/tmp/pgpurpose-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const ROLES: &str = "CREATE ROLE app LOGIN PASSWORD 'open sesame'; CREATE ROLE other LOGIN PASSWORD 'open barley';";

fn url(cluster: &Cluster) -> String {
    format!("postgres://127.0.0.1:{}", cluster.port())
}

fn as_app(port: u16, more: &str) -> String {
    format!("host=127.0.0.1 port={port} user=app dbname=postgres password='open sesame' {more}")
}

/// What comes back for bytes, up to the end of the connection or the length of `answer`.
fn answer_to(port: u16, bytes: &[u8], most: usize) -> Vec<u8> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket
        .set_read_timeout(Some(std::time::Duration::from_secs(20)))
        .unwrap();
    socket.write_all(bytes).unwrap();
    let mut answer = vec![0; most];
    let mut length = 0;
    while length < most {
        match socket.read(&mut answer[length..]).unwrap_or(0) {
            0 => break,
            n => length += n,
        }
    }
    answer.truncate(length);
    answer
}

/// A session that stays.
struct Held(std::process::Child);

impl Held {
    fn open(connection: &str) -> Self {
        let mut child = Command::new("psql")
            .args(["-X", "-A", "-t", connection])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.as_mut().unwrap().write_all(b"SELECT 1;\n").unwrap();
        let mut said = [0; 1];
        child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        assert_eq!(&said, b"1");
        Self(child)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A client of bytes, logged in, over a socket or over TLS.
struct Raw<S: Read + Write = TcpStream> {
    stream: std::io::BufReader<S>,
    /// What a cancel request carries.
    key: Vec<u8>,
    /// The last error.
    error: String,
}

impl Raw {
    fn connect(port: u16) -> Self {
        Self::over(TcpStream::connect(("127.0.0.1", port)).unwrap())
    }
}

impl<S: Read + Write> Raw<S> {
    fn over(stream: S) -> Self {
        let mut raw = Self {
            stream: std::io::BufReader::new(stream),
            key: Vec::new(),
            error: String::new(),
        };
        let body = b"\0\x03\0\0user\0app\0database\0postgres\0\0";
        raw.send(&[&(body.len() as u32 + 4).to_be_bytes()[..], body].concat());
        raw.answers();
        raw
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// A message of these parts.
    fn message(&mut self, tag: u8, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|p| p.len()).sum();
        self.send(&[tag]);
        self.send(&(length as u32 + 4).to_be_bytes());
        parts.iter().for_each(|part| self.send(part));
    }

    /// The types of what comes up to ReadyForQuery or a request for COPY data, and the length of the largest body;
    /// but for keys and errors no body is kept.
    fn answers(&mut self) -> (String, u64) {
        let (mut types, mut largest) = (String::new(), 0);
        loop {
            let mut head = [0; 5];
            self.stream.read_exact(&mut head).unwrap();
            let length = u64::from(u32::from_be_bytes([head[1], head[2], head[3], head[4]])) - 4;
            let mut body = self.stream.by_ref().take(length);
            match head[0] {
                b'K' => {
                    self.key.clear();
                    body.read_to_end(&mut self.key).unwrap();
                }
                b'E' => {
                    let mut said = Vec::new();
                    body.read_to_end(&mut said).unwrap();
                    self.error = String::from_utf8_lossy(&said).into_owned();
                }
                _ => {
                    std::io::copy(&mut body, &mut std::io::sink()).unwrap();
                }
            }
            types.push(char::from(head[0]));
            largest = largest.max(length);
            if matches!(head[0], b'Z' | b'G') {
                return (types, largest);
            }
        }
    }

    fn query(&mut self, sql: &str) -> (String, u64) {
        self.message(b'Q', &[sql.as_bytes(), b"\0"]);
        self.answers()
    }
}
