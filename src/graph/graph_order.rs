//! Where the outcomes of a graph stand in the input.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::outcome::Outcome;

/// Where outcomes of a run stand in the input: those that are made for the rows of others stand where these were written,
/// in the order of the rows. Clones know the same.
#[derive(Clone, Debug, Default)]
pub struct GraphOrder(Rc<RefCell<HashMap<usize, Box<[u32]>>>>);

impl GraphOrder {
    /// The place of an outcome: sort by it.
    pub fn of(&self, outcome: &Outcome) -> Box<[u32]> {
        let own = self.0.borrow().get(&outcome.index).cloned();
        own.unwrap_or_else(|| Box::new([u32::try_from(outcome.index).unwrap_or(u32::MAX)]))
    }

    /// Notes where an outcome stands that is not in the input itself.
    pub(super) fn set(&self, index: usize, place: Box<[u32]>) {
        self.0.borrow_mut().insert(index, place);
    }
}
