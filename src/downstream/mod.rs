//! The only place that writes to clients: listener, start-up, authentication passed through.
