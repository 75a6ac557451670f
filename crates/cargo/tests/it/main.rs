//! Tests of the cargo front.

mod built;
mod effects;
mod examples;
mod files;
mod flags;
mod keys;
mod lock;
mod project;
mod registry;
mod remap;
mod same_everywhere;
mod settings;
mod user_flags;
