//! One binary for all integration tests.

mod convert;
mod document;
mod json;
mod media_type;
mod oci;
mod platform;
mod reference;
mod strategies;
