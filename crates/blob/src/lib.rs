//! The seam between media: Source, Sink, copy, and a medium in memory.
