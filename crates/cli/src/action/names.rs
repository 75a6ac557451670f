//! The names that an image goes by.

use anyhow::{Result, bail};

use super::Request;
use super::stamp::{self, Stamps};

/// What such lines are known by.
pub(crate) const LINE: &str = "name";

/// What may stand in them besides.
pub(crate) const INPUTS: &[&str] = &[stamp::INPUT];

/// All of them, each once.
pub(crate) fn names(request: &Request) -> Result<Vec<String>> {
    let read = request.each(LINE, |fields| Ok(fields.string(LINE)?.unwrap_or_default()))?;
    let read = stamped(request, &read)?;
    let mut names = Vec::new();
    for name in read {
        if name.is_empty() {
            bail!("{}: a `name` is empty", request.label());
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Whether the request has any, left out or not.
pub(crate) fn is_given(request: &Request) -> bool {
    request.has_line(LINE)
}

/// With the words of this build in the place of `{{KEY}}`; without any, texts that hold such a key
/// are left out.
pub(crate) fn stamped(request: &Request, texts: &[String]) -> Result<Vec<String>> {
    let stamps = Stamps::of(request)?;
    let stamped = texts.iter().map(|text| stamps.apply(text));
    Ok(stamped
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect())
}
