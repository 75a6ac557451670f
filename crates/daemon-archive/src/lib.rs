//! The tar that docker save writes and docker load reads, and OCI archives, as Source and Sink.
