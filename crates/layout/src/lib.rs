//! An OCI image-layout directory as Source and Sink: atomic, locked, verified, collectable.
