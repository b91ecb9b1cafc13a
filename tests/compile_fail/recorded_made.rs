//! A verified text becomes recorded only by the journal.
fn main() {
    let verified = std::sync::Arc::new(pgpurpose::verify::Verified::refusal());
    let _ = pgpurpose::audit::Recorded { verified }; //~ E0451
}
