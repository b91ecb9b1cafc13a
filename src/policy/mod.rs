//! The policy as data, and the decision: who may see what, for which purpose, in which form.
//!
//! Pure and total. Knows no SQL text beyond the opaque `where` of a row filter and the `sql:` mask,
//! no connection, no clock (the time is an argument). `rules` builds a [`Policy`]; `rewrite` turns
//! a [`TableDecision`] into SQL.

mod admit;
mod decide;
mod diff;
mod lookup;
mod matrix;
mod model;
mod population;
mod reason;
mod release;
mod writing;

pub(crate) use admit::nearest;
pub use admit::{Admission, Declaration, Denial, PlanVariant};
pub use decide::{ColumnDecision, Condition, Form, RowFilter, TableDecision};
pub use diff::{Change, Changed, diff};
pub use lookup::Subject;
pub use matrix::{Cell, Exposure, Matrix, MatrixRow, MatrixTable};
pub use model::{
    Assurance, AssuranceKind, BreakGlass, Category, ChildrenRule, ColumnRule, ConsentOnDenial, ConsentTable,
    DataSubject, DateGrain, Disclosure, FAKE_KINDS, JsonPath, LegalBasis, Mask, Mode, Place, Policy, Purpose,
    Recipient, RecipientKind, ReleaseEntry, ReleaseForm, ReleaseTarget, Retention, Role, RowFilterRule, Sensitivity,
    TableRule, Transfers, Unclassified, UnclassifiedForm, Verb, WriteEntry, within,
};
pub use reason::Code;
pub use release::ReleaseDepth;
