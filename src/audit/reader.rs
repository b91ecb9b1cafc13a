//! Audit files as a stream of lines, in constant memory. Knows the chain, and no event.
