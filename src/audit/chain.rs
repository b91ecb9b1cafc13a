//! The hash chain over records: how a record is sealed, and how a line is held against the chain.
//!
//! `hash` is the SHA-256 over the record's bytes as written, without `hash`; `prev`, the hash of the
//! record before, is among those bytes. Pure: knows no file, no clock and no event.
//!
//! What a chain cannot show: records cut off at its end, and a rewriting of every record from one on
//! by somebody who computes the hashes anew. Both need a hash that was kept elsewhere.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// A SHA-256, shown as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// `prev` of the very first record.
    pub const GENESIS: Self = Self([0; 32]);

    /// Reads 64 lower-case hex digits; nothing else has the form of a record.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let &[high, low] = pair else { return None };
            *byte = (hex_digit(high)? << 4) | hex_digit(low)?;
        }
        Some(Self(bytes))
    }

    /// Appends the 64 digits.
    pub(super) fn write_hex(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&hex::<32, 64>(&self.0));
    }
}

fn hex_digit(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    }
}

/// The digits of `N` bytes, `DIGITS` being twice as many.
pub(super) fn hex<const N: usize, const DIGITS: usize>(bytes: &[u8; N]) -> [u8; DIGITS] {
    let mut digits = [0; DIGITS];
    let (pairs, _) = digits.as_chunks_mut::<2>();
    for (pair, &byte) in pairs.iter_mut().zip(bytes) {
        *pair = [hex_char(byte >> 4), hex_char(byte & 15)];
    }
    digits
}

/// Without a branch, so that many are made at once.
const fn hex_char(nibble: u8) -> u8 {
    b'0' + nibble + 39 * (nibble > 9) as u8
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Where a chain stands: its last record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// `seq` of the last record; 0 before the first.
    pub seq: u64,
    /// `hash` of the last record.
    pub hash: Digest,
}

impl Head {
    /// Before the first record.
    pub const GENESIS: Self = Self {
        seq: 0,
        hash: Digest::GENESIS,
    };
}

const SEQ: &[u8] = b"{\"seq\":";
const PREV: &[u8] = b",\"prev\":\"";
const HASH: &[u8] = b"\",\"hash\":\"";
const END: &[u8] = b"\"}";

/// Appends the record that follows `head` to `out`, with its line end; gives the new head. `body`
/// holds its fields from `time` on, each with a comma before it.
pub fn seal(out: &mut Vec<u8>, head: Head, body: &[u8]) -> Head {
    let seq = head.seq.saturating_add(1);
    let start = out.len();
    out.extend_from_slice(SEQ);
    super::canonical::decimal(out, seq);
    out.extend_from_slice(body);
    out.extend_from_slice(PREV);
    head.hash.write_hex(out);
    let hash = digest(out.get(start..).unwrap_or_default());
    out.extend_from_slice(HASH);
    hash.write_hex(out);
    out.extend_from_slice(END);
    out.push(b'\n');
    Head { seq, hash }
}

/// The hash over a record's bytes up to the last digit of `prev`: what follows there without `hash`
/// is always `"}`.
fn digest(up_to_prev: &[u8]) -> Digest {
    Digest(
        Sha256::new()
            .chain_update(up_to_prev)
            .chain_update(END)
            .finalize()
            .into(),
    )
}

/// One line, taken apart by its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub seq: u64,
    /// The hash it gives for the record before.
    pub prev: Digest,
    /// The hash it gives for itself.
    pub hash: Digest,
    /// The hash that it has.
    pub computed: Digest,
}

impl Link {
    /// Takes a line (without its line end) apart; `None` if it is not of the form of a record.
    pub fn read(line: &[u8]) -> Option<Self> {
        let rest = line.strip_suffix(END)?;
        let (rest, hash) = rest.split_at_checked(rest.len().checked_sub(64)?)?;
        let hashed = rest.strip_suffix(HASH)?;
        let (rest, prev) = hashed.split_at_checked(hashed.len().checked_sub(64)?)?;
        Some(Self {
            seq: Self::seq_of(rest.strip_suffix(PREV)?)?,
            prev: Digest::from_hex(prev)?,
            hash: Digest::from_hex(hash)?,
            computed: digest(hashed),
        })
    }

    /// The number with which a line begins.
    pub(super) fn seq_of(line: &[u8]) -> Option<u64> {
        let digits = line.strip_prefix(SEQ)?.split(|&c| c == b',').next()?;
        if !digits.iter().all(u8::is_ascii_digit) || digits.first() == Some(&b'0') {
            return None;
        }
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// The record's bytes are those that were sealed.
    pub fn is_sound(&self) -> bool {
        self.hash == self.computed
    }
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not of the form of a record.
    #[error("inserted or damaged: this line is not an audit record")]
    NotARecord,
    /// Its bytes do not give its hash.
    #[error("changed: record {seq} does not have the hash that it states")]
    Changed {
        /// Its number.
        seq: u64,
    },
    /// Numbers are left out before it.
    #[error("removed: {} missing before record {next}", missing(*.from, *.to))]
    Missing {
        /// The first number left out.
        from: u64,
        /// The last number left out.
        to: u64,
        /// The record at hand.
        next: u64,
    },
    /// Its number was already passed.
    #[error("reordered, repeated or inserted: record {seq} stands after record {after}")]
    OutOfOrder {
        /// Its number.
        seq: u64,
        /// The one before it.
        after: u64,
    },
    /// Its number follows, its `prev` does not.
    #[error("replaced: record {seq} does not follow the record before it, one of the two was exchanged")]
    DoesNotFollow {
        /// Its number.
        seq: u64,
    },
    /// The beginning of a chain that is none.
    #[error("replaced: record {seq} claims a beginning that it cannot have")]
    FalseStart {
        /// Its number.
        seq: u64,
    },
    /// A checkpoint whose signature does not hold.
    #[error("forged: checkpoint {seq} is not a signature of the expected key over the record before it")]
    Forged {
        /// Its number.
        seq: u64,
    },
    /// The last line does not end.
    #[error("torn: the last line does not end ({bytes} bytes), its writing was cut off")]
    Torn {
        /// How much of it there is.
        bytes: u64,
    },
    /// A compressed file's bytes are not what was compressed.
    #[error("changed or cut off: the file cannot be decompressed from here on")]
    Undecodable,
    /// A line longer than any record can be.
    #[error("inserted or damaged: this line is longer than any audit record")]
    TooLong,
}

impl Fault {
    /// The record itself is sound, does not follow what stands before it, and is where the chain was
    /// taken up again.
    pub(super) fn is_of_position(self) -> bool {
        match self {
            Self::Missing { .. } | Self::DoesNotFollow { .. } | Self::FalseStart { .. } => true,
            Self::NotARecord
            | Self::Changed { .. }
            | Self::Forged { .. }
            | Self::OutOfOrder { .. }
            | Self::Torn { .. }
            | Self::Undecodable
            | Self::TooLong => false,
        }
    }
}

fn missing(from: u64, to: u64) -> String {
    if from == to {
        format!("record {from} is")
    } else {
        format!("records {from} to {to} are")
    }
}

/// Holds lines, in order, against each other.
#[derive(Debug, Default, Clone)]
pub struct Checker {
    first: Option<u64>,
    head: Option<Head>,
}

impl Checker {
    /// A chain that goes on from `head`.
    pub fn from_head(head: Head) -> Self {
        Self {
            first: None,
            head: Some(head),
        }
    }

    /// The next line, without its line end. After a fault the chain is taken up again at this line
    /// where it can be, so that one fault is told once.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn next(&mut self, line: &[u8]) -> Result<Link, Fault> {
        let link = Link::read(line).ok_or(Fault::NotARecord)?;
        let seq = link.seq;
        if !link.is_sound() {
            self.step_over_changed(&link);
            return Err(Fault::Changed { seq });
        }
        let position = match self.head {
            None => start(&link),
            Some(head) if seq <= head.seq => return Err(Fault::OutOfOrder { seq, after: head.seq }),
            Some(head) if seq - head.seq > 1 => Err(Fault::Missing {
                from: head.seq + 1,
                to: seq - 1,
                next: seq,
            }),
            Some(head) if link.prev != head.hash => Err(Fault::DoesNotFollow { seq }),
            Some(_) => Ok(()),
        };
        self.first.get_or_insert(seq);
        self.head = Some(Head { seq, hash: link.hash });
        position.map(|()| link)
    }

    /// A changed record that stands in its place is stepped over by the hash that it states: the
    /// next one refers to that. Its number may be what was changed.
    fn step_over_changed(&mut self, link: &Link) {
        let expected = self.head.map_or(link.seq, |head| head.seq.saturating_add(1));
        let in_place = self.head.is_none_or(|head| head.hash == link.prev) || link.seq == expected;
        if in_place {
            self.first.get_or_insert(expected);
            self.head = Some(Head {
                seq: expected,
                hash: link.hash,
            });
        }
    }

    /// The number of the first record that was seen.
    pub fn first_seq(&self) -> Option<u64> {
        self.first
    }

    /// The last record that was seen.
    pub fn head(&self) -> Option<Head> {
        self.head
    }
}

/// Only record 1 begins a chain. Another may stand first where earlier files are not at hand.
fn start(link: &Link) -> Result<(), Fault> {
    if (link.seq == 1) == (link.prev == Digest::GENESIS) {
        Ok(())
    } else {
        Err(Fault::FalseStart { seq: link.seq })
    }
}

#[cfg(test)]
mod tests;
