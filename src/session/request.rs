//! What one statement declares, and whether it is admitted: asked of the policy at every execution.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::audit::{DeclaredVia, TraceParent, known_tag};
use crate::catalog::Catalog;
use crate::pipeline::{self, Facts, Outcome, Refusal, Standing};
use crate::policy::{Admission, Code, Declaration, Denial, Mode, PlanVariant, Policy};
use crate::sql::{Command, Tag};

use super::settings::{Followed, Settings, Source};

/// A declaration and the way in which its purpose came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// What was declared.
    pub declaration: Declaration,
    /// How the purpose was declared, if one was.
    pub via: Option<DeclaredVia>,
    /// The subject comes from a tag of the statement.
    pub tagged_subject: bool,
    /// The trace that the statement is a part of.
    pub trace: Option<TraceParent>,
    /// What else its tags say, for the audit.
    pub tags: Vec<(&'static str, String)>,
}

impl Declared {
    /// From a statement's tags, and where they are silent from the settings in force.
    pub fn new(settings: &Settings, tags: &[&Tag]) -> Self {
        let tag = |key: &str| tags.iter().find(|t| t.key == key).map(|t| t.value.clone());
        let said = |text: String| Some(text).filter(|t| !t.is_empty());
        let choose = |key: &str, setting| match tag(key) {
            Some(text) => said(text),
            None => said(settings.get(setting).as_text().to_owned()),
        };
        let purpose = choose("purpose", Followed::Purpose);
        let via = purpose.as_ref().map(|_| match tag("purpose") {
            Some(_) => DeclaredVia::Comment,
            None => match settings.get(Followed::Purpose).source {
                Source::Local => DeclaredVia::SetLocal,
                Source::Session => DeclaredVia::Set,
                Source::Startup => DeclaredVia::Startup,
                Source::RoleDefault => DeclaredVia::RoleDefault,
            },
        });
        let subject = choose("subject", Followed::Subject);
        Self {
            tagged_subject: subject.is_some() && tag("subject").is_some(),
            declaration: Declaration {
                purpose,
                reason: choose("reason", Followed::Reason),
                subject,
                actor: choose("actor", Followed::Actor),
            },
            via,
            trace: tag("traceparent").as_deref().and_then(TraceParent::read),
            tags: tags
                .iter()
                .filter_map(|t| Some((known_tag(&t.key)?, t.value.clone())))
                .collect(),
        }
    }

    /// What a cursor must be read under as it was opened.
    pub fn ground(&self) -> Ground {
        Ground {
            purpose: self.declaration.purpose.clone(),
            subject: self.declaration.subject.clone(),
        }
    }
}

/// The part of a declaration on which the rows of an open cursor depend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    purpose: Option<String>,
    subject: Option<String>,
}

impl Ground {
    /// Whether both name the same data subject, or none.
    pub fn is_of_subject_of(&self, other: &Self) -> bool {
        self.subject == other.subject
    }
}

/// The part of a plan's key that tells how a statement stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StandingKey {
    /// Admitted for this purpose.
    Admitted(String, PlanVariant),
    /// No purpose.
    Undeclared,
    /// This purpose, refused for this reason, in these words.
    Inadmissible(String, Code, String),
}

/// A declaration with the policy's answer.
#[derive(Debug)]
pub struct Request<'p> {
    /// What was declared.
    pub declared: Arc<Declared>,
    answer: Result<Admission<'p>, Denial>,
    /// `mode: observe`
    observed: bool,
}

impl<'p> Request<'p> {
    /// Asks the policy.
    pub fn new(
        policy: &'p Policy,
        catalog: &Catalog,
        role: &str,
        declared: Arc<Declared>,
        now: OffsetDateTime,
    ) -> Self {
        let answer = pipeline::admit(policy, catalog, role, &declared.declaration, now);
        Self {
            declared,
            answer,
            observed: policy.mode == Mode::Observe,
        }
    }

    /// The same, denied all the same.
    #[must_use]
    pub fn denied(self, denial: Denial) -> Self {
        Self {
            answer: Err(denial),
            ..self
        }
    }

    /// For the core.
    pub fn standing(&self) -> Standing<'_> {
        match &self.answer {
            Ok(admission) => Standing::Admitted(*admission),
            Err(denial) if self.declared.declaration.purpose.is_none() => Standing::Undeclared(denial),
            Err(denial) => Standing::Inadmissible(denial),
        }
    }

    /// For the plan cache.
    pub fn key(&self) -> StandingKey {
        match (&self.answer, &self.declared.declaration.purpose) {
            (Ok(admission), _) => StandingKey::Admitted(admission.purpose().name.clone(), admission.plan_variant()),
            (Err(_), None) => StandingKey::Undeclared,
            (Err(denial), Some(purpose)) => {
                StandingKey::Inadmissible(purpose.clone(), denial.code, denial.message.clone())
            }
        }
    }

    /// Whether that is its key.
    pub fn stands_as(&self, key: &StandingKey) -> bool {
        match (&self.answer, key) {
            (Ok(admission), StandingKey::Admitted(purpose, variant)) => {
                admission.purpose().name == *purpose && admission.plan_variant() == *variant
            }
            (Ok(_), StandingKey::Undeclared | StandingKey::Inadmissible(..)) => false,
            (Err(_), key) => self.key() == *key,
        }
    }

    /// What the server must have as the statement's own subject when it runs: empty where the session's is
    /// meant; none where no subject counts.
    pub fn statement_subject(&self) -> Option<&str> {
        let scoped = self
            .admission()
            .is_some_and(|admission| admission.purpose().one_subject);
        let tagged = self
            .declared
            .declaration
            .subject
            .as_deref()
            .filter(|_| self.declared.tagged_subject);
        (scoped && !self.observed).then(|| tagged.unwrap_or_default())
    }

    /// The admission, for the audit.
    pub fn admission(&self) -> Option<&Admission<'p>> {
        self.answer.as_ref().ok()
    }

    /// Asks again before an execution: what was planned under a purpose that has since expired, or
    /// lost its reason, does not run.
    ///
    /// # Errors
    /// The denial, as a refusal of a statement with these facts.
    pub fn may_run(&self, command: &Command, planned: &Facts) -> Result<(), Arc<Refusal>> {
        match &self.answer {
            Ok(_) => Ok(()),
            Err(_) if self.observed => Ok(()),
            Err(_) if self.declared.declaration.purpose.is_none() || !command.needs_admission() => Ok(()),
            Err(denial) => Err(Arc::new(Refusal {
                code: denial.code,
                sqlstate: "42501",
                message: denial.message.clone(),
                detail: denial.detail.clone(),
                hint: denial.hint.clone(),
                position: None,
                facts: Box::new(Facts {
                    rule: denial.rule.clone(),
                    ..refused_facts(planned, denial.code)
                }),
                stale_catalog: false,
            })),
        }
    }
}

/// The facts of a planned statement that is refused all the same.
pub fn refused_facts(planned: &Facts, code: Code) -> Facts {
    Facts {
        outcome: Outcome::Refuse,
        code: Some(code),
        ..planned.clone()
    }
}
