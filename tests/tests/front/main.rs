//! `cargo xtask image` as users start it: what it makes, of what, and that it is always the same.

mod determinism;
mod place;
mod platforms;
mod programs;
mod support;
