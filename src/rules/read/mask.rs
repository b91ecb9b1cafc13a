//! Masks, and the forms of `as:`.

use crate::policy::{FAKE_KINDS, JsonPath, Mask, ReleaseForm};

use super::super::diagnostic::Diagnostics;
use super::super::document::GRAINS;
use super::super::fields::{Fields, choice, dotted, entries, invalid, list, scalar, small, text, wrong_type};
use super::super::node::{Node, Scalar, ScalarKind, Value};
use super::super::shape::{self, MASKS};

fn names() -> impl Iterator<Item = &'static str> {
    MASKS.iter().map(|(name, _, _)| *name)
}

/// `raw | hidden | refuse | {mask: …} | {generalize: …}` and so on.
pub(super) fn form(node: &Node, findings: &mut Diagnostics) -> Option<ReleaseForm> {
    let word = match &node.value {
        Value::Scalar(word) => word.text.as_str(),
        Value::Map(fields) => {
            return match fields.as_slice() {
                [(key, inner)] if key.value == "mask" => match &inner.value {
                    Value::Map(fields) if fields.is_empty() => Some(ReleaseForm::OwnMask),
                    Value::Map(_) | Value::Null | Value::Scalar(_) | Value::Seq(_) => {
                        mask(inner, findings).map(ReleaseForm::Mask)
                    }
                },
                _ => mask(node, findings).map(ReleaseForm::Mask),
            };
        }
        Value::Null | Value::Seq(_) => return mask(node, findings).map(ReleaseForm::Mask),
    };
    match word {
        "raw" => Some(ReleaseForm::Raw),
        "hidden" => Some(ReleaseForm::Hidden),
        "refuse" => Some(ReleaseForm::Refuse),
        "mask" => Some(ReleaseForm::OwnMask),
        _ => match bare_mask(word) {
            Some(mask) => Some(ReleaseForm::Mask(mask)),
            None => {
                let known = ["raw", "hidden", "refuse", "mask"].into_iter().chain(names());
                findings.push(invalid(&node.span, format!("`{word}` is not a form of release")).suggest(word, known));
                None
            }
        },
    }
}

/// Masks without anything to say may stand as a bare word.
fn bare_mask(word: &str) -> Option<Mask> {
    match word {
        "null" => Some(Mask::Null),
        "email" => Some(Mask::Email),
        "pseudonym" => Some(Mask::Pseudonym),
        "hash" => Some(Mask::Hash),
        _ => None,
    }
}

/// `null`, or a mapping with the mask's name as its only key.
pub(super) fn mask(node: &Node, findings: &mut Diagnostics) -> Option<Mask> {
    match &node.value {
        // A key with nothing behind it is a slip; `null` and `~` are the mask.
        Value::Null if !node.span.text().is_empty() => return Some(Mask::Null),
        Value::Scalar(word) => {
            let known = bare_mask(&word.text);
            if known.is_none() {
                let message = format!("`{}` is not a mask that stands alone", word.text);
                let finding = invalid(&node.span, message);
                findings.push(if names().any(|name| name == word.text) {
                    finding.help(format!("write it with its value: {{{}: …}}", word.text))
                } else {
                    finding.suggest(&word.text, names())
                });
            }
            return known;
        }
        Value::Null | Value::Seq(_) | Value::Map(_) => {}
    }
    let fields = entries(node, "a mask", findings)?;
    let [(name, inner)] = fields else {
        let message = if fields.is_empty() {
            "a mask has one key, its name"
        } else {
            "a mask has only one key, its name"
        };
        findings.push(
            invalid(&node.span, message).help(format!("masks are: {}", names().collect::<Vec<&str>>().join(", "))),
        );
        return None;
    };
    match name.value.as_str() {
        "null" => nothing(inner, findings).map(|()| Mask::Null),
        "constant" => scalar(inner, "constant", findings).map(|value| Mask::Constant(value.value)),
        "partial" => partial(inner, findings),
        "email" => nothing(inner, findings).map(|()| Mask::Email),
        "generalize" => choice(inner, "generalize", &GRAINS, findings).map(Mask::Generalize),
        "round" => round(inner, findings),
        "pseudonym" => nothing(inner, findings).map(|()| Mask::Pseudonym),
        "hash" => nothing(inner, findings).map(|()| Mask::Hash),
        "fake" => {
            let kinds: Vec<(&str, &str)> = FAKE_KINDS.iter().map(|kind| (*kind, *kind)).collect();
            choice(inner, "fake", &kinds, findings).map(|kind| Mask::Fake(kind.to_owned()))
        }
        "date_shift" => {
            let fields = Fields::read(inner, &shape::DATE_SHIFT, findings)?.at(&name.span);
            let days = small(fields.require("days", findings)?, "days", 1, 36_500, findings)?;
            Some(Mask::DateShift { days })
        }
        "ip_prefix" => ip_prefix(inner, findings),
        "json" => json(inner, findings),
        "sql" => sql(inner, findings),
        _ => {
            let finding = super::Diagnostic::new(
                super::DiagnosticCode::UnknownKey,
                &name.span,
                format!("unknown mask `{}`", name.value),
            );
            findings.push(finding.suggest(&name.value, names()));
            None
        }
    }
}

/// `{}`: the mask has nothing to say.
fn nothing(node: &Node, findings: &mut Diagnostics) -> Option<()> {
    Fields::read(node, &shape::NOTHING, findings).map(|_| ())
}

fn partial(node: &Node, findings: &mut Diagnostics) -> Option<Mask> {
    let fields = Fields::read(node, &shape::PARTIAL, findings)?;
    let mut count = |key| match fields.get(key) {
        Some(node) => small(node, key, 0, 10_000, findings),
        None => Some(0),
    };
    let (prefix, suffix) = (count("prefix"), count("suffix"));
    let fill = match fields.get("fill") {
        Some(node) => scalar(node, "fill", findings).and_then(|fill| {
            let one = fill.value.chars().count() == 1;
            if !one {
                findings.push(invalid(&node.span, "fill must be one character"));
            }
            one.then_some(fill.value)
        }),
        None => Some("*".to_owned()),
    };
    Some(Mask::Partial {
        prefix: prefix?,
        suffix: suffix?,
        fill: fill?,
    })
}

fn round(node: &Node, findings: &mut Diagnostics) -> Option<Mask> {
    let Value::Scalar(Scalar {
        text,
        kind: ScalarKind::Integer | ScalarKind::Float,
    }) = &node.value
    else {
        findings.push(wrong_type(node, "round", "a number"));
        return None;
    };
    let decimal = text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && text.bytes().filter(|b| *b == b'.').count() <= 1
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_digit());
    let positive = text.bytes().any(|b| (b'1'..=b'9').contains(&b));
    if decimal && positive {
        return Some(Mask::Round(text.clone()));
    }
    findings.push(invalid(
        &node.span,
        "round must be a positive decimal number, such as 1000 or 0.5",
    ));
    None
}

fn ip_prefix(node: &Node, findings: &mut Diagnostics) -> Option<Mask> {
    let fields = Fields::read(node, &shape::IP_PREFIX, findings)?;
    let mut bits = |key, most: u8, default: u8| match fields.get(key) {
        Some(node) => {
            let bits = small(node, key, 0, u32::from(most), findings)?;
            u8::try_from(bits).ok()
        }
        None => Some(default),
    };
    let (v4, v6) = (bits("v4", 32, 24), bits("v6", 128, 48));
    Some(Mask::IpPrefix { v4: v4?, v6: v6? })
}

fn json(node: &Node, findings: &mut Diagnostics) -> Option<Mask> {
    let fields = Fields::read(node, &shape::JSON, findings)?;
    let paths = list(fields.require("keep", findings)?, "keep", findings)?;
    let mut keep = Vec::new();
    for item in paths {
        let path = scalar(item, "a path", findings)?;
        let Some(words) = dotted(&path.value) else {
            findings.push(invalid(
                &item.span,
                format!("`{}` is not a path of keys, such as address.city", path.value),
            ));
            return None;
        };
        keep.push(JsonPath(words));
    }
    Some(Mask::Json(keep))
}

fn sql(node: &Node, findings: &mut Diagnostics) -> Option<Mask> {
    let expression = text(node, "sql", findings)?;
    if expression.value.contains("{}") {
        return Some(Mask::Sql(expression.value));
    }
    findings.push(invalid(
        &node.span,
        "the expression has no {}, which stands for the column",
    ));
    None
}
