//! One client's life: a state machine with total matches. Knows no policy words.

pub mod search_path;
pub mod settings;
