//! Tests of the whole: one binary, one module for each subject.

mod api;
mod bad_days;
mod broken_logs;
mod fleets;
mod foreign;
mod foreign_clients;
mod full_disk;
mod killed;
mod letters;
mod mosquitto;
mod process;
mod recorded;
mod replayed;
mod verified;
mod watching;
