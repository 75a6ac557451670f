//! All inputs of the fuzz targets, as plain tests; and other readers as a second opinion.

mod deflate;
mod differential;
mod others;
mod replay;
