//! A plan for all texts of one shape: made once, filled with each text's constants.
//!
//! That a plan does not depend on the constants is not believed but tried: a text of the same shape with
//! other constants is examined too, and everything that was decided must be the same.

use std::sync::Arc;

use crate::pipeline::{Plan, PlannedStatement};
use crate::sql::PositionMap;
use crate::sql::shape::Shape;
use crate::verify;

/// A plan with places for constants.
#[derive(Debug)]
pub struct Template {
    text: verify::Template,
    positions: PositionMap,
    statements: Arc<[PlannedStatement]>,
    /// The ends of the constants in the text that it was learnt from, and in what went out for that.
    ends: Vec<usize>,
    outgoing_ends: Vec<usize>,
}

impl Template {
    /// From the plans of a text and of its probe. `None` where they differ in more than the constants.
    pub fn learn(shape: &Shape<'_>, plan: &Plan, probe: &Shape<'_>, probed: &Plan) -> Option<Self> {
        // A PREPARE keeps the place of what it carries.
        if plan.statements != probed.statements || plan.statements.iter().any(|s| s.prepares.is_some()) {
            return None;
        }
        let text = verify::Template::learn(shape, &plan.verified, probe, &probed.verified)?;
        let (again, filled) = text.fill(shape)?;
        if again.text() != plan.verified.text() {
            return None;
        }
        Some(Self {
            text,
            positions: plan.positions.clone(),
            statements: Arc::clone(&plan.statements),
            ends: shape.spans().map(|(_, end)| end).collect(),
            outgoing_ends: filled.iter().map(|f| f.end).collect(),
        })
    }

    /// The plan of another text of the shape.
    pub fn plan(&self, shape: &Shape<'_>) -> Option<Plan> {
        let (verified, filled) = self.text.fill(shape)?;
        let source = Shifts::new(self.ends.iter().copied().zip(shape.spans().map(|(_, end)| end)));
        let outgoing = Shifts::new(self.outgoing_ends.iter().copied().zip(filled.iter().map(|f| f.end)));
        Some(Plan {
            verified: Arc::new(verified),
            positions: self.positions.shifted(|at| outgoing.of(at), |at| source.of(at)),
            statements: Arc::clone(&self.statements),
        })
    }
}

/// Where positions of one text are in another that differs in the length of its constants.
struct Shifts(Vec<(usize, usize)>);

impl Shifts {
    /// From the ends of the constants, then and now.
    fn new(ends: impl Iterator<Item = (usize, usize)>) -> Self {
        Self(ends.collect())
    }

    fn of(&self, at: usize) -> usize {
        let passed = self.0.partition_point(|(then, _)| *then <= at);
        match passed.checked_sub(1).and_then(|last| self.0.get(last)) {
            Some((then, now)) => now + (at - then),
            None => at,
        }
    }
}
