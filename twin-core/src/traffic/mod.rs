//! Traffic models of the what-if: how a changed city would flow. Pure functions of a network, a
//! plan and a start; what must not live here: sensors, snapshots, wire types, files, clocks.
//!
//! [`ltm`] answers "what happens in the next two hours".

pub mod ltm;
