//! A client of the protocol that keeps every byte: requests as they are asked for, answers as messages.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A backend message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    pub tag: u8,
    pub body: Vec<u8>,
}

pub struct Session {
    stream: TcpStream,
    buffer: Vec<u8>,
    at: usize,
}

/// What goes to the server.
#[derive(Debug, Default, Clone)]
pub struct Request(pub Vec<u8>);

impl Request {
    fn message(&mut self, tag: u8, body: &[&[u8]]) {
        let length: usize = body.iter().map(|piece| piece.len()).sum();
        self.0.push(tag);
        self.0.extend(u32::try_from(length + 4).unwrap().to_be_bytes());
        self.0.extend(body.concat());
    }

    pub fn simple(sql: &str) -> Self {
        let mut request = Self::default();
        request.message(b'Q', &[sql.as_bytes(), b"\0"]);
        request
    }

    /// Parse, Describe, Bind, Execute of so many rows at a time, Sync; results in text or binary.
    pub fn extended(sql: &str, values: &[String], binary: bool, rows_at_once: u32, executes: usize) -> Self {
        let mut request = Self::default();
        request.message(b'P', &[b"\0", sql.as_bytes(), b"\0\0\0"]);
        let mut bind = b"\0\0\0\0".to_vec();
        bind.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
        for value in values {
            bind.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
            bind.extend(value.as_bytes());
        }
        bind.extend(if binary { [0, 1, 0, 1].as_slice() } else { &[0, 0] });
        request.message(b'B', &[&bind]);
        request.message(b'D', &[b"P\0"]);
        for _ in 0..executes {
            request.message(b'E', &[b"\0", &rows_at_once.to_be_bytes()]);
        }
        request.message(b'S', &[]);
        request
    }
}

impl Session {
    pub fn connect(port: u16, user: &str, database: &str, settings: &[(&str, &str)]) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        stream
            .set_read_timeout(Some(Duration::from_secs(120)))
            .map_err(|e| e.to_string())?;
        let mut session = Self {
            stream,
            buffer: Vec::new(),
            at: 0,
        };
        let mut body = vec![0, 3, 0, 0];
        for (name, value) in [("user", user), ("database", database)].iter().chain(settings) {
            body.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
        }
        body.push(0);
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        session
            .stream
            .write_all(&[&length, body.as_slice()].concat())
            .map_err(|e| e.to_string())?;
        let answer = session.receive()?;
        match answer.iter().find(|m| m.tag == b'E') {
            Some(error) => Err(String::from_utf8_lossy(&error.body).replace('\0', " ")),
            None => Ok(session),
        }
    }

    /// Sends requests without waiting for answers.
    pub fn send(&mut self, requests: &[Request]) -> Result<(), String> {
        let all: Vec<u8> = requests.iter().flat_map(|r| r.0.iter().copied()).collect();
        self.stream.write_all(&all).map_err(|e| e.to_string())
    }

    /// All that comes back for so many of them.
    pub fn answers(&mut self, count: usize) -> Result<Vec<Message>, String> {
        let mut messages = Vec::new();
        for _ in 0..count {
            messages.extend(self.receive()?);
        }
        Ok(messages)
    }

    fn receive(&mut self) -> Result<Vec<Message>, String> {
        let mut messages = Vec::new();
        loop {
            let message = self.message()?;
            let ends = message.tag == b'Z';
            messages.push(message);
            if ends {
                return Ok(messages);
            }
        }
    }

    fn message(&mut self) -> Result<Message, String> {
        let tag = self.take(1)?[0];
        let length: [u8; 4] = self.take(4)?.try_into().unwrap();
        let body = self.take(u32::from_be_bytes(length) as usize - 4)?;
        Ok(Message { tag, body })
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>, String> {
        while self.buffer.len() - self.at < count {
            self.buffer.drain(..self.at);
            self.at = 0;
            let mut chunk = [0; 65536];
            match self.stream.read(&mut chunk).map_err(|e| e.to_string())? {
                0 => return Err("the connection was closed".into()),
                read => self.buffer.extend(&chunk[..read]),
            }
        }
        self.at += count;
        Ok(self.buffer[self.at - count..self.at].to_vec())
    }
}

impl Message {
    /// A field of an ErrorResponse.
    pub fn field(&self, code: u8) -> Option<String> {
        let fields = self.body.split(|b| *b == 0);
        fields
            .filter(|f| f.first() == Some(&code))
            .map(|f| String::from_utf8_lossy(&f[1..]).into_owned())
            .next()
    }

    /// The columns of a RowDescription: name and type.
    pub fn columns(&self) -> Vec<(String, u32)> {
        let mut rest = self.body.get(2..).unwrap_or_default();
        let mut columns = Vec::new();
        while let Some(end) = rest.iter().position(|b| *b == 0) {
            let name = String::from_utf8_lossy(&rest[..end]).into_owned();
            let type_oid = u32::from_be_bytes(rest[end + 7..end + 11].try_into().unwrap());
            columns.push((name, type_oid));
            rest = &rest[end + 19..];
        }
        columns
    }

    /// Without the tables that its columns come from: temporary ones have other numbers in each database.
    pub fn forget_origins(&mut self) {
        if self.tag != b'T' {
            return;
        }
        let mut at = 2;
        while let Some(end) = self.body[at..].iter().position(|b| *b == 0) {
            self.body[at + end + 1..at + end + 5].fill(0);
            at += end + 19;
        }
    }

    /// What a person can read of it.
    pub fn readable(&self) -> String {
        match self.tag {
            b'D' => {
                let mut rest = self.body.get(2..).unwrap_or_default();
                let mut cells = Vec::new();
                while let Some((length, tail)) = rest.split_first_chunk::<4>() {
                    match usize::try_from(i32::from_be_bytes(*length)) {
                        Ok(length) => {
                            cells.push(String::from_utf8_lossy(&tail[..length]).into_owned());
                            rest = &tail[length..];
                        }
                        Err(_) => {
                            cells.push("NULL".into());
                            rest = tail;
                        }
                    }
                }
                format!("({})", cells.join(" | "))
            }
            b'T' => {
                let columns = self.columns();
                let columns = columns.iter().map(|(name, oid)| format!("{name} {oid}"));
                format!("columns {}", columns.collect::<Vec<_>>().join(", "))
            }
            tag => format!(
                "{} {}",
                tag as char,
                String::from_utf8_lossy(&self.body).replace('\0', " ")
            ),
        }
    }
}
