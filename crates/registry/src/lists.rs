//! Tags and referrers.

use std::collections::BTreeSet;

use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, Document, Index, Json, MediaType};
use ureq::http::Method;
use ureq::http::header::ACCEPT;

use crate::auth::Access;
use crate::call::{Answer, Call, To, Wanted};
use crate::error::{Attempted, Error, Reason};
use crate::repository::{MAX_MANIFEST_SIZE, Repository};
use crate::url::escape;
use crate::wire::{next_page, printable};

/// How many tags of a repository, or referrers of a manifest, are listed.
pub const MAX_LISTED: usize = 100_000;
/// How many pages a list may have, whatever is in them.
const FREE_PAGES: usize = 100;
/// How many entries pages have at the least, on an average, where there are more: registries give
/// fifty and more, and a list that goes on for ever must not take for ever.
const LEAST_ENTRIES: usize = 10;

impl Repository {
    /// All tags, in the registry's own order, each once; as many pages as there are. Mirrors are
    /// not asked.
    ///
    /// Spec: distribution-spec v1.1 § Listing Tags.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] if there is no such repository; [`Reason::Malformed`] for pages that
    /// lead in a circle or elsewhere, for more than [`MAX_LISTED`] tags, and for more than 100 pages
    /// with fewer than 10 of them each.
    pub fn tags(&self) -> Result<Vec<String>, Error> {
        let attempted = || self.attempted("list tags", "");
        let path = self.path("tags/list?n=1000");
        let (mut tags, mut seen) = (Vec::new(), BTreeSet::new());
        self.pages(&path, &attempted, &mut |answer| {
            let json = Json::parse(&answer.body).map_err(|error| {
                Reason::Malformed(format!("the list of tags is not valid: {error}"))
            })?;
            // A repository without tags may have `null`.
            let listed = json.get("tags").and_then(Json::as_array);
            for tag in listed.unwrap_or_default() {
                let tag = tag.as_str().unwrap_or_default();
                if self.reference.clone().with_tag(tag).is_err() {
                    let text = format!("the list of tags has `{}`", printable(tag, 200));
                    return Err(Reason::Malformed(text));
                }
                if seen.insert(tag.to_owned()) {
                    tags.push(tag.to_owned());
                }
            }
            within_limit(tags.len())
        })?;
        Ok(tags)
    }

    /// What says something about a manifest: all whose `subject` is the digest; only those of an
    /// artifact type, if one is given.
    ///
    /// Asks the referrers API, and where the registry has none reads the index under the tag that
    /// stands in for it. Each descriptor has artifact type and annotations. Mirrors are not asked.
    ///
    /// Spec: distribution-spec v1.1 § Listing Referrers.
    ///
    /// # Errors
    ///
    /// Those of [`Repository::tags`], but that nothing is there is no error.
    pub fn referrers(
        &self,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, Error> {
        let attempted = || self.attempted("list referrers of", subject.as_str());
        let filter = artifact_type.map(|it| format!("?artifactType={}", escape(it)));
        let path = self.path(&format!(
            "referrers/{subject}{}",
            filter.unwrap_or_default()
        ));
        let mut found = Vec::new();
        let result = self.pages(&path, &attempted, &mut |answer| {
            found.extend(index_of(&answer.body)?.into_parts().1.manifests);
            within_limit(found.len())
        });
        match result {
            Ok(()) => {}
            Err(error) if is_without_api(&error) => {
                let index = self.referrers_by_tag(subject)?;
                found = index.map_or_else(Vec::new, |index| index.into_parts().1.manifests);
            }
            Err(error) => return Err(error),
        }
        // A server need not filter, and one page may hold what another has.
        let mut seen = BTreeSet::new();
        found.retain(|it| {
            let fits =
                artifact_type.is_none_or(|wanted| it.artifact_type.as_deref() == Some(wanted));
            fits && seen.insert(it.digest.clone())
        });
        Ok(found)
    }

    /// The index under the tag that stands in for the referrers API.
    pub(crate) fn referrers_by_tag(
        &self,
        subject: &Digest,
    ) -> Result<Option<Document<Index>>, Error> {
        let tag = referrers_tag(subject);
        let origin = &self.endpoints.origin;
        let bytes = match self.manifest_at(origin, &tag, None) {
            Err(error) if error.is_not_found() => return Ok(None),
            result => result?.1,
        };
        let attempted = || self.attempted("list referrers of", subject.as_str());
        let index = index_of(&bytes).map_err(|reason| Error::new(attempted(), reason))?;
        Ok(Some(index))
    }

    fn pages(
        &self,
        path: &str,
        attempted: &dyn Fn() -> Attempted,
        take: &mut dyn FnMut(&Answer) -> Result<usize, Reason>,
    ) -> Result<(), Error> {
        let origin = &self.endpoints.origin;
        let scope = self.scope(origin, Access::Pull);
        let fail = |reason| Error::new(attempted(), reason);
        let malformed = |text: String| fail(Reason::Malformed(text));
        let mut to = To::Path(path);
        let mut seen = BTreeSet::new();
        let mut page = 0;
        loop {
            page += 1;
            let accepted = format!("application/json, {}", MediaType::OCI_INDEX);
            let call = Call::new(Method::GET, to, &scope).header(ACCEPT, &accepted);
            let wanted = (&[200][..], Wanted::Body(MAX_MANIFEST_SIZE));
            let answer = self.inner.call(origin, &call, None, wanted, attempted)?;
            let listed = take(&answer).map_err(fail)?;
            let Some(link) = answer.header("link").and_then(next_page) else {
                return Ok(());
            };
            if page >= FREE_PAGES && listed < page * LEAST_ENTRIES {
                return Err(malformed(format!(
                    "there are more than {page} pages, and {listed} entries in them"
                )));
            }
            let shown = printable(link, 200);
            let next = answer.url.join(link).filter(|next| next.is_of(&answer.url));
            let next = next.ok_or_else(|| {
                malformed(format!(
                    "the link to the next page leads elsewhere: `{shown}`"
                ))
            })?;
            if !seen.insert(next.to_wire()) {
                return Err(malformed(format!(
                    "the links to the next page lead in a circle, by `{shown}`"
                )));
            }
            to = To::Url(next);
        }
    }
}

/// How many there are, unless there are too many.
fn within_limit(count: usize) -> Result<usize, Reason> {
    if count <= MAX_LISTED {
        return Ok(count);
    }
    let text = format!("the list has more than {MAX_LISTED} entries");
    Err(Reason::Malformed(text))
}

fn index_of(bytes: &[u8]) -> Result<Document<Index>, Reason> {
    let index = Document::<Index>::parse(bytes.to_vec());
    index
        .map_err(|error| Reason::Malformed(format!("the index of referrers is not valid: {error}")))
}

fn is_without_api(error: &Error) -> bool {
    match error.reason() {
        Reason::NotFound { .. } => true,
        Reason::Refused { status, .. } => matches!(status, 400 | 405 | 501),
        _ => false,
    }
}

/// Spec: distribution-spec v1.1 § Referrers Tag Schema.
pub(crate) fn referrers_tag(subject: &Digest) -> String {
    let cut = |text: &str, most: usize| -> String {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let kept = text.chars().take(most);
        kept.map(|c| if allowed(c) { c } else { '-' }).collect()
    };
    let algorithm = cut(subject.algorithm_name(), 32);
    format!("{algorithm}-{}", cut(subject.encoded(), 64))
}
