//! The crate against real loaders, compilers and readers.

#![cfg(target_os = "linux")]

mod base;
mod bundles;
mod closures;
mod compiled;
mod hostile;
mod modern;
mod runs;
