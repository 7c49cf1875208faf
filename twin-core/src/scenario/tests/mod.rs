//! Scenarios on small networks.
