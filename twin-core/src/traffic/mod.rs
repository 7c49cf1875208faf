//! Traffic models of the what-if: what traffic does when the city is changed. Pure functions of a
//! network, a plan and a start; what must not live here: files, wire types, clocks.
//!
//! [`assign`] answers "what is the new balance if this stays so", [`ltm`] "what happens in the next
//! two hours". [`roads`] makes both of the road network. [`start`] is where both begin: it alone
//! reads sensors and snapshots.

pub mod assign;
pub mod ltm;
pub mod roads;
pub mod start;
