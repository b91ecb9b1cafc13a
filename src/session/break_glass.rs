//! A purpose with `break_glass` ends by itself: so many minutes after its first use, until it is
//! declared anew. Begin and end are events of their own.

use time::{Duration, OffsetDateTime};

use crate::audit::BreakGlassPhase;
use crate::policy::{Code, Denial, Purpose};
use crate::sql::{Command, DiscardTarget};

use super::Session;
use super::request::{Declared, Request};
use super::settings::Followed;

/// A declaration of a `break_glass` purpose that was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glass {
    /// The purpose.
    pub purpose: String,
    /// The reason given.
    pub reason: Option<String>,
    /// Who acts.
    pub actor: Option<String>,
    /// When it ends by itself.
    pub until: OffsetDateTime,
    /// Its end was told.
    pub told: bool,
}

impl Glass {
    /// The declaration is used for the first time; `None`: its purpose is an ordinary one.
    pub fn broken(declared: &Declared, purpose: &Purpose, now: impl FnOnce() -> OffsetDateTime) -> Option<Self> {
        let rule = purpose.break_glass?;
        Some(Self {
            purpose: purpose.name.clone(),
            reason: declared.declaration.reason.clone(),
            actor: declared.declaration.actor.clone(),
            until: now() + Duration::minutes(i64::from(rule.max_minutes)),
            told: false,
        })
    }

    /// It is this declaration that was used.
    pub fn is_of(&self, declared: &Declared) -> bool {
        declared.declaration.purpose.as_deref() == Some(&self.purpose) && declared.declaration.reason == self.reason
    }

    /// Its time is over.
    pub fn is_over(&self, now: OffsetDateTime) -> bool {
        now >= self.until
    }

    /// Why it can no longer be used.
    pub fn denial(&self) -> Denial {
        Denial {
            code: Code::PurposeExpired,
            message: format!("purpose \"{}\" has ended by itself", self.purpose),
            detail: None,
            hint: Some("declare it again, with the reason that holds now".into()),
            rule: None,
        }
    }
}

impl Session {
    /// What time it is.
    pub(super) fn now(&self) -> OffsetDateTime {
        (self.shared.options.clock)()
    }

    /// A statement is about to run under this request: where that breaks a glass, it is told of.
    pub(super) fn use_glass(&mut self, request: &Request<'_>) {
        let Some(admission) = request.admission() else { return };
        if self.glass.as_ref().is_some_and(|glass| glass.is_of(&request.declared)) {
            return;
        }
        if let Some(glass) = Glass::broken(&request.declared, admission.purpose(), || self.now()) {
            self.end_glass();
            let until = glass.until;
            self.trail
                .break_glass(&glass, BreakGlassPhase::Began { until }, &self.rules.stamp);
            self.glass = Some(glass);
        }
    }

    /// Tells once that the time of a declaration is over.
    pub(super) fn watch_glass(&mut self) {
        let now = self.shared.options.clock.as_ref();
        if let Some(glass) = self.glass.as_mut().filter(|g| !g.told && g.is_over(now())) {
            glass.told = true;
            self.trail.break_glass(glass, BreakGlassPhase::Ended, &self.rules.stamp);
        }
    }

    /// The declaration is over: another one takes its place, or the client leaves.
    pub(super) fn end_glass(&mut self) {
        if let Some(glass) = self.glass.take().filter(|glass| !glass.told) {
            self.trail
                .break_glass(&glass, BreakGlassPhase::Ended, &self.rules.stamp);
        }
    }

    /// A completed command that declares anew begins anew.
    pub(super) fn declared_anew(&mut self, command: &Command) {
        let declares = |name: &str| matches!(Followed::named(name), Some(Followed::Purpose | Followed::Reason));
        let anew = match command {
            Command::Set(call) => declares(&call.name),
            Command::SetConfig(calls) => calls.iter().any(|call| declares(&call.name)),
            Command::Reset(name) => declares(name),
            Command::ResetAll | Command::Discard(DiscardTarget::All) => true,
            Command::Discard(DiscardTarget::Plans | DiscardTarget::Sequences | DiscardTarget::Temp)
            | Command::Select
            | Command::Write
            | Command::SetCharacteristics
            | Command::Show(_)
            | Command::Transaction(_)
            | Command::Prepare { .. }
            | Command::Execute { .. }
            | Command::Deallocate(_)
            | Command::Declare { .. }
            | Command::Fetch { .. }
            | Command::Close(_)
            | Command::Explain
            | Command::Explanation
            | Command::CopyOut
            | Command::CopyIn
            | Command::Coordinate
            | Command::CreateAs
            | Command::Ddl
            | Command::Refused => false,
        };
        if anew {
            self.end_glass();
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::policy::Declaration;

    #[test]
    fn it_ends_by_itself_and_is_of_one_purpose_and_reason() {
        let declared = |purpose: &str, reason: &str| Declared {
            declaration: Declaration {
                purpose: Some(purpose.into()),
                reason: Some(reason.into()),
                ..Declaration::default()
            },
            ..Declared::default()
        };
        let rules =
            "version: 1\npurposes:\n  care: {}\n  emergency: {reason: required, break_glass: {max_minutes: 30}}\n";
        let set = crate::rules::load(&[("a.yaml".into(), rules.into())]).unwrap();
        let policy = set.for_database("any").unwrap();
        let now = datetime!(2026-01-01 12:00 UTC);
        let used = declared("emergency", "T-1");
        assert_eq!(Glass::broken(&used, &policy.purposes["care"], || now), None);
        let glass = Glass::broken(&used, &policy.purposes["emergency"], || now).unwrap();
        assert!(glass.is_of(&used));
        assert!(!glass.is_of(&declared("emergency", "T-2")) && !glass.is_of(&declared("care", "T-1")));
        assert!(!glass.is_over(datetime!(2026-01-01 12:29 UTC)));
        assert!(glass.is_over(datetime!(2026-01-01 12:30 UTC)));
    }
}
