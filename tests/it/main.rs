//! Tests of the whole: one binary, one module for each subject.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "all of it is tests, and what helps a test may fail like one"
)]

mod api;
mod assign;
mod bad_days;
mod broken_logs;
mod deploy;
mod fleets;
mod foreign;
mod foreign_clients;
mod full_disk;
mod grids;
mod hidden_truth;
mod history;
mod killed;
mod letters;
mod mosquitto;
mod planner;
mod process;
mod recorded;
mod replayed;
mod roads;
mod store;
mod tidy;
mod verified;
mod watching;
