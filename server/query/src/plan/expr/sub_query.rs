//! Sub-queries in expressions: their outer tuple is computed here, the rest is asked of the scope.

use super::{Input, Slot};
use crate::plan::SubQuery;
use crate::scalar::Scalar;

impl SubQuery {
    /// Appends the packed outer tuple.
    pub(crate) fn write_outer(&self, input: &Input<'_>, out: &mut Vec<u8>) {
        for (expr, ty) in &self.outer {
            expr.eval(input).write(ty, out);
        }
    }

    fn outer_tuple(&self, input: &Input<'_>) -> Vec<u8> {
        let mut outer = Vec::new();
        self.write_outer(input, &mut outer);
        outer
    }

    pub(super) fn exists(&self, input: &Input<'_>) -> Option<bool> {
        let scope = input.scope?;
        let outer = self.outer_tuple(input);
        Some(scope.sub_queries.exists(self, &outer))
    }

    pub(super) fn contains(&self, value: &Scalar<'_>, input: &Input<'_>) -> Option<bool> {
        let scope = input.scope?;
        let outer = self.outer_tuple(input);
        scope.sub_queries.contains(self, &outer, value)
    }

    pub(super) fn scalar(&self, input: &Input<'_>) -> Scalar<'static> {
        let (Some(scope), Some(column)) = (input.scope, self.query.outputs.first()) else {
            return Scalar::Null;
        };
        let outer = self.outer_tuple(input);
        let mut packed = Vec::new();
        scope.sub_queries.scalar(self, &outer, &mut packed);
        let slot = Slot::new(0, &column.ty);
        if packed.is_empty() {
            return Scalar::Null;
        }
        Scalar::read(slot.kind, slot.nullable, &packed).into_owned()
    }
}
