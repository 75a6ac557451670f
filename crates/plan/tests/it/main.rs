//! Plans: what is read and refused, and what is built of them.

mod build;
mod documents;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod facts;
mod format;
mod matches;
mod schema;
mod together;
