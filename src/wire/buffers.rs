//! Buffers that the connections of one thread take turns with: a connection has one only while there is something in
//! it, so that one that is idle costs next to nothing, and the few in use stay in the processor's caches.

use std::cell::RefCell;

use bytes::BytesMut;

/// How large a buffer is when it is taken, in bytes. The largest piece that is read at once.
pub const SIZE: usize = 64 << 10;

/// So many are kept for a thread.
const MOST: usize = 32;

thread_local! {
    static SPARE: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// Gives `buffer` room, if it has none at all.
pub fn take(buffer: &mut BytesMut) {
    if buffer.capacity() == 0 {
        let spare = SPARE.with_borrow_mut(Vec::pop);
        *buffer = spare.unwrap_or_else(|| BytesMut::with_capacity(SIZE));
    }
}

/// Takes the room of `buffer`, if there is nothing in it.
pub fn give_back(buffer: &mut BytesMut) {
    if !buffer.is_empty() || buffer.capacity() == 0 {
        return;
    }
    let mut spare = std::mem::take(buffer);
    // One that grew in a rush is not kept, nor one that a message still points into.
    if spare.try_reclaim(SIZE) && spare.capacity() <= 2 * SIZE {
        SPARE.with_borrow_mut(|spares| {
            if spares.len() < MOST {
                spares.push(spare);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_had_only_while_something_is_in_it() {
        let mut buffer = BytesMut::new();
        take(&mut buffer);
        assert!(buffer.capacity() >= SIZE);
        let place = buffer.as_ptr();
        buffer.extend_from_slice(b"message");
        give_back(&mut buffer);
        assert_eq!(&buffer[..], b"message");
        let message = buffer.split_to(7).freeze();
        drop(message);
        give_back(&mut buffer);
        assert_eq!(buffer.capacity(), 0);
        take(&mut buffer);
        assert_eq!(buffer.as_ptr(), place, "the whole buffer comes back, from its start");
    }

    #[test]
    fn what_a_message_points_into_is_not_written_over() {
        let mut buffer = BytesMut::new();
        take(&mut buffer);
        buffer.extend_from_slice(b"message");
        let message = buffer.split_to(7).freeze();
        give_back(&mut buffer);
        take(&mut buffer);
        buffer.extend_from_slice(b"another");
        assert_eq!(&message[..], b"message");
    }
}
