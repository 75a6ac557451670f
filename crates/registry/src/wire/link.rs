//! `Link`.

/// The target of the link to the next page, as it is written: usually relative.
///
/// Spec: RFC 8288; distribution-spec v1.1 § Listing Tags.
///
/// # Examples
///
/// ```
/// use cooperage_registry::wire::next_page;
///
/// let header = r#"</v2/app/tags/list?n=2&last=b>; rel="next""#;
/// assert_eq!(next_page(header), Some("/v2/app/tags/list?n=2&last=b"));
/// ```
#[must_use]
pub fn next_page(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, behind)) = rest.split_once('<') {
        let (target, behind) = behind.split_once('>')?;
        // The parameters reach to the comma before the next link, which begins with `<`.
        let parameters = behind.split('<').next().unwrap_or_default();
        let is_next = |parameter: &str| {
            let (name, value) = parameter.split_once('=')?;
            let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
            let says_next = value
                .split_ascii_whitespace()
                .any(|word| word.eq_ignore_ascii_case("next"));
            (name.trim().eq_ignore_ascii_case("rel") && says_next).then_some(())
        };
        if parameters.split(';').any(|it| is_next(it).is_some()) {
            return Some(target.trim());
        }
        rest = behind;
    }
    None
}
