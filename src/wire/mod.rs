//! Frames and messages of the protocol. The only place that names pgwire. Knows no policy.
