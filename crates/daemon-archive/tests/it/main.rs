//! Archives against their contract, against hostile bytes, and against the real readers.

mod common;
mod docker;
mod hostile;
mod leave_out;
mod oci;
mod peers;
mod saves;
mod sink;
mod write;
