//! Tests of trees, tars, layers and directories against one another and against other programs.

mod common;

mod blocks;
mod folding;
mod order;
mod write;
