//! Images that plans describe, and what the programs that read images make of them.

mod folding;
mod http;
mod images;
mod layouts;
mod unpackers;
mod whiteouts;
