//! Whether a program runs on its base, by what was found out about the base before where that is
//! enough.

use std::path::Path;

use anyhow::Result;
use cooperage_cache::Cache;
use cooperage_digest::Digest;
use cooperage_image_spec::Reference;
use cooperage_plan::{
    BasePlan, BuildOptions, FACTS_KIND, ImagePlan, base_facts, check_base, check_facts,
    facts_from_bytes, facts_to_bytes, open_base,
};
use cooperage_runtime::Missing;
use cooperage_transport::Location;

use crate::base;
use crate::lock::Lock;

/// What checking takes.
pub struct Check<'a> {
    /// The lockfile, if there is one.
    pub lock: Option<&'a Path>,
    /// Whether the lockfile is to hold what is known.
    pub update: bool,
    /// What is known of bases in registries, besides.
    pub cache: Option<&'a Cache>,
    /// How bases are opened.
    pub options: &'a BuildOptions<'a>,
    /// Is told of what is wrong with the cache, which is then left alone.
    pub warn: &'a dyn Fn(&str),
    /// Whether the layers of a registry's base are fetched for that which is not known of it.
    pub fetched: bool,
}

impl std::fmt::Debug for Check<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Check")
            .field("lock", &self.lock)
            .field("update", &self.update)
            .field("fetched", &self.fetched)
            .finish_non_exhaustive()
    }
}

impl Check<'_> {
    /// What an image's base lacks; `None` if too little is known of it and nothing is fetched.
    ///
    /// # Errors
    ///
    /// Those of [`check_base`], of the base's place, and of the lockfile.
    pub fn missing(&self, image: &ImagePlan) -> Result<Option<Vec<Missing>>> {
        let Some(plan) = &image.base else {
            return Ok(Some(Vec::new()));
        };
        let location = plan.from.reference().map(base::location).transpose()?;
        let known = match location.as_ref().and_then(Location::reference) {
            None => return Ok(Some(check_base(image, self.options)?)),
            Some(name) => self.by_facts(image, plan, name)?,
        };
        Ok(match known {
            None if self.fetched => Some(check_base(image, self.options)?),
            known => known,
        })
    }

    /// By what is known of the base, or is found out now since its layers are fetched anyway;
    /// `None` if that does not tell.
    fn by_facts(
        &self,
        image: &ImagePlan,
        plan: &BasePlan,
        name: &Reference,
    ) -> Result<Option<Vec<Missing>>> {
        let platform = image.platform.as_ref();
        let manifest = open_base(plan, platform, self.options)?.1.descriptor.digest;
        let known = self.known(&manifest)?;
        let facts = match known.as_deref().map(facts_from_bytes) {
            Some(Ok(facts)) => facts,
            // What cannot be read is found out again.
            _ if self.fetched => {
                let facts = base_facts(plan, platform, self.options)?;
                // A base may offer more than is kept.
                if let Ok(document) = facts_to_bytes(&facts) {
                    self.cache(&manifest, &document);
                }
                facts
            }
            _ => return Ok(None),
        };
        if let (Some(lock), true) = (self.lock, self.update)
            && let Ok(document) = facts_to_bytes(&facts)
        {
            put(lock, name, &manifest, &document)?;
        }
        Ok(check_facts(image, &facts, self.options)?)
    }

    fn known(&self, manifest: &Digest) -> Result<Option<Vec<u8>>> {
        if let Some(lock) = self.lock
            && let Some(document) = Lock::read(lock)?.facts(manifest)
        {
            return Ok(Some(document.to_vec()));
        }
        let cached = self.cache.map(|cache| cache.facts(FACTS_KIND, manifest));
        Ok(match cached {
            Some(Ok(document)) => document,
            Some(Err(error)) => {
                (self.warn)(&error.to_string());
                None
            }
            None => None,
        })
    }

    fn cache(&self, manifest: &Digest, document: &[u8]) {
        if let Some(cache) = self.cache
            && let Err(error) = cache.put_facts(FACTS_KIND, manifest, document)
        {
            (self.warn)(&error.to_string());
        }
    }
}

fn put(lock: &Path, name: &Reference, manifest: &Digest, document: &[u8]) -> Result<()> {
    let mut held = Lock::read(lock)?;
    if held.put_facts(name, manifest, document) {
        base::write_lock(lock, &held)?;
    }
    Ok(())
}
