//! Turns a cargo build and its image metadata into a plan, and the plan into an image.
