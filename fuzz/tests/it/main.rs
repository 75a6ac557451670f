//! All inputs of the fuzz targets, as plain tests; and other readers as a second opinion.

mod differential;
mod replay;
