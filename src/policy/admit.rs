//! Admission (policy.md section 7, question 1): may this role act for the declared purpose, now?

use time::{Date, OffsetDateTime, UtcOffset};

use crate::catalog::QualifiedName;

use super::{Assurance, Code, Place, Policy, Purpose, Recipient, RecipientKind, Role};

/// A refusal as the policy gives it, before it knows the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Its code.
    pub code: Code,
    /// What happened, lower case, without the code.
    pub message: String,
    /// Which column, purpose and rule.
    pub detail: Option<String>,
    /// What would be allowed; the policy's contact is added by whoever prints it.
    pub hint: Option<String>,
    /// The rule that decided, if one did.
    pub rule: Option<Place>,
}

/// What a request declared, all of it the client's words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declaration {
    /// `pgpurpose.purpose`, by whichever way had precedence; empty text counts as none.
    pub purpose: Option<String>,
    /// `pgpurpose.reason`
    pub reason: Option<String>,
    /// `pgpurpose.subject`
    pub subject: Option<String>,
    /// `pgpurpose.actor`
    pub actor: Option<String>,
}

/// Proof that a role may act for a purpose at the moment of asking. Made only by [`Policy::admit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission<'p> {
    purpose: &'p Purpose,
    role: &'p Role,
    recipient: Option<&'p Recipient>,
    recipient_assured: bool,
    subject_root: Option<&'p QualifiedName>,
}

/// What a decision depends on besides policy, role and purpose: part of a plan cache's key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct PlanVariant {
    /// The recipient has an unexpired assurance.
    pub recipient_assured: bool,
    /// The root of the subject named, under `scope: one_subject`.
    pub subject_root: Option<QualifiedName>,
}

impl<'p> Admission<'p> {
    /// The purpose.
    pub fn purpose(&self) -> &'p Purpose {
        self.purpose
    }
    /// The role.
    pub fn role(&self) -> &'p Role {
        self.role
    }
    /// The recipient; none is the controller itself.
    pub fn recipient(&self) -> Option<&'p Recipient> {
        self.recipient
    }
    /// The recipient had an unexpired assurance at the moment of asking.
    pub fn recipient_assured(&self) -> bool {
        self.recipient_assured
    }
    /// Under `scope: one_subject`, the root table of the subject named; none where the rules have
    /// no root, or the purpose no such scope.
    pub fn subject_root(&self) -> Option<&'p QualifiedName> {
        self.subject_root
    }
    /// What plans under this admission depend on, besides policy, role and purpose.
    pub fn plan_variant(&self) -> PlanVariant {
        PlanVariant {
            recipient_assured: self.recipient_assured,
            subject_root: self.subject_root.cloned(),
        }
    }
}

impl Policy {
    /// Tests whether `role` may act as declared at `now`.
    ///
    /// # Errors
    /// The first of: no purpose, unknown, prohibited, expired, not granted, reason missing,
    /// subject missing, recipient not assured.
    pub fn admit(&self, role: &str, declared: &Declaration, now: OffsetDateTime) -> Result<Admission<'_>, Denial> {
        let asking = Asking {
            policy: self,
            role,
            today: now.to_offset(UtcOffset::UTC).date(),
        };
        let purpose = asking.known(declared)?;
        asking.not_prohibited(purpose)?;
        asking.not_expired(purpose)?;
        let role = asking.granted(purpose)?;
        asking.with_reason(purpose, declared)?;
        let subject_root = asking.with_subject(purpose, declared)?;
        let (recipient, recipient_assured) = asking.assured(role)?;
        Ok(Admission {
            purpose,
            role,
            recipient,
            recipient_assured,
            subject_root,
        })
    }

    /// Reads `pgpurpose.subject`: a key, or `root:key` where the rules have several roots. The root
    /// is `None` where they have none.
    ///
    /// # Errors
    /// `subject_missing`, where the text is empty or names no root.
    pub fn read_subject<'d>(&self, text: &'d str) -> Result<(Option<&QualifiedName>, &'d str), Denial> {
        let roots: Vec<&QualifiedName> = self.roots().map(|(root, _)| root).collect();
        let (root, key) = match roots.as_slice() {
            [] => (None, text),
            [only] => (Some(*only), text),
            several => {
                let named = text.split_once(':').and_then(|(root, key)| {
                    let found = several.iter().find(|name| name.to_string() == root)?;
                    Some((*found, key))
                });
                let (root, key) = named.ok_or_else(|| {
                    let message = "pgpurpose.subject does not say whose key it is".to_owned();
                    let names: Vec<String> = several.iter().map(|root| format!("{root}:KEY")).collect();
                    denial(
                        Code::SubjectMissing,
                        message,
                        Some(format!("declare one of: {}", names.join(", "))),
                        None,
                    )
                })?;
                (Some(root), key)
            }
        };
        if key.is_empty() {
            let message = "no data subject is declared".to_owned();
            return Err(denial(
                Code::SubjectMissing,
                message,
                Some(SUBJECT_HINT.to_owned()),
                None,
            ));
        }
        Ok((root, key))
    }
}

const SUBJECT_HINT: &str =
    "set pgpurpose.subject to the key of the data subject, or tag the statement with subject='…'";

/// The steps of an admission, each of which may deny.
struct Asking<'p, 'r> {
    policy: &'p Policy,
    role: &'r str,
    today: Date,
}

impl<'p> Asking<'p, '_> {
    fn known(&self, declared: &Declaration) -> Result<&'p Purpose, Denial> {
        let declared = declared.purpose.as_deref().filter(|name| !name.is_empty());
        let default = || self.policy.roles.get(self.role)?.default_purpose.as_deref();
        let Some(name) = declared.or_else(default) else {
            let message = "no purpose is declared".to_owned();
            return Err(denial(
                Code::PurposeMissing,
                message,
                Some(self.usable_hint(None)),
                None,
            ));
        };
        self.policy.purposes.get(name).ok_or_else(|| {
            let message = format!("purpose {name:?} is not in the rules");
            denial(Code::PurposeUnknown, message, Some(self.usable_hint(Some(name))), None)
        })
    }

    fn not_prohibited(&self, purpose: &Purpose) -> Result<(), Denial> {
        if !purpose.prohibited {
            return Ok(());
        }
        let message = format!("purpose \"{}\" is prohibited", purpose.name);
        Err(denial(
            Code::PurposeProhibited,
            message,
            Some(self.usable_hint(None)),
            Some(&purpose.place),
        ))
    }

    fn not_expired(&self, purpose: &Purpose) -> Result<(), Denial> {
        match purpose.expires {
            Some(end) if purpose.is_expired(self.today) => {
                let message = format!("purpose \"{}\" expired on {end}", purpose.name);
                Err(denial(
                    Code::PurposeExpired,
                    message,
                    Some(self.usable_hint(None)),
                    Some(&purpose.place),
                ))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn granted(&self, purpose: &Purpose) -> Result<&'p Role, Denial> {
        let role = self.policy.roles.get(self.role);
        role.filter(|role| role.may_use(&purpose.name)).ok_or_else(|| {
            let message = format!("role \"{}\" may not act for purpose \"{}\"", self.role, purpose.name);
            let hint = Some(self.usable_hint(None));
            denial(Code::PurposeNotGranted, message, hint, role.map(|role| &role.place))
        })
    }

    fn with_reason(&self, purpose: &Purpose, declared: &Declaration) -> Result<(), Denial> {
        let given = declared
            .reason
            .as_deref()
            .is_some_and(|reason| !reason.trim().is_empty());
        if given || !purpose.reason_required {
            return Ok(());
        }
        let message = format!("purpose \"{}\" needs a reason", purpose.name);
        let hint = "set pgpurpose.reason to a ticket or case number, or tag the statement with reason='…'".to_owned();
        Err(denial(Code::ReasonMissing, message, Some(hint), Some(&purpose.place)))
    }

    fn with_subject(&self, purpose: &Purpose, declared: &Declaration) -> Result<Option<&'p QualifiedName>, Denial> {
        if !purpose.one_subject {
            return Ok(None);
        }
        match declared.subject.as_deref() {
            None | Some("") => {
                let message = format!("purpose \"{}\" needs a data subject", purpose.name);
                let hint = Some(SUBJECT_HINT.to_owned());
                Err(denial(Code::SubjectMissing, message, hint, Some(&purpose.place)))
            }
            Some(subject) => Ok(self.policy.read_subject(subject)?.0),
        }
    }

    fn assured(&self, role: &Role) -> Result<(Option<&'p Recipient>, bool), Denial> {
        let Some(name) = &role.recipient else {
            return Ok((None, false));
        };
        let Some(recipient) = self.policy.recipients.get(name) else {
            let message = format!("recipient {name:?} is not in the rules");
            return Err(denial(Code::RecipientNotAssured, message, None, Some(&role.place)));
        };
        let assured = recipient.assurances.iter().any(|assurance| assurance.holds(self.today));
        match recipient.kind {
            RecipientKind::Processor if !assured => {
                let message = format!("recipient \"{name}\" is a processor without an unexpired assurance");
                let hint = Some(format!("add an assurance that has not expired to recipients.{name}"));
                Err(denial(Code::RecipientNotAssured, message, hint, Some(&recipient.place)))
            }
            RecipientKind::Processor | RecipientKind::ThirdParty => Ok((Some(recipient), assured)),
        }
    }

    /// Which purposes the role may declare, the one that was meant first if it can be guessed.
    fn usable_hint(&self, meant: Option<&str>) -> String {
        let usable = self.policy.purposes_for_role_on(self.role, self.today);
        let names: Vec<&str> = usable.iter().map(|purpose| purpose.name.as_str()).collect();
        if names.is_empty() {
            return format!("role \"{}\" may use no purpose", self.role);
        }
        let list = format!("role \"{}\" may use: {}", self.role, names.join(", "));
        match meant.and_then(|meant| nearest(meant, names.iter().copied())) {
            Some(name) => format!("did you mean \"{name}\"? {list}"),
            None => list,
        }
    }
}

impl Assurance {
    /// Whether it holds on that day.
    pub fn holds(&self, today: Date) -> bool {
        self.expires.is_none_or(|end| today < end)
    }
}

/// The candidate that `name` was most likely meant to be, if one is near enough.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let close_enough = (name.chars().count() / 3).max(1);
    let distances = candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(name, candidate), candidate));
    let nearest = distances.filter(|(distance, _)| *distance <= close_enough);
    nearest
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn denial(code: Code, message: String, hint: Option<String>, rule: Option<&Place>) -> Denial {
    Denial {
        code,
        message,
        detail: rule.map(|place| format!("decided by {place}")),
        hint,
        rule: rule.cloned(),
    }
}
