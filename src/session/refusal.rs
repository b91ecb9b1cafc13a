//! Refusals, and the errors that the session gives by itself, as the client sees them.

use crate::pipeline::{Facts, Outcome, Refusal};
use crate::policy::Code;
use crate::wire::{ErrorFields, Malformed};

use super::text::Text;

/// The fields of a refusal: message with its code, detail, hint with whom to ask, position.
pub fn fields(refusal: &Refusal, text: Option<&Text>, contact: Option<&str>) -> ErrorFields {
    let of_rules = refusal.sqlstate == "42501";
    let message = match of_rules {
        true => format!("{} ({})", refusal.message, refusal.code),
        false => refusal.message.clone(),
    };
    let hint = match (&refusal.hint, contact.filter(|_| of_rules)) {
        (Some(hint), Some(contact)) => Some(format!("{hint}; questions: {contact}")),
        (None, Some(contact)) => Some(format!("questions: {contact}")),
        (hint, None) => hint.clone(),
    };
    let position = match (refusal.position, text) {
        (Some(offset), Some(text)) => Some(text.position(offset).to_string()),
        _ => None,
    };
    ErrorFields::new("ERROR", refusal.sqlstate, message)
        .with_some(b'D', refusal.detail.clone())
        .with_some(b'H', hint)
        .with_some(b'P', position)
        .with_some(b'n', of_rules.then(|| refusal.code.as_str()))
}

/// A refusal that the session gives itself.
pub fn own(code: Code, message: impl Into<String>, hint: Option<&str>, facts: Facts) -> Box<Refusal> {
    Box::new(Refusal {
        code,
        sqlstate: "42501",
        message: message.into(),
        detail: None,
        hint: hint.map(str::to_owned),
        position: None,
        facts: Box::new(facts),
        stale_catalog: false,
    })
}

/// An error that PostgreSQL itself would give here.
pub fn postgresql(sqlstate: &'static str, message: impl Into<String>) -> Box<Refusal> {
    Box::new(Refusal {
        code: Code::NotUnderstood,
        sqlstate,
        message: message.into(),
        detail: None,
        hint: None,
        position: None,
        facts: Box::new(unread(Outcome::Error, None)),
        stale_catalog: false,
    })
}

/// The facts of a statement of which nothing could be read.
pub fn unread(outcome: Outcome, code: Option<Code>) -> Facts {
    Facts {
        outcome,
        code,
        statement: None,
        fingerprint: None,
        fields: Vec::new(),
        row_filters: Vec::new(),
        observed: false,
    }
}

/// A message whose body is not of its form.
pub fn malformed(error: &Malformed) -> Box<Refusal> {
    postgresql(error.sqlstate(), error.to_string())
}

/// An error that ends the connection.
pub fn fatal(sqlstate: &str, message: impl Into<String>) -> ErrorFields {
    ErrorFields::new("FATAL", sqlstate, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_carries_its_code_for_people_and_for_programs() {
        let refusal = Refusal {
            position: Some(7),
            detail: Some("which".into()),
            ..*own(
                Code::ColumnRefused,
                "column refused",
                Some("ask for less"),
                unread(Outcome::Refuse, None),
            )
        };
        let text = Text::new("SELECT x").unwrap();
        let fields = fields(&refusal, Some(&text), Some("privacy@example.com"));
        let shown: Vec<(u8, &str)> = fields.iter().skip(2).collect();
        assert_eq!(
            shown,
            [
                (b'C', "42501"),
                (b'M', "column refused (column_refused)"),
                (b'D', "which"),
                (b'H', "ask for less; questions: privacy@example.com"),
                (b'P', "8"),
                (b'n', "column_refused"),
            ]
        );
    }
}
