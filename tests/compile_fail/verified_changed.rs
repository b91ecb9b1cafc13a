//! A verified text stays as it was verified.
fn main() {
    let mut one = pgpurpose::verify::Verified::refusal();
    one.text = "SELECT 1".into(); //~ E0616
}
