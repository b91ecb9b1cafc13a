//! The only place that opens a server socket.
