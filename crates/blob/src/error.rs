//! The one error that all media share.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use cooperage_digest::VerifyError;
use cooperage_image_spec::Descriptor;

/// What went wrong in a medium.
///
/// Opaque, since a medium may be anything: ask the `is_…` predicates what kind of fault it is.
/// The text names the blob, root or place; causes come by [`StdError::source`].
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    NotFound,
    Mismatch,
    TooLarge,
    Unverifiable,
    Malformed,
    Unsupported,
    Io,
}

fn name(descriptor: &Descriptor) -> String {
    format!("blob `{}` ({} bytes)", descriptor.digest, descriptor.size)
}

impl Error {
    fn new(kind: Kind, message: String) -> Self {
        Self(Box::new(Inner {
            kind,
            message,
            source: None,
        }))
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says where the blob came from, if its bytes are not what its descriptor says; all other
    /// errors stay as they are.
    #[must_use]
    pub fn with_origin(mut self, place: impl fmt::Display) -> Self {
        let place = format!(", from {place}");
        if self.is_mismatch() && !self.0.message.ends_with(&place) {
            self.0.message.push_str(&place);
        }
        self
    }

    /// The medium has no such blob or root; `place` says which medium.
    #[must_use]
    pub fn not_found(what: impl fmt::Display, place: impl fmt::Display) -> Self {
        Self::new(Kind::NotFound, format!("{what} is not in {place}"))
    }

    /// The medium has no such blob.
    #[must_use]
    pub fn blob_not_found(descriptor: &Descriptor, place: impl fmt::Display) -> Self {
        Self::not_found(name(descriptor), place)
    }

    /// The bytes are not what their descriptor says.
    #[must_use]
    pub fn mismatch(source: VerifyError) -> Self {
        Self::new(
            Kind::Mismatch,
            "a blob is not what its descriptor says".into(),
        )
        .with_source(source)
    }

    /// A document is larger than `limit` bytes.
    #[must_use]
    pub fn too_large(descriptor: &Descriptor, limit: u64) -> Self {
        let message = format!(
            "{} is too large for a document: at most {limit}",
            name(descriptor)
        );
        Self::new(Kind::TooLarge, message)
    }

    /// The digest's algorithm cannot be computed, so the blob cannot be checked.
    #[must_use]
    pub fn unverifiable(descriptor: &Descriptor) -> Self {
        let message = format!(
            "{} cannot be verified: only sha256 and sha512 can be computed",
            name(descriptor)
        );
        Self::new(Kind::Unverifiable, message)
    }

    /// Something in the medium breaks its format; `message` says what and where.
    #[must_use]
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(Kind::Malformed, message.into())
    }

    /// The medium cannot do what was asked of it; `message` says what, and what to do.
    #[must_use]
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, message.into())
    }

    /// A blob could not be read. A failed verification becomes a mismatch.
    #[must_use]
    pub fn read(descriptor: &Descriptor, source: io::Error) -> Self {
        Self::io_or_mismatch(format!("cannot read {}", name(descriptor)), source)
    }

    /// A blob could not be written. A failed verification becomes a mismatch.
    #[must_use]
    pub fn write(descriptor: &Descriptor, source: io::Error) -> Self {
        Self::io_or_mismatch(format!("cannot write {}", name(descriptor)), source)
    }

    /// An operation of the system failed; `message` names the thing.
    #[must_use]
    pub fn io(message: impl Into<String>, source: io::Error) -> Self {
        Self::io_or_mismatch(message.into(), source)
    }

    /// An operation of the medium failed for a reason of its own, which comes as the cause;
    /// `message` names the thing.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Io, message.into())
    }

    fn io_or_mismatch(message: String, source: io::Error) -> Self {
        let verify = source
            .get_ref()
            .is_some_and(<dyn StdError + Send + Sync>::is::<VerifyError>);
        let kind = if verify { Kind::Mismatch } else { Kind::Io };
        Self::new(kind, message).with_source(source)
    }

    /// The blob or the root is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.0.kind == Kind::NotFound
    }

    /// The bytes are not those that the descriptor names.
    #[must_use]
    pub fn is_mismatch(&self) -> bool {
        self.0.kind == Kind::Mismatch
    }

    /// A document is over the limit.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.0.kind == Kind::TooLarge
    }

    /// The digest's algorithm is only carried here.
    #[must_use]
    pub fn is_unverifiable(&self) -> bool {
        self.0.kind == Kind::Unverifiable
    }

    /// The medium, or a document in it, breaks its format.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        self.0.kind == Kind::Malformed
    }

    /// The medium cannot do this.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        self.0.kind == Kind::Unsupported
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
