//! Changes that know a format, so that fuzzing gets past its checksums.

pub(crate) mod archive;
pub(crate) mod gzip;
pub(crate) mod tar;
