//! The other ends: an OTLP collector that takes all, and a reader of the pages who follows every link.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Takes whatever is sent, and answers every request with 200.
pub fn collector(taken: &Arc<Mutex<Vec<u8>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("otlp+http://{}", listener.local_addr().unwrap());
    let taken = Arc::clone(taken);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, taken) = (stream.unwrap(), Arc::clone(&taken));
            std::thread::spawn(move || {
                let mut buffer = vec![0; 1 << 16];
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    taken.lock().unwrap().extend_from_slice(&buffer[..read]);
                    let text = String::from_utf8_lossy(&buffer[..read]).to_lowercase();
                    if text.starts_with("post ") {
                        let length = text.split("content-length: ").nth(1).and_then(|l| l.split('\r').next());
                        let length: usize = length.unwrap().parse().unwrap();
                        let head = text.find("\r\n\r\n").map_or(read, |head| head + 4);
                        let mut rest = vec![0; (head + length).saturating_sub(read)];
                        stream.read_exact(&mut rest).unwrap();
                        taken.lock().unwrap().extend_from_slice(&rest);
                        stream
                            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                            .unwrap();
                    }
                }
            });
        }
    });
    url
}

/// All that the admin face shows: what is open, and the pages behind the token, each one that a link leads to.
/// Links that only narrow a page (filters) are followed from the first page and no further.
pub fn pages(address: &str, token: &str) -> BTreeMap<String, Vec<u8>> {
    let mut shown = BTreeMap::new();
    let mut next: BTreeSet<String> = [
        "/",
        "/login",
        "/healthz",
        "/readyz",
        "/metrics",
        "/events/list",
        "/events?since=all",
    ]
    .map(str::to_owned)
    .into();
    while let Some(path) = next.pop_first() {
        let answer = get(address, token, &path);
        let text = String::from_utf8_lossy(&answer).into_owned();
        for part in text.split("href=\"/").skip(1) {
            let link = format!("/{}", part.split('"').next().unwrap().replace("&amp;", "&"));
            if (path == "/" || !link.contains('?')) && !shown.contains_key(&link) {
                next.insert(link);
            }
        }
        shown.insert(path, answer);
    }
    shown
}

fn get(address: &str, token: &str, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let start = String::from_utf8_lossy(&answer[..15]).into_owned();
    assert!(start.starts_with("HTTP/1.1 200"), "{path}: {start}");
    answer
}
