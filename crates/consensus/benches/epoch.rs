//! Times one epoch.
fn main() {}
