//! Platforms: names, matching, choice.

use cooperage_digest::Digest;
use cooperage_image_spec::{Descriptor, MediaType, Platform, platform};

fn parse(text: &str) -> Platform {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn texts() {
    for (text, printed, normalized) in [
        ("linux/amd64", "linux/amd64", "linux/amd64"),
        ("Linux/x86_64", "linux/amd64", "linux/amd64"),
        ("linux/x86-64/v1", "linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3", "linux/amd64/v3"),
        ("amd64", "linux/amd64", "linux/amd64"),
        ("i386", "linux/386", "linux/386"),
        ("linux/i386/v2", "linux/386", "linux/386"),
        ("linux/aarch64", "linux/arm64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64/8", "linux/arm64"),
        ("linux/arm64/v8.0", "linux/arm64/v8.0", "linux/arm64"),
        ("linux/arm64/v9.0", "linux/arm64/v9.0", "linux/arm64/v9"),
        ("linux/arm64/v8.2", "linux/arm64/v8.2", "linux/arm64/v8.2"),
        ("linux/arm", "linux/arm", "linux/arm/v7"),
        ("linux/arm/7", "linux/arm/7", "linux/arm/v7"),
        ("linux/arm/V6", "linux/arm/v6", "linux/arm/v6"),
        ("linux/armhf", "linux/arm/v7", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6", "linux/arm/v6"),
        ("macos/arm64", "darwin/arm64", "darwin/arm64"),
        (
            "windows(10.0.20348)/amd64",
            "windows(10.0.20348)/amd64",
            "windows(10.0.20348)/amd64",
        ),
        ("linux/riscv64", "linux/riscv64", "linux/riscv64"),
        ("unknown/unknown", "unknown/unknown", "unknown/unknown"),
    ] {
        let platform = parse(text);
        assert_eq!(platform.to_string(), printed, "{text}");
        assert_eq!(platform.normalized().to_string(), normalized, "{text}");
        assert_eq!(parse(printed), platform, "{text}");
    }
}

#[test]
fn texts_refused() {
    const FORM: &str = "expected `os/architecture[/variant]`";
    for (text, expected) in [
        (
            "",
            format!("`` is not a platform: its architecture is empty, {FORM}"),
        ),
        (
            "/amd64",
            format!("`/amd64` is not a platform: its operating system is empty, {FORM}"),
        ),
        (
            "linux/arm/",
            format!("`linux/arm/` is not a platform: its variant is empty, {FORM}"),
        ),
        (
            "a/b/c/d",
            format!("`a/b/c/d` is not a platform: 4 parts, {FORM}"),
        ),
        (
            "linux",
            "`linux` names an operating system alone: expected `linux/architecture`".into(),
        ),
        (
            "linux/amd 64",
            "`linux/amd 64` is not a platform: ` ` may not stand in its architecture".into(),
        ),
        (
            "windows(/amd64",
            "`windows(/amd64` is not a platform: `(` may not stand in its operating system".into(),
        ),
    ] {
        assert_eq!(text.parse::<Platform>().unwrap_err().to_string(), expected);
    }
}

/// What a machine of the first platform runs, best first, and what it does not run.
#[test]
fn order_of_candidates() {
    for (wanted, best_first, never) in [
        (
            "linux/arm/v8",
            &["arm/v8", "arm/v7", "arm/v6", "arm/v5"][..],
            &["arm64"][..],
        ),
        (
            "linux/arm",
            &["arm", "arm/v6", "arm/v5"],
            &["arm/v8", "arm64", "amd64"],
        ),
        (
            "linux/arm/v6",
            &["arm/v6", "arm/v5"],
            &["arm", "arm/v7", "arm/v8"],
        ),
        ("linux/arm/v5", &["arm/v5"], &["arm/v6", "arm/v4"]),
        (
            "linux/arm64",
            &["arm64"],
            &["arm64/v8.1", "arm64/v9", "arm/v7", "arm/v8"],
        ),
        (
            "linux/arm64/v8.2",
            &["arm64/v8.2", "arm64/v8.1", "arm64/v8"],
            &["arm64/v8.3", "arm64/v9"],
        ),
        (
            "linux/arm64/v9.2",
            &[
                "arm64/v9.2",
                "arm64/v9.1",
                "arm64/v9",
                "arm64/v8.7",
                "arm64/v8.6",
                "arm64/v8.5",
                "arm64/v8.4",
                "arm64/v8.3",
                "arm64/v8.2",
                "arm64/v8.1",
                "arm64",
            ],
            &["arm64/v9.3", "arm64/v8.8"],
        ),
        (
            "linux/arm64/v9",
            &["arm64/v9", "arm64/v8.5", "arm64"],
            &["arm64/v9.1", "arm64/v8.6"],
        ),
        ("linux/amd64", &["amd64"], &["amd64/v2", "386", "arm64"]),
        (
            "linux/amd64/v3",
            &["amd64/v3", "amd64/v2", "amd64"],
            &["amd64/v4", "386"],
        ),
        ("linux/amd64/odd", &["amd64/odd"], &["amd64", "amd64/v2"]),
        ("linux/amd64/v255", &["amd64/v255"], &["amd64/v99", "amd64"]),
        ("linux/riscv64", &["riscv64"], &["riscv64/x"]),
    ] {
        let wanted = parse(wanted);
        let linux = |text: &str| format!("linux/{text}");
        for never in never {
            assert!(
                !parse(&linux(never)).matches(&wanted),
                "{never} for {wanted}"
            );
        }
        // The worst stands first: order in the index must not decide.
        let mut entries: Vec<_> = best_first
            .iter()
            .rev()
            .map(|text| entry(&linux(text)))
            .collect();
        while let Some(best) = entries.last() {
            assert_eq!(platform::select(&entries, &wanted), Some(best), "{wanted}");
            entries.pop();
        }
    }
}

fn entry(platform: &str) -> Descriptor {
    let digest = Digest::of(platform.as_bytes());
    Descriptor::new(MediaType::OCI_MANIFEST, digest, 1)
        .with(|descriptor| descriptor.platform = Some(parse(platform)))
}

#[test]
fn of_equally_good_ones_the_first() {
    let wanted = Platform::linux_arm64();
    let (a, b) = (entry("linux/arm64/v8"), entry("arm64"));
    let none = Descriptor {
        platform: None,
        ..entry("arm64")
    };
    let attestation = entry("unknown/unknown");
    let all = [attestation, none, a.clone(), b.clone()];
    assert_eq!(platform::select(&all, &wanted), Some(&a));
    assert_eq!(platform::select(&[b.clone(), a], &wanted), Some(&b));
    assert_eq!(platform::select(&all[..2], &wanted), None);
    assert_eq!(platform::select(&[], &wanted), None);
}

#[test]
fn versions_and_features() {
    for (this, wanted, expected) in [
        (
            "windows(10.0.20348.1)/amd64",
            "windows(10.0.20348.2)/amd64",
            true,
        ),
        (
            "windows(10.0.17763.1)/amd64",
            "windows(10.0.20348.1)/amd64",
            false,
        ),
        ("windows/amd64", "windows(10.0.20348)/amd64", true),
        ("windows(10.0.20348)/amd64", "windows/amd64", true),
        ("linux(5)/amd64", "linux(6)/amd64", true),
        ("windows/amd64", "linux/amd64", false),
    ] {
        assert_eq!(
            parse(this).matches(&parse(wanted)),
            expected,
            "{this} for {wanted}"
        );
    }
    let with = |features: &[&str]| Platform {
        os_features: features.iter().map(|&feature| feature.into()).collect(),
        ..Platform::new("windows", "amd64")
    };
    assert!(with(&["win32k"]).matches(&with(&["win32k", "x"])));
    assert!(!with(&["win32k"]).matches(&with(&["x"])));
    assert!(with(&["win32k"]).matches(&with(&[])));
    assert!(with(&[]).matches(&with(&["x"])));
}

#[test]
fn this_machine_runs_its_own() {
    let host = Platform::host_linux();
    assert_eq!(host.os, "linux");
    assert!(host.matches(&host));
    #[cfg(target_arch = "x86_64")]
    assert_eq!(host, Platform::linux_amd64());
    #[cfg(target_arch = "aarch64")]
    assert_eq!(host, Platform::linux_arm64());
}
