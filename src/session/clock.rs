//! What time it is for all that ends by itself: the wall clock's, except that it never goes back.
//!
//! A clock that is set back would prolong what a break-glass purpose, an assurance or a purpose's last day ends, and give a
//! day's queries anew. Time then goes on from where it was until the wall clock has caught up, or the process starts anew.
//! What was set forward by mistake stays so, too: things end too early rather than too late. Records have the wall clock's
//! time; their order is that of their numbers. What hangs on PostgreSQL's clock (retention, consent) is not ours.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

/// Less than this is corrections of the clock that nobody needs to hear of.
const TOLD_FROM: i64 = 1_000_000_000;

/// A clock that never goes back.
pub struct Steady<W> {
    wall: W,
    begun: (OffsetDateTime, Instant),
    /// How far the wall clock was ahead of the time that has passed since, at most, in nanoseconds.
    ahead: AtomicI64,
    told: AtomicBool,
}

impl<W: Fn() -> OffsetDateTime> Steady<W> {
    /// Over a wall clock.
    pub fn new(wall: W) -> Self {
        Self {
            begun: (wall(), Instant::now()),
            wall,
            ahead: AtomicI64::new(0),
            told: AtomicBool::new(false),
        }
    }

    /// What time it is.
    pub fn now(&self) -> OffsetDateTime {
        self.at((self.wall)(), self.begun.1.elapsed())
    }

    /// What time it is when the wall clock says this, so long after the beginning.
    fn at(&self, wall: OffsetDateTime, passed: Duration) -> OffsetDateTime {
        let expected = self
            .begun
            .0
            .saturating_add(time::Duration::try_from(passed).unwrap_or(time::Duration::MAX));
        let ahead = i64::try_from((wall - expected).whole_nanoseconds()).unwrap_or(i64::MAX);
        let most = self.ahead.load(Ordering::Relaxed);
        if ahead > most {
            // Hardly ever: it is written to only where the wall clock ran faster than before.
            let most = self.ahead.fetch_max(ahead, Ordering::Relaxed).max(ahead);
            return expected.saturating_add(time::Duration::nanoseconds(most));
        }
        let is_behind = most.saturating_sub(ahead) >= TOLD_FROM;
        if is_behind && !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the clock was set back: until it has caught up, what ends by itself goes by the time before"
            );
        }
        expected.saturating_add(time::Duration::nanoseconds(most))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn time_goes_on_where_the_clock_is_set_back_and_follows_where_it_is_set_forward() {
        let start = datetime!(2026-11-24 12:00 UTC);
        let clock = Steady::new(move || start);
        let day = time::Duration::days(1);
        for (passed, wall, expected) in [
            (
                1,
                start + time::Duration::seconds(1),
                datetime!(2026-11-24 12:00:01 UTC),
            ),
            // A day back: it goes on.
            (2, start - day, datetime!(2026-11-24 12:00:02 UTC)),
            (
                60,
                start - day + time::Duration::seconds(58),
                datetime!(2026-11-24 12:01 UTC),
            ),
            // Right again.
            (
                61,
                start + time::Duration::seconds(61),
                datetime!(2026-11-24 12:01:01 UTC),
            ),
            // A day forward, and back to what is right: nothing ends later than it should.
            (62, start + day, datetime!(2026-11-25 12:00 UTC)),
            (
                63,
                start + time::Duration::seconds(63),
                datetime!(2026-11-25 12:00:01 UTC),
            ),
            (3600, OffsetDateTime::UNIX_EPOCH, datetime!(2026-11-25 12:58:58 UTC)),
        ] {
            assert_eq!(clock.at(wall, Duration::from_secs(passed)), expected, "{wall}");
        }
    }
}
