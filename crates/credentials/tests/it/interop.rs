//! The same file says the same to skopeo and to us.

use cooperage_testkit::peers::{self, Generation};

use crate::{Place, shown};

#[test]
fn skopeo_finds_the_same_name() {
    for generation in [Generation::Stable, Generation::Modern] {
        let Some(skopeo) = peers::skopeo(generation) else {
            continue;
        };
        let config = r#"{"auths": {
            "q.io": {"auth": "cmVnaXN0cnk6cA=="},
            "q.io/team": {"auth": "dGVhbTpw"},
            "q.io/team/app": {"auth": "YXBwOnA="},
            "https://r.io:5000/v1/": {"auth": "dXJsOnA="},
            "https://index.docker.io/v1/": {"auth": "aHViOnA="},
            "empty.io": {}
        }}"#;
        let place = Place::new(config);
        let file = place.file().into_os_string().into_string().unwrap();
        for (registry, repository, expected) in [
            ("q.io", "", "registry"),
            ("q.io", "team/app", "app"),
            ("q.io", "team/other", "team"),
            ("q.io", "others", "registry"),
            ("r.io:5000", "", "url"),
            ("docker.io", "", "hub"),
            ("empty.io", "", "-"),
            ("s.io", "", "-"),
        ] {
            let name = match repository {
                "" => registry.to_owned(),
                repository => format!("{registry}/{repository}"),
            };
            let ours = shown(&place.find(registry, repository));
            let ours = ours.split(':').next().unwrap();
            assert_eq!(ours, expected, "{name}");
            let args = ["login", "--get-login", "--authfile", &file, &name];
            let theirs = skopeo.run(args).map(|said| said.trim().to_owned());
            match theirs {
                Ok(user) => assert_eq!(user, expected, "{name} to skopeo"),
                Err(_) => assert_eq!(expected, "-", "{name} to skopeo"),
            }
        }
    }
}
