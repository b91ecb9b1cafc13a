//! One cell of the matrix against another: how it reads, and whether it shows more. "More" is said unless less, or
//! the same, is certain. Knows nothing of roles and rows.

use std::collections::BTreeSet;

use crate::policy::matrix::Cell;
use crate::policy::{Condition, DateGrain, Form, Mask};

/// The cell as the matrix writes it, with what a mask's parameters and a condition's records are: a change of
/// those is a change too.
pub(super) fn cell_text(cell: &Cell) -> String {
    match cell {
        Cell::Denied(_) => cell.text(),
        Cell::Column(column) => {
            let parameters = match &column.form {
                Form::Masked(mask) => mask_parameters(mask),
                Form::Raw | Form::Hidden | Form::Refuse => String::new(),
            };
            let records: BTreeSet<String> = column.conditions.iter().map(condition_text).collect();
            let mut text = format!("{}{parameters}", column.form.name());
            for record in records {
                text.push_str(", ");
                text.push_str(&record);
            }
            if column.predicates_refused {
                text.push_str(", no predicates");
            }
            text
        }
    }
}

pub(super) fn condition_text(condition: &Condition) -> String {
    let kind = if condition.opt_in { "opt_in" } else { "opt_out" };
    let purposes = condition.purposes.join(" or ");
    format!("{kind} of {} by {} ({purposes})", condition.root, condition.key)
}

fn mask_parameters(mask: &Mask) -> String {
    match mask {
        Mask::Null | Mask::Email | Mask::Pseudonym | Mask::Hash => String::new(),
        Mask::Constant(value) => format!(" {value:?}"),
        Mask::Partial { prefix, suffix, fill } => format!(" {prefix} {fill:?} {suffix}"),
        Mask::Generalize(grain) => format!(
            " {}",
            match grain {
                DateGrain::Month => "month",
                DateGrain::Quarter => "quarter",
                DateGrain::Year => "year",
                DateGrain::Decade => "decade",
            }
        ),
        Mask::Round(to) => format!(" {to}"),
        Mask::Fake(kind) => format!(" {kind}"),
        Mask::DateShift { days } => format!(" {days} days"),
        Mask::IpPrefix { v4, v6 } => format!(" {v4} {v6}"),
        Mask::Json(paths) => {
            let paths: Vec<String> = paths.iter().map(|path| path.0.join(".")).collect();
            format!(" {}", paths.join(", "))
        }
        Mask::Sql(sql) => format!(" {sql}"),
    }
}

/// Whether `is` may show what `was` does not.
pub(super) fn shows_more(was: &Cell, is: &Cell) -> bool {
    let Cell::Column(is) = is else {
        return false;
    };
    if is.form.shows_nothing() {
        return false;
    }
    let Cell::Column(was) = was else {
        return true;
    };
    let form = match (&was.form, &is.form) {
        (Form::Hidden | Form::Refuse, _) => true,
        (Form::Raw, _) => false,
        (Form::Masked(_), Form::Raw) => true,
        (Form::Masked(was), Form::Masked(is)) => !is_coarser(is, was),
        (Form::Masked(_), Form::Hidden | Form::Refuse) => false,
    };
    let freed = was
        .conditions
        .iter()
        .any(|condition| !is.conditions.contains(condition));
    form || freed || (was.predicates_refused && !is.predicates_refused)
}

impl Form {
    fn shows_nothing(&self) -> bool {
        matches!(self, Self::Hidden | Self::Refuse | Self::Masked(Mask::Null))
    }
}

/// Whether `mask` certainly tells no more than `than`. A constant, or a NULL, tells nothing.
fn is_coarser(mask: &Mask, than: &Mask) -> bool {
    match (mask, than) {
        (Mask::Null | Mask::Constant(_), _) => true,
        (Mask::Generalize(mask), Mask::Generalize(than)) => mask.months() >= than.months(),
        (
            Mask::Partial { prefix, suffix, .. },
            Mask::Partial {
                prefix: p, suffix: s, ..
            },
        ) => prefix <= p && suffix <= s,
        (Mask::IpPrefix { v4, v6 }, Mask::IpPrefix { v4: a, v6: b }) => v4 <= a && v6 <= b,
        (Mask::Json(paths), Mask::Json(than)) => paths.iter().all(|path| than.contains(path)),
        (mask, than) => mask == than,
    }
}

impl DateGrain {
    const fn months(self) -> u32 {
        match self {
            Self::Month => 1,
            Self::Quarter => 3,
            Self::Year => 12,
            Self::Decade => 120,
        }
    }
}
