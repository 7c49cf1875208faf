//! The doors over real sockets: the endpoint against raw bytes and against rumqttc, the broker
//! door against a real Mosquitto. Behind them is a real log in a temporary folder; what arrives
//! is read off the frames that it hands on.

mod broker;
mod clients;
mod endpoint;
mod house;
mod malformed;
mod mosquitto;
mod raw;
mod sessions;
