//! Tests of the whole fold: against a plain model, with several workers, over restarts, and at
//! its edges.

mod edges;
mod folds;
mod model;
mod promises;
mod script;
