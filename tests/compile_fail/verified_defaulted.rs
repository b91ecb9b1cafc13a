//! There is no verified text without a text.
fn main() {
    let _: pgpurpose::verify::Verified = Default::default(); //~ E0277
}
