//! Trees of files to and from tar bytes: canonical when writing, strict and lossless when reading.
