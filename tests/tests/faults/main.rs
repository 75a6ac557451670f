//! What becomes of an image, and of all that was there before, when something goes wrong.
//!
//! Whatever it is, it is said by name, with what was expected, what was found and what to do; and
//! it leaves nothing behind: no half-written blob under its final name, no temporary file after
//! the next run, no earlier image lost. One module for each kind of mishap. Faults within one
//! crate's reach are in that crate's own tests: hostile tars in `crates/tarball`, hostile archives
//! in `crates/daemon-archive`, killed writers and collectors in `crates/layout`.

#![cfg(unix)]

mod archives;
mod bench;
mod changing;
mod damage;
mod documents;
mod durable;
mod front;
mod full;
mod input;
mod killed;
mod limits;
mod plans;
mod read_only;
mod said;
mod support;
mod tars;
