//! Words of a build's own, such as its commit, in the place of `{{KEY}}`.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, bail};
use cooperage_plan::fields::near;

use super::Request;

/// The inputs that hold them.
pub(crate) const INPUT: &str = "stamp";

/// What `{{KEY}}` stands for. A build without stamps has none, and then whatever holds a `{{KEY}}`
/// is left out: it would be another text with each build.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Stamps(Option<BTreeMap<String, String>>);

impl Stamps {
    /// Those of a request's inputs: files of lines `KEY VALUE`, as Bazel's workspace status is.
    pub(crate) fn of(request: &Request) -> Result<Self> {
        let mut stamps = None;
        for file in request.inputs(INPUT)? {
            let failed = || format!("cannot read the stamps `{}`", file.display());
            let text = fs::read_to_string(&file).with_context(failed)?;
            let stamps = stamps.get_or_insert_with(BTreeMap::new);
            for line in text.lines().filter(|line| !line.is_empty()) {
                let (key, value) = line.split_once(' ').unwrap_or((line, ""));
                stamps.insert(key.to_owned(), value.to_owned());
            }
        }
        Ok(Self(stamps))
    }

    /// The text with the values of its keys; `None` if it has keys and there are no stamps.
    pub(crate) fn apply(&self, text: &str) -> Result<Option<String>> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, key, after)) = next_key(rest) {
            let Some(stamps) = &self.0 else {
                return Ok(None);
            };
            let Some(value) = stamps.get(key) else {
                let known: Vec<&str> = stamps.keys().map(String::as_str).collect();
                bail!("`{text}`: no stamp `{key}` is known: {}", near(key, &known));
            };
            out.push_str(before);
            out.push_str(value);
            rest = after;
        }
        out.push_str(rest);
        Ok(Some(out))
    }
}

/// The first `{{KEY}}`, with what stands before and behind it. What is between the braces must be
/// letters, digits and underscores: templates of others stay as they are.
fn next_key(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let start = from + text[from..].find("{{")?;
        let inner = &text[start + 2..];
        let end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        match end {
            Some(end) if end > 0 && inner[end..].starts_with("}}") => {
                return Some((&text[..start], &inner[..end], &inner[end + 2..]));
            }
            // One brace on, in case of three.
            _ => from = start + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Stamps;

    #[track_caller]
    fn check(text: &str, stamped: &str) {
        let stamps = [("BUILD_USER", "ann"), ("STABLE_GIT", "1f3c"), ("EMPTY", "")];
        let stamps = stamps.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let stamps = Stamps(Some(stamps.into()));
        assert_eq!(stamps.apply(text).unwrap().as_deref(), Some(stamped));
        let without = Stamps::default().apply(text).unwrap();
        assert_eq!(without.as_deref(), (text == stamped).then_some(text));
    }

    #[test]
    fn keys_are_replaced_or_their_text_is_left_out() {
        check("plain", "plain");
        check("{{STABLE_GIT}}", "1f3c");
        check("v-{{STABLE_GIT}}-{{BUILD_USER}}.", "v-1f3c-ann.");
        check("{{{BUILD_USER}}}", "{ann}");
        check("a{{EMPTY}}b", "ab");
        // No keys: nothing, spaces, other templates, an end too soon.
        check(
            "{{}} {{ BUILD_USER }} {{.Tag}} {{BUILD_USER}",
            "{{}} {{ BUILD_USER }} {{.Tag}} {{BUILD_USER}",
        );
        check("ä{{BUILD_USER}}ö", "äannö");
        // What a value holds is not looked at again.
        let stamps = Stamps(Some([("A".to_owned(), "{{A}}".to_owned())].into()));
        assert_eq!(stamps.apply("{{A}}").unwrap().as_deref(), Some("{{A}}"));
    }

    #[test]
    fn unknown_keys_are_told_with_a_near_one() {
        let stamps = Stamps(Some([("STABLE_GIT".to_owned(), String::new())].into()));
        let error = stamps.apply("x{{STABLE_GTI}}").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`x{{STABLE_GTI}}`: no stamp `STABLE_GTI` is known: did you mean `STABLE_GIT`?"
        );
    }
}
