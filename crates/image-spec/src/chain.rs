//! Chain IDs: names of stacks of layers.

use cooperage_digest::Digest;

/// The chain ID of each layer on all those below it.
///
/// The first one is the diff ID of the lowest layer; each further one is the SHA-256 digest of
/// the text of the one below, a space, and the text of the diff ID.
///
/// Spec: image-spec v1.1, `config.md` § Layer `ChainID`.
///
/// # Examples
///
/// ```
/// use cooperage_digest::Digest;
/// use cooperage_image_spec::chain_ids;
///
/// let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
/// let chain = chain_ids(&[a.clone(), b.clone()]);
/// assert_eq!(chain, [a.clone(), Digest::of(format!("{a} {b}").as_bytes())]);
/// ```
#[must_use]
pub fn chain_ids(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut chain: Vec<Digest> = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        let next = match chain.last() {
            Some(below) => Digest::of(format!("{below} {diff_id}").as_bytes()),
            None => diff_id.clone(),
        };
        chain.push(next);
    }
    chain
}
