//! The second reading.
