//! There is no record of nothing.
fn main() {
    let _: pgpurpose::audit::Recorded = Default::default(); //~ E0277
}
