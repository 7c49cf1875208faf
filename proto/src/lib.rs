//! The wire contract: messages that sensors publish over MQTT ([`ingest`]) and the gRPC API of
//! the operations centre ([`v1`]). Generated code and nothing else; the domain lives elsewhere.

/// `citytwin.ingest.v1`: what sensors say.
pub mod ingest {
    #[allow(missing_docs, clippy::all, clippy::pedantic)]
    pub mod v1 {
        tonic::include_proto!("citytwin.ingest.v1");
    }
}

/// `citytwin.v1`: what the operations centre asks.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod v1 {
    tonic::include_proto!("citytwin.v1");
}

/// All messages and services as an encoded `FileDescriptorSet`, for reflection and JSON.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/citytwin.bin"));
