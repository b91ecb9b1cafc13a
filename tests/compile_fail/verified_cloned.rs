//! A verified text is one.
fn main() {
    let one = pgpurpose::verify::Verified::refusal();
    let _: pgpurpose::verify::Verified = one.clone(); //~ E0599
}
