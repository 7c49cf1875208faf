//! The doors over real sockets: the endpoint against raw bytes and against rumqttc, the broker
//! door against a real Mosquitto. Behind them is a real log in a temporary folder; what arrives
//! is read off the frames that it hands on.

#![expect(
    clippy::unwrap_used,
    reason = "all of it is tests, and what helps a test may fail like one"
)]

mod broker;
mod clients;
mod endpoint;
mod house;
mod malformed;
mod mosquitto;
mod raw;
mod sessions;
