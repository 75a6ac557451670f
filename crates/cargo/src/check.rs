//! Whether a program runs on its base, which is told before anything is written.

use std::path::Path;

use anyhow::{Result, bail};
use cooperage_digest::Digest;
use cooperage_image_spec::Reference;
use cooperage_plan::{
    BasePlan, BuildOptions, FACTS_KIND, ImagePlan, base_facts, check_base, check_facts,
    facts_from_bytes, facts_to_bytes, open_base,
};
use cooperage_transport::{Location, Network};

use crate::lock::Lock;
use crate::report::Reporter;
use crate::{ImageArgs, base};

/// What checking takes.
pub(crate) struct Check<'a> {
    pub(crate) args: &'a ImageArgs,
    /// The lockfile.
    pub(crate) lock: &'a Path,
    pub(crate) network: &'a Network,
    pub(crate) options: &'a BuildOptions<'a>,
    pub(crate) reporter: &'a Reporter,
    /// Whether the layers of a registry's base are fetched in any case.
    pub(crate) fetched: bool,
}

impl Check<'_> {
    /// Fails with what an image's base lacks.
    ///
    /// A base in a registry whose layers nobody needs here is not fetched for that alone, unless it
    /// is asked for: what was found out about it before is enough, and without it the check is left
    /// out, and that is said.
    pub(crate) fn image(&self, image: &ImagePlan) -> Result<()> {
        let Some(plan) = &image.base else {
            return Ok(());
        };
        let location = plan.from.reference().map(base::location).transpose()?;
        let missing = match location.as_ref().and_then(Location::reference) {
            None => check_base(image, self.options)?,
            Some(name) => match self.by_facts(image, plan, name)? {
                Some(missing) => missing,
                None if self.fetched => check_base(image, self.options)?,
                None => {
                    self.reporter.note(&format!(
                        "the base `{}` was not checked: its layers are not here, and what it \
                         offers was not found out before; `--check-base` fetches and checks them",
                        plan.from
                    ));
                    return Ok(());
                }
            },
        };
        if !missing.is_empty() {
            let lines = missing.iter().map(|missing| format!("\n  {missing}"));
            bail!(
                "the base `{}` lacks what the program needs:{}",
                plan.from,
                lines.collect::<String>()
            );
        }
        Ok(())
    }

    /// By what is known of the base, or is found out now since its layers are fetched anyway;
    /// `None` if that does not tell.
    fn by_facts(
        &self,
        image: &ImagePlan,
        plan: &BasePlan,
        name: &Reference,
    ) -> Result<Option<Vec<cooperage_runtime::Missing>>> {
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
        if let (true, Ok(document)) = (self.args.output.update, facts_to_bytes(&facts)) {
            self.lock(name, &manifest, &document)?;
        }
        Ok(check_facts(image, &facts, self.options)?)
    }

    fn known(&self, manifest: &Digest) -> Result<Option<Vec<u8>>> {
        if let Some(document) = Lock::read(self.lock)?.facts(manifest) {
            return Ok(Some(document.to_vec()));
        }
        let cached = self.network.cache();
        let cached = cached.map(|cache| cache.facts(FACTS_KIND, manifest));
        Ok(match cached {
            Some(Ok(document)) => document,
            Some(Err(error)) => {
                self.reporter.warn(&error.to_string());
                None
            }
            None => None,
        })
    }

    fn cache(&self, manifest: &Digest, document: &[u8]) {
        if let Some(cache) = self.network.cache()
            && let Err(error) = cache.put_facts(FACTS_KIND, manifest, document)
        {
            self.reporter.warn(&error.to_string());
        }
    }

    fn lock(&self, name: &Reference, manifest: &Digest, document: &[u8]) -> Result<()> {
        let mut lock = Lock::read(self.lock)?;
        if lock.put_facts(name, manifest, document) {
            base::write_lock(self.lock, &lock)?;
        }
        Ok(())
    }
}
