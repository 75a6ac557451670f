//! Layer codecs (none, gzip, zstd) in blocks: parallel, and the same bytes for any number of threads.
