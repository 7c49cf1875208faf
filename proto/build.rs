//! Compiles the .proto files with protox: no system protoc is needed.

use std::path::PathBuf;

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "citytwin/v1/history.proto",
        "citytwin/v1/operator.proto",
        "citytwin/v1/planner.proto",
        "citytwin/ingest/v1/ingest.proto",
    ];
    let descriptors = protox::compile(files, ["."])?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("no OUT_DIR")?).join("citytwin.bin");
    std::fs::write(out, descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    println!("cargo::rerun-if-changed=citytwin");
    Ok(())
}
