//! A small HTTP service.

fn main() {}
