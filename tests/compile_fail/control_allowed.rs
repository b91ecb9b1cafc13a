//! What is allowed compiles: so the others fail for the reason they name.
use pgpurpose::audit::{Journal, JournalConfig, Recorded};

fn main() {
    let recorded = Recorded::refusal();
    let _: &str = recorded.text();
    let _: std::io::Result<Journal> = Journal::open(JournalConfig::new("audit.jsonl"));
}
