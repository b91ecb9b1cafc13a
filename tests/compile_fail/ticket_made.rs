//! A ticket is the journal's.
fn main() {
    let _ = pgpurpose::audit::Ticket { number: 0, id: Default::default() }; //~ E0451
}
