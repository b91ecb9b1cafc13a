//! A text becomes verified only by the gate.
fn main() {
    let _ = pgpurpose::verify::Verified { text: "SELECT 1".into() }; //~ E0451
}
