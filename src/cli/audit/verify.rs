//! `pgpurpose audit verify FILE…`: whether the chain holds, and what a chain cannot tell.

use std::path::PathBuf;
use std::str::FromStr;

use serde_json::json;

use crate::audit::chain::{Digest, Fault, Head};
use crate::audit::checkpoint::{Checkpoint, PublicKey};
use crate::audit::reader::{self, Expected, Finding, Known, Summary};
use crate::cli::Exit;
use crate::cli::output::{self, Format};

/// How many faults are printed; all are counted.
const MOST_PRINTED: u64 = 100;

/// Arguments of `audit verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Audit files, in any order; with the one that is being written, those rotated away from it
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A record's number and hash as an earlier run printed it, kept where the audit's writer cannot reach it
    #[arg(long = "head", value_name = "SEQ:HASH")]
    heads: Vec<KnownHead>,
    /// The public key that signed the checkpoints, PEM, as `pgpurpose audit key` printed it
    #[arg(long, env = "PGPURPOSE_AUDIT_PUBLIC_KEY", value_name = "FILE")]
    key: Option<PathBuf>,
    /// Checkpoints that were sent elsewhere, one a line: each must be signed, and what it covers be there
    #[arg(long = "checkpoints", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text, env = "PGPURPOSE_FORMAT")]
    format: Format,
}

/// `17:1f3a…`
#[derive(Debug, Clone, Copy)]
struct KnownHead(Head);

impl FromStr for KnownHead {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = "a number, a colon and 64 lower-case hex digits are expected";
        let (seq, hash) = text.split_once(':').ok_or(form)?;
        Ok(Self(Head {
            seq: seq.parse().map_err(|_| form)?,
            hash: Digest::from_hex(hash.as_bytes()).ok_or(form)?,
        }))
    }
}

pub(super) fn run(args: &Args) -> Exit {
    let expected = match expected(args) {
        Ok(expected) => expected,
        Err(error) => {
            output::complain(&error);
            return Exit::Usage;
        }
    };
    let mut findings = Vec::new();
    let mut printed = 0;
    let files = reader::with_rotated(&args.files);
    let summary = files.and_then(|files| {
        reader::verify_against(&files, &expected, |finding| {
            printed += 1;
            if printed > MOST_PRINTED {
                return;
            }
            match args.format {
                Format::Text => output::print(&line(&finding)),
                Format::Json => findings.push(finding),
            }
        })
    });
    let summary = match summary {
        Ok(summary) => summary,
        Err(error) => {
            output::complain(&error);
            return Exit::Usage;
        }
    };
    output::print(&match args.format {
        Format::Text => text(&summary),
        Format::Json => output::json(&to_json(&summary, &findings)),
    });
    if summary.holds() { Exit::Fine } else { Exit::Findings }
}

/// What is known from elsewhere.
fn expected(args: &Args) -> Result<Expected, String> {
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let key = match &args.key {
        Some(path) => {
            let key = PublicKey::from_pem(&read(path)?);
            Some(key.ok_or_else(|| format!("{} is no public Ed25519 key in PEM", path.display()))?)
        }
        None => None,
    };
    let mut heads: Vec<Head> = args.heads.iter().map(|known| known.0).collect();
    for path in &args.checkpoints {
        for (index, line) in read(path)?.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let sound = Checkpoint::read(line.as_bytes()).filter(|c| c.is_signed(key.as_ref()));
            let checkpoint = sound.ok_or_else(|| {
                let place = format!("{}:{}", path.display(), index + 1);
                format!("{place}: no checkpoint, or not one of the expected key")
            })?;
            heads.push(checkpoint.head);
        }
    }
    Ok(Expected { heads, key })
}

fn line(finding: &Finding) -> String {
    format!("{}:{}: {}", finding.file.display(), finding.line, finding.fault)
}

fn text(summary: &Summary) -> String {
    let mut lines = Vec::new();
    if summary.faults > MOST_PRINTED {
        lines.push(format!("and {} more", summary.faults - MOST_PRINTED));
    }
    lines.extend(summary.known.iter().map(|(head, state)| known_text(*head, *state)));
    let (Some(first), Some(head)) = (summary.first_seq, summary.head) else {
        lines.push(match summary.faults {
            0 => "no records".to_owned(),
            faults => format!("the chain does not hold: no sound record, {}", counted(faults, "fault")),
        });
        return lines.join("\n");
    };
    let span = format!("{}, {first} to {}", counted(summary.records, "sound record"), head.seq);
    lines.push(if summary.holds() {
        format!("the chain holds: {span}")
    } else {
        format!("the chain does not hold: {}, {span}", counted(summary.faults, "fault"))
    });
    if first > 1 {
        lines.push(format!("records before {first} are not in these files"));
    }
    lines.extend(signed(summary));
    if !summary.holds() {
        return lines.join("\n");
    }
    lines.push(format!("head {}:{}", head.seq, head.hash));
    lines.push(
        "Not shown by a chain alone: records cut off after the head, and a rewriting of all records from one on.\n\
         Keep the head elsewhere, and give it as --head next time: then both are found, up to that record."
            .to_owned(),
    );
    lines.join("\n")
}

fn signed(summary: &Summary) -> Option<String> {
    let last = summary.head.map_or(0, |head| head.seq);
    Some(match (&summary.signed, &summary.key) {
        (Some(signed), Some(key)) => {
            // The last checkpoint is itself a record.
            let behind = last.saturating_sub(signed.seq + 1);
            let whose = match summary.key_given {
                true => "the given key",
                false => "a key that was not given: compare it",
            };
            let checkpoints = counted(summary.checkpoints, "checkpoint");
            format!(
                "{checkpoints}, the last over record {}, {} after it; signed with {whose}\nkey {key}",
                signed.seq,
                counted(behind, "record")
            )
        }
        _ if summary.key_given => "not signed: there is no checkpoint of the given key".to_owned(),
        _ => return None,
    })
}

fn known_text(head: Head, state: Known) -> String {
    let seq = head.seq;
    match state {
        Known::Holds => format!("record {seq} is as it was noted"),
        Known::Rewritten(now) => {
            format!(
                "rewritten: record {seq} was noted as {}, and is {now}: it, or one before it, was exchanged",
                head.hash
            )
        }
        Known::NotThere => {
            format!("cut off: record {seq}, noted earlier, is not sound in these files, or not in them")
        }
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn to_json(summary: &Summary, findings: &[Finding]) -> serde_json::Value {
    let faults = findings.iter().map(|finding| {
        json!({
            "file": finding.file.to_string_lossy(),
            "line": finding.line,
            "kind": kind(&finding.fault),
            "message": finding.fault.to_string(),
        })
    });
    let known = summary.known.iter().map(|(head, state)| {
        json!({
            "seq": head.seq,
            "hash": head.hash.to_string(),
            "state": match state {
                Known::Holds => "holds",
                Known::Rewritten(_) => "rewritten",
                Known::NotThere => "cut_off",
            },
        })
    });
    json!({
        "holds": summary.holds(),
        "records": summary.records,
        "first_seq": summary.first_seq,
        "head": summary.head.map(|head| json!({"seq": head.seq, "hash": head.hash.to_string()})),
        "checkpoints": summary.checkpoints,
        "signed": summary.signed.map(|head| json!({"seq": head.seq, "hash": head.hash.to_string()})),
        "key": summary.key,
        "known": known.collect::<Vec<_>>(),
        "faults_total": summary.faults,
        "faults": faults.collect::<Vec<_>>(),
    })
}

const fn kind(fault: &Fault) -> &'static str {
    match fault {
        Fault::NotARecord => "not_a_record",
        Fault::Changed { .. } => "changed",
        Fault::Missing { .. } => "removed",
        Fault::OutOfOrder { .. } => "out_of_order",
        Fault::DoesNotFollow { .. } => "replaced",
        Fault::FalseStart { .. } => "false_start",
        Fault::Forged { .. } => "forged",
        Fault::Torn { .. } => "torn",
        Fault::Undecodable => "undecodable",
        Fault::TooLong => "too_long",
    }
}
