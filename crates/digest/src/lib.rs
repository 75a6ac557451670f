//! Names bytes: parse, print, compute while streaming, and verify at end of stream.
//!
//! A [`Digest`] is the name of a blob, `algorithm:encoded`. `sha256` and `sha512` can be computed;
//! any other well-formed algorithm is carried as it came, so that what uses it is never damaged,
//! but nothing can be checked against it ([`Digest::algorithm`] says which it is).
//!
//! SHA instructions of the processor are found at run time.
//!
//! Spec: image-spec v1.1, `descriptor.md` § Digests.
//!
//! # Examples
//!
//! ```
//! use cooperage_digest::{Digest, VerifyingReader};
//! use std::io::Read;
//!
//! let digest = Digest::of(b"hello");
//! assert_eq!(
//!     digest.to_string(),
//!     "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
//! );
//!
//! // Bytes that are not what they were said to be fail at the end of the stream.
//! let mut reader = VerifyingReader::new(&b"hullo"[..], digest, 5);
//! let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
//! assert!(error.to_string().contains("after 5 bytes"), "{error}");
//! ```

mod name;
mod stream;

pub use name::{Algorithm, Digest, ParseDigestError};
pub use stream::{Hasher, HashingWriter, UnknownAlgorithmError, VerifyError, VerifyingReader};
