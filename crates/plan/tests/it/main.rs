//! Plans: what is read and refused, and what is built of them.

mod build;
mod format;
mod schema;
mod together;
