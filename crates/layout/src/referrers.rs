//! What says something about a manifest.

use cooperage_blob::Error;
use cooperage_digest::Digest;
use cooperage_image_spec::Descriptor;

use crate::document::{Parsed, Seen};
use crate::{Layout, document};

impl Layout {
    /// The manifests and indexes whose `subject` is the given digest (signatures, SBOMs,
    /// attestations), in the order in which `index.json` and the indexes below it list them.
    ///
    /// Each descriptor has the artifact type and the annotations of what it points to, as a
    /// registry would answer. The subject need not be in the layout. Manifests that an index lists
    /// and the layout does not have are passed over.
    ///
    /// Spec: distribution-spec v1.1 § Listing Referrers.
    ///
    /// # Errors
    ///
    /// Those of reading `index.json`, or any manifest or index that is there.
    pub fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, Error> {
        let (_, index) = self.index()?.into_parts();
        let (mut seen, mut found) = (Seen::default(), Vec::new());
        let mut waiting = index.manifests;
        waiting.reverse();
        while let Some(descriptor) = waiting.pop() {
            if !document::is_document(&descriptor) || !seen.is_new(&descriptor) {
                continue;
            }
            let parsed = match document::read(self, &descriptor) {
                Err(error) if error.is_not_found() => continue,
                result => result?,
            };
            let (refers_to, artifact_type, annotations) = match &parsed {
                Parsed::Index(index) => (
                    &index.subject,
                    index.artifact_type.clone(),
                    &index.annotations,
                ),
                Parsed::Manifest(manifest) => {
                    let config = manifest.config.media_type.as_str();
                    let artifact_type = manifest
                        .artifact_type
                        .clone()
                        .unwrap_or_else(|| config.into());
                    (
                        &manifest.subject,
                        Some(artifact_type),
                        &manifest.annotations,
                    )
                }
                Parsed::Other => continue,
            };
            if refers_to.as_ref().is_some_and(|to| to.digest == *subject) {
                let mut referrer = Descriptor::new(
                    descriptor.media_type.clone(),
                    descriptor.digest.clone(),
                    descriptor.size,
                );
                referrer.artifact_type = artifact_type;
                referrer.annotations.clone_from(annotations);
                found.push(referrer);
            }
            if let Parsed::Index(index) = parsed {
                waiting.extend(index.manifests.into_iter().rev());
            }
        }
        Ok(found)
    }
}
