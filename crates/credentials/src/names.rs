//! The names under which a registry's login may be kept.

/// What Docker's own registry is called where logins are kept by URL.
pub(crate) const HUB_URL: &str = "https://index.docker.io/v1/";
const HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// `REGISTRY/a/b/c`, `REGISTRY/a/b`, `REGISTRY/a`, `REGISTRY`.
pub(crate) fn from_long_to_short(registry: &str, repository: &str) -> Vec<String> {
    let mut name = match repository {
        "" => registry.to_owned(),
        repository => format!("{registry}/{repository}"),
    };
    let mut names = vec![name.clone()];
    while name.len() > registry.len() {
        match name.rfind('/') {
            Some(at) if at >= registry.len() => name.truncate(at),
            _ => break,
        }
        names.push(name.clone());
    }
    names
}

/// What helpers are asked for: the registry, and for Docker's own first the URL under which
/// `docker login` keeps it.
pub(crate) fn servers(registry: &str) -> Vec<&str> {
    if HUB.contains(&registry) {
        vec![HUB_URL, "docker.io"]
    } else {
        vec![registry]
    }
}

/// Under which keys of `credHelpers` this registry's helper may stand.
pub(crate) fn helper_keys(registry: &str) -> Vec<&str> {
    let mut keys = vec![registry];
    if HUB.contains(&registry) {
        keys.push(HUB_URL);
        keys.extend(HUB.into_iter().filter(|name| *name != registry));
    }
    keys
}

/// Whether a key of a file means the registry: a URL by its host, and all names of Docker's own.
///
/// A key that is no URL is a registry or a repository, and means a registry only as a whole; in
/// files of the oldest form a path behind it means nothing.
pub(crate) fn means(key: &str, registry: &str, paths: Paths) -> bool {
    let bare = ["https://", "http://"]
        .into_iter()
        .find_map(|scheme| key.strip_prefix(scheme));
    let host = match (bare, paths) {
        (Some(bare), _) => first(bare),
        (None, Paths::MeanNothing) => first(key),
        (None, Paths::AreRepositories) => key,
    };
    host == registry || (HUB.contains(&host) && HUB.contains(&registry))
}

/// What stands behind the first slash of a key that is no URL.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Paths {
    AreRepositories,
    MeanNothing,
}

fn first(text: &str) -> &str {
    text.split('/').next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_from_the_repository_to_the_registry() {
        let cases: [(&str, &str, &[&str]); 4] = [
            ("q.io", "a/b", &["q.io/a/b", "q.io/a", "q.io"]),
            (
                "localhost:5000",
                "a",
                &["localhost:5000/a", "localhost:5000"],
            ),
            ("q.io", "", &["q.io"]),
            ("q.io", "a//b", &["q.io/a//b", "q.io/a/", "q.io/a", "q.io"]),
        ];
        for (registry, repository, expected) in cases {
            assert_eq!(from_long_to_short(registry, repository), expected);
        }
    }

    #[test]
    fn a_key_means_a_registry_by_its_host() {
        use Paths::{AreRepositories as R, MeanNothing as N};
        for (key, registry, paths, expected) in [
            ("https://q.io/v2/", "q.io", R, true),
            ("http://q.io", "q.io", R, true),
            ("q.io", "q.io", R, true),
            ("q.io/team", "q.io", R, false),
            ("q.io/v1/", "q.io", N, true),
            ("https://q.io:443/", "q.io", R, false),
            ("q.io.evil.example", "q.io", R, false),
            ("https://q.io.evil.example/", "q.io", R, false),
            ("https://index.docker.io/v1/", "docker.io", R, true),
            ("index.docker.io", "docker.io", R, true),
            ("docker.io", "registry-1.docker.io", R, true),
            ("docker.io/team", "docker.io", R, false),
            ("docker.io", "q.io", R, false),
        ] {
            assert_eq!(
                means(key, registry, paths),
                expected,
                "{key} for {registry}"
            );
        }
    }
}
