//! From a resolved statement and a decision to edits at byte positions: a file per obligation.
