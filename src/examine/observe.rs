//! `mode: observe` (policy.md section 2): what the rules say of a statement is worked out and recorded, and
//! the statement runs as it came.
//!
//! What is not understood, and what is refused however the rules read, is refused here too.

use crate::catalog::Function;
use crate::pipeline::{Facts, PlannedStatement, Refusal};
use crate::policy::Code;
use crate::rewrite::edit::Edits;
use crate::sql::Command;
use crate::sql::resolve::Use;

use super::Examination;

impl Examination<'_> {
    /// The statement as it came, with what would have become of it.
    pub(super) fn observe(&self) -> Result<(PlannedStatement, Edits), Refusal> {
        match self.run() {
            Ok((planned, _)) if self.is_ruled() => Ok((self.as_it_came(planned), Edits::none())),
            // SHOW of our settings, EXECUTE under a name of ours: the rules have no part in these.
            Ok((planned, edits)) => Ok((self.as_it_came(planned), edits)),
            Err(refusal) if self.is_by_rule(&refusal) => {
                let planned = PlannedStatement {
                    facts: (*refusal.facts).into(),
                    ..self.understood()?
                };
                Ok((self.as_it_came(planned), Edits::none()))
            }
            Err(refusal) => Err(refusal),
        }
    }

    fn as_it_came(&self, planned: PlannedStatement) -> PlannedStatement {
        let facts = Facts {
            observed: true,
            ..(*planned.facts).clone()
        };
        PlannedStatement {
            facts: facts.into(),
            protected: false,
            hidden_origins: Vec::new(),
            max_rows: None,
            groups: None,
            ..planned
        }
    }

    /// Whether the rules change what such a statement reads or writes.
    fn is_ruled(&self) -> bool {
        match &self.statement.command {
            Command::Select
            | Command::Write
            | Command::SetConfig(_)
            | Command::Prepare { .. }
            | Command::Declare { .. }
            | Command::Explain
            | Command::CopyOut
            | Command::CopyIn
            | Command::CreateAs
            | Command::Ddl => true,
            Command::Set(_)
            | Command::SetCharacteristics
            | Command::Reset(_)
            | Command::ResetAll
            | Command::Show(_)
            | Command::Transaction(_)
            | Command::Discard(_)
            | Command::Execute { .. }
            | Command::Deallocate(_)
            | Command::Fetch { .. }
            | Command::Close(_)
            | Command::Coordinate
            | Command::Explanation
            | Command::Refused => false,
        }
    }

    /// A rule refuses it: it would be served under other rules.
    fn is_by_rule(&self, refusal: &Refusal) -> bool {
        match refusal.code {
            Code::PurposeMissing
            | Code::PurposeUnknown
            | Code::PurposeProhibited
            | Code::PurposeExpired
            | Code::PurposeNotGranted
            | Code::PurposeConflict
            | Code::ReasonMissing
            | Code::SubjectMissing
            | Code::RecipientNotAssured
            | Code::TransferNotAllowed
            | Code::ColumnRefused
            | Code::PredicateRefused
            | Code::TableUnclassified
            | Code::ColumnUnclassified
            | Code::WriteNotAllowed
            | Code::ClassificationDowngrade
            | Code::ChildData
            | Code::AggregateRequired
            | Code::TooManyRows
            | Code::TooManyQueries => true,
            // `ddl: true` and `explain: true` are rules of a purpose.
            Code::StatementNotAllowed => {
                self.statement.refused.is_none() && matches!(self.statement.command, Command::Ddl | Command::Explain)
            }
            Code::FunctionNotAllowed | Code::NotUnderstood | Code::NotVerified | Code::AuditUnavailable => false,
        }
    }

    /// A statement that a rule refuses, once it is sure that nothing else refuses it.
    fn understood(&self) -> Result<PlannedStatement, Refusal> {
        let with = |writes| PlannedStatement {
            writes,
            ..self.unchanged()
        };
        if let Some(why) = &self.statement.refused {
            return Err(self.refuse(Code::StatementNotAllowed, why.clone()));
        }
        match &self.statement.command {
            Command::Select
            | Command::Write
            | Command::SetConfig(_)
            | Command::Prepare { .. }
            | Command::Declare { .. }
            | Command::Explain
            | Command::CopyOut
            | Command::CopyIn
            | Command::Coordinate
            | Command::Execute { .. } => {
                let allowed = |f: &Function| self.is_allowed(f);
                let resolved = self.resolved(self.env(&allowed))?;
                Ok(PlannedStatement {
                    setting_names: resolved.setting_names.iter().copied().collect(),
                    ..with(resolved.relations.iter().any(|r| matches!(r.usage, Use::Target(_))))
                })
            }
            Command::CreateAs => {
                let allowed = |f: &Function| self.is_allowed(f);
                self.resolved(self.env(&allowed)).map(|_| with(true))
            }
            Command::Ddl => Ok(with(true)),
            Command::Set(_)
            | Command::SetCharacteristics
            | Command::Reset(_)
            | Command::ResetAll
            | Command::Show(_) => self.setting().map(|_| with(false)),
            Command::Transaction(_)
            | Command::Discard(_)
            | Command::Explanation
            | Command::Deallocate(_)
            | Command::Fetch { .. }
            | Command::Close(_) => Ok(with(false)),
            Command::Refused => Err(self.refuse(Code::StatementNotAllowed, "this statement is not served")),
        }
    }
}
