//! One record, one statement sent.
fn main() {
    let one = pgpurpose::audit::Recorded::refusal();
    let _: pgpurpose::audit::Recorded = one.clone(); //~ E0599
}
