//! Catalogs shared between sessions.
