//! citytwin.
fn main() {}
