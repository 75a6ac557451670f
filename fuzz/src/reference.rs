//! References, digests and platforms: what people type.

use cooperage_digest::Digest;
use cooperage_image_spec::{Platform, Reference};

pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match text.parse::<Reference>() {
        Ok(reference) => check(&reference),
        Err(error) => assert!(error.to_string().len() < 1024, "{error}"),
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
        // It becomes two names of a path.
        for part in [digest.algorithm_name(), digest.encoded()] {
            assert!(!part.is_empty() && !part.starts_with('.') && !part.contains('/'));
        }
    }
    if let Ok(platform) = text.parse::<Platform>() {
        assert_eq!(platform.to_string().parse(), Ok(platform));
    }
}

fn check(reference: &Reference) {
    let same = |text: String| assert_eq!(text.parse().as_ref(), Ok(reference), "{text}");
    same(reference.to_string());
    same(reference.familiar());
    let tagged = reference.clone().with_default_tag();
    assert_eq!(tagged.to_string().parse(), Ok(tagged.clone()));
    assert_eq!(tagged.familiar().parse(), Ok(tagged));
    let bare = reference.clone().without_tag_and_digest();
    assert_eq!(bare.to_string(), reference.repository());
}
