//! The reference of the Bazel rules in `docs/bazel.md`: made of what the Starlark says of itself.

mod page;
mod starlark;

use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

/// Where the reference begins in the page; what stands before is written by hand.
const MARK: &str = "<!-- What follows is written by `cargo xtask bazel-docs`. -->\n";

/// `cargo xtask bazel-docs`: writes the reference anew.
pub(crate) fn run() -> Result<ExitCode> {
    let path = crate::root().join("docs/bazel.md");
    let page = made()?;
    fs::write(&path, page).with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// The whole page as it should be.
fn made() -> Result<String> {
    let path = crate::root().join("docs/bazel.md");
    let old =
        fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let by_hand = old
        .split_once(MARK)
        .with_context(|| format!("`{}` has no line `{}`", path.display(), MARK.trim()))?
        .0;
    let reference = page::reference(&crate::root())?;
    Ok(format!("{by_hand}{MARK}\n{reference}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    /// Every rule, attribute, provider, field and tag stands in the page, as the Starlark has it;
    /// one that says nothing of itself is an error.
    #[test]
    fn the_page_of_the_bazel_rules_is_complete() {
        let page = fs::read_to_string(crate::root().join("docs/bazel.md")).expect("docs/bazel.md");
        let made = super::made().expect("every public name has its documentation");
        assert!(made.contains("### `image_layer`"), "no rule was found");
        assert!(
            page == made,
            "docs/bazel.md is not what the Starlark says: run `cargo xtask bazel-docs`"
        );
    }
}
