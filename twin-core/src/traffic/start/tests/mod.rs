//! Small networks with known flows, and measurements of them.
