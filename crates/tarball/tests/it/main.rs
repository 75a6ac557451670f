//! Tests of trees, tars, layers and directories against one another and against other programs.

mod common;

mod blocks;
mod folding;
mod globs;
mod golden;
mod layers;
mod order;
mod read;
mod scan;
mod tree;
mod unpack;
mod write;
