//! What is secret is never shown, whatever the file.

use proptest::prelude::*;

use crate::{AUTH, Place, SECRET};

/// All that could be shown of a search.
fn all_that_is_shown(place: &Place) -> String {
    let credentials = place.credentials();
    let found = credentials.find("q.io", "team/app");
    let texts: Vec<_> = found.warnings.iter().map(ToString::to_string).collect();
    let origin = found.origin.as_ref().map(ToString::to_string);
    format!("{credentials:?} {found:?} {found:#?} {texts:?} {origin:?}")
}

#[track_caller]
fn assert_hidden(config: &str) {
    let shown = all_that_is_shown(&Place::new(config));
    for secret in [SECRET, AUTH] {
        assert!(!shown.contains(secret), "{config}: {shown}");
    }
}

/// The secret stands wherever a text can stand, in files of the right shape and of wrong ones.
#[test]
fn a_secret_is_not_shown() {
    for value in [SECRET, AUTH] {
        for config in [
            r#"{"auths": {"q.io": {"auth": "S"}}}"#,
            r#"{"auths": {"q.io": {"username": "u", "password": "S"}}}"#,
            r#"{"auths": {"q.io": {"identitytoken": "S"}}}"#,
            r#"{"auths": {"q.io": {"registrytoken": "S"}}}"#,
            r#"{"auths": {"q.io": "S"}}"#,
            r#"{"auths": {"q.io": ["S"]}}"#,
            r#"{"auths": {"q.io": {"auth": ["S"]}}}"#,
            r#"{"auths": {"q.io": {"auth": {"S": "S"}}}}"#,
            r#"{"auths": {"q.io": {"auth": "S}}}"#,
            r#"{"auths": {"q.io": {"password": "S"}}}"#,
            r#"{"auths": "S"}"#,
            r#"{"auths": ["S"]}"#,
            r#"{"credHelpers": "S"}"#,
            r#"{"credHelpers": {"q.io": ["S"]}}"#,
            r#"{"credsStore": ["S"]}"#,
            r#"{"credsStore": {"S": 1}}"#,
            r#""S""#,
            r#"{"auths": {"q.io": {"auth": "S"}}} S"#,
            "S",
        ] {
            assert_hidden(&config.replace('S', value));
        }
    }
}

fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("5".to_owned()),
        Just(format!("\"{SECRET}\"")),
        Just(format!("\"{AUTH}\"")),
    ];
    // None of the names of programs: a secret there would be run.
    let key = prop_oneof![
        Just("auths"),
        Just("q.io"),
        Just("q.io/team"),
        Just("auth"),
        Just("username"),
        Just("password"),
        Just("identitytoken"),
        Just("registrytoken"),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3)
                .prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((key.clone(), inner), 0..4).prop_map(|members| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(key, value)| format!("\"{key}\":{value}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Of a name, which may be shown, nothing is said here.
    #[test]
    fn nor_from_any_other_shape(json in any_json(), cut in 0..400_usize) {
        let json = json.get(..cut).unwrap_or(&json);
        let named = json.contains(&format!("\"username\":\"{SECRET}\""))
            || json.contains(&format!("\"username\":\"{AUTH}\""));
        if !named {
            assert_hidden(json);
        }
    }

    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), repository in ".{0,20}") {
        let place = Place::new("{}");
        std::fs::write(place.file(), &bytes).unwrap();
        drop(place.find("q.io", &repository));
    }
}
