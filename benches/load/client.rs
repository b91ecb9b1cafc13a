//! A client that does next to nothing with what it gets: the way there is what costs.

use std::io::{Read, Write};
use std::net::TcpStream;

/// A connection that is logged in.
pub struct Raw {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Raw {
    pub fn connect(port: u16) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut raw = Self {
            socket,
            buffer: vec![0; 256 << 10],
        };
        let body = b"\0\x03\0\0user\0postgres\0database\0postgres\0\0";
        raw.send(None, body);
        raw.drain();
        raw
    }

    /// Runs a simple query; gives the bytes of its answer.
    pub fn query(&mut self, sql: &str) -> usize {
        self.send(Some(b'Q'), format!("{sql}\0").as_bytes());
        self.drain()
    }

    fn send(&mut self, tag: Option<u8>, body: &[u8]) {
        let mut frame: Vec<u8> = tag.into_iter().collect();
        frame.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        frame.extend_from_slice(body);
        self.socket.write_all(&frame).unwrap();
    }

    /// Reads until the bytes end as ReadyForQuery does.
    fn drain(&mut self) -> usize {
        let mut total = 0;
        let mut tail = Vec::new();
        loop {
            let n = self.socket.read(&mut self.buffer).unwrap();
            assert!(n > 0, "the connection was closed: {}", String::from_utf8_lossy(&tail));
            total += n;
            tail.extend_from_slice(&self.buffer[n.saturating_sub(6)..n]);
            tail.drain(..tail.len().saturating_sub(6));
            if tail.starts_with(b"Z\0\0\0\x05") {
                return total;
            }
        }
    }
}
