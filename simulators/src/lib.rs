//! Sensor fleets for load tests: a generated city, sensors that behave, faults by rate, replay of
//! recorded data, and a verdict. Depends on the wire contract only, so that a load test cannot
//! share the engine's mistakes. Same seed and start = same bytes; nothing here reads a clock.
//!
//! [`spec::FleetSpec`] says what is wanted, [`city::City`] is the ground it stands on,
//! [`fleet::Fleet`] the sensors, [`fleet::Source`] what one connection has to send and when.

pub mod chance;
pub mod city;
pub mod faults;
pub mod fleet;
pub mod ledger;
pub mod publish;
pub mod replay;
pub mod report;
pub mod shapes;
pub mod simulate;
pub mod spec;
pub mod verdict;
