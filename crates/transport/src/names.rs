//! What images are called where they are written.

use cooperage_blob::Root;
use cooperage_image_spec::{Descriptor, Reference};

use crate::{Location, Medium};

impl Location {
    /// The name under which a root goes in: the location's, else the root's own where this medium
    /// can have it. A docker archive and a daemon take image references only, so a layout's bare tag
    /// is left out there. In a repository of a registry it is a reference: with the location's tag, else
    /// with that of the root's own name, else with `latest`.
    #[must_use]
    pub fn name_for(&self, root: &Root) -> Option<String> {
        if let Some(reference) = self.reference() {
            return Some(tagged(reference, root.name.as_deref()).to_string());
        }
        if let Some(image) = self.image() {
            return Some(image.to_string());
        }
        let own = || {
            let name = root.name.clone()?;
            let takes_all = matches!(self.medium(), Medium::Oci | Medium::OciArchive);
            let reference = takes_all || name.contains([':', '/', '@']);
            reference.then_some(name)
        };
        self.name().map(str::to_owned).or_else(own)
    }

    /// The names under which an image goes in that is called `names`: the location's, else those of
    /// them that this medium can have, each once and as it has it.
    #[must_use]
    pub fn names_for(&self, names: &[String]) -> Vec<String> {
        let unnamed = |name| Root {
            name,
            descriptor: Descriptor::empty(),
        };
        let mut all = Vec::new();
        for name in names {
            let name = self.name_for(&unnamed(Some(name.clone())));
            all.extend(name.filter(|name| !all.contains(name)));
        }
        if all.is_empty() {
            all.extend(self.name_for(&unnamed(None)));
        }
        all
    }
}

/// The reference under which something called `name` goes into a repository.
fn tagged(reference: &Reference, name: Option<&str>) -> Reference {
    if reference.tag().is_some() {
        return reference.clone();
    }
    let own = name.and_then(|name| {
        // A bare tag, as layouts have it, or a reference.
        let tag = match name.parse::<Reference>() {
            Ok(parsed) if name.contains([':', '/', '@']) => parsed.tag()?.to_owned(),
            _ => name.to_owned(),
        };
        reference.clone().with_tag(&tag).ok()
    });
    own.unwrap_or_else(|| reference.clone().with_default_tag())
}
