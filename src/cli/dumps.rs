//! The proxy keeps its memory to itself: rows, passwords and keys are in it. No core dump is written, and no debugger of the
//! same user may attach; a limit alone does not hold where dumps are piped to a program.

use rustix::process::{Resource, Rlimit, setrlimit};

/// From now on.
///
/// # Errors
/// The system does not let it.
pub(super) fn forbid() -> Result<(), String> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let mut done = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        done = done.and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    }
    done.map_err(|error| format!("core dumps cannot be switched off: {error} (--allow-core-dumps goes on without)"))
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn nothing_may_be_dumped_from_then_on() {
        use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};
        super::forbid().unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
    }
}
