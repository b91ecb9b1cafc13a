//! What was recorded is what is sent.
fn main() {
    let mut one = pgpurpose::audit::Recorded::refusal();
    one.verified = std::sync::Arc::new(pgpurpose::verify::Verified::refusal()); //~ E0616
}
