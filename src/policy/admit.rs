//! Admission (policy.md section 7, question 1): may this role act for the declared purpose, now?

use time::OffsetDateTime;

use super::{Code, Place, Policy, Purpose};

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
    role: &'p super::Role,
    recipient: Option<&'p super::Recipient>,
}

impl<'p> Admission<'p> {
    /// The purpose.
    pub fn purpose(&self) -> &'p Purpose {
        self.purpose
    }
    /// The role.
    pub fn role(&self) -> &'p super::Role {
        self.role
    }
    /// The recipient; none is the controller itself.
    pub fn recipient(&self) -> Option<&'p super::Recipient> {
        self.recipient
    }
}

impl Policy {
    /// Tests whether `role` may act as declared at `now`.
    ///
    /// # Errors
    /// The first of: no purpose, unknown, prohibited, expired, not granted, reason missing,
    /// subject missing, recipient not assured.
    pub fn admit(&self, role: &str, declared: &Declaration, now: OffsetDateTime) -> Result<Admission<'_>, Denial> {
        let _ = (role, declared, now);
        todo!("policy helper")
    }
}
