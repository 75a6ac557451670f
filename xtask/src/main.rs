//! What the workspace does to itself.

fn main() {}
