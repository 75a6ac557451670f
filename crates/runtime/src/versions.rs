//! Symbol versions: what one object needs of another, and what that one offers.

use std::collections::BTreeSet;

use crate::loader::Process;

/// A version that an object needs and the library it was given does not have.
pub(crate) struct Lacking {
    pub(crate) needed_by: usize,
    pub(crate) library: usize,
    /// The name it was needed by.
    pub(crate) name: String,
    pub(crate) version: String,
    /// The newest version of the same family that the library has.
    pub(crate) offered: Option<String>,
}

/// Every version that is needed and not there.
///
/// A library without any version passes, with a warning from the loader at most.
pub(crate) fn lacking(process: &Process) -> Vec<Lacking> {
    let mut found = Vec::new();
    for ((needed_by, name), library) in &process.answers {
        let offered = &process.objects[*library].hit.info.versions_defined;
        let needed = process.objects[*needed_by]
            .hit
            .info
            .versions_needed
            .get(name);
        if offered.is_empty() {
            continue;
        }
        for version in needed
            .into_iter()
            .flatten()
            .filter(|version| !offered.contains(*version))
        {
            found.push(Lacking {
                needed_by: *needed_by,
                library: *library,
                name: name.clone(),
                version: version.clone(),
                offered: newest(offered, version),
            });
        }
    }
    found
}

/// The newest of `GLIBC_2.2.5`, `GLIBC_2.36`, … for a wanted `GLIBC_2.38`.
fn newest(offered: &BTreeSet<String>, wanted: &str) -> Option<String> {
    let family = |version: &str| version.split_once('_').map(|(family, _)| family.to_owned());
    let wanted = family(wanted)?;
    offered
        .iter()
        .filter(|version| family(version).as_ref() == Some(&wanted))
        // Named versions, such as `GLIBC_PRIVATE`, come before all numbers.
        .max_by_key(|version| {
            let numbers = version
                .split_once('_')
                .map_or("", |(_, rest)| rest)
                .split('.');
            numbers
                .map(|part| part.parse::<u32>().ok())
                .collect::<Vec<_>>()
        })
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_by_number() {
        let offered = [
            "GLIBC_2.2.5",
            "GLIBC_2.36",
            "GLIBC_2.4",
            "GLIBC_PRIVATE",
            "X_9",
        ];
        let offered = offered.map(str::to_owned).into();
        assert_eq!(
            newest(&offered, "GLIBC_2.38").as_deref(),
            Some("GLIBC_2.36")
        );
        assert_eq!(newest(&offered, "GLIBCXX_3.4"), None);
        assert_eq!(newest(&offered, "plain"), None);
    }
}
