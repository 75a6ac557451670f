//! What is installed, and what each generation must be able to do.

/// Packages of the machine's own release.
pub(super) const STABLE: &[&str] = &[
    // Peers that load, run, read and unpack images.
    "buildah",
    "containerd",
    "docker-registry",
    "docker.io",
    "podman",
    "runc",
    "skopeo",
    "umoci",
    // What tests use beside them.
    "attr",
    "busybox-static",
    "ca-certificates",
    // Builds zlib-ng, whose bytes must not become ours.
    "cmake",
    // Builds libFuzzer.
    "g++",
    "git",
    // Reads gzip as registries' own programs do.
    "golang-go",
    "libarchive-tools",
    "libcap2-bin",
    // An HTTP cache of Bazel's.
    "nginx-light",
    "openssl",
    // What a server of remote execution keeps its queue in.
    "postgresql-15",
    "python3",
    // Reads the schema of plans.
    "python3-jsonschema",
    // Where that server lives.
    "python3-venv",
    "strace",
    "tar",
    // Other readers and writers of the same codecs.
    "isal",
    "libdeflate-tools",
    "pigz",
    "xz-utils",
    "zstd",
    // Other processors, so that none shows in a digest.
    "qemu-user",
    // What makes the modern root.
    "debootstrap",
];

/// Packages of the modern root.
const MODERN: &[&str] = &[
    "buildah",
    "busybox-static",
    "ca-certificates",
    "containerd",
    // 18 MB to fetch, 83 MB installed.
    "cosign",
    "crane",
    "docker-cli",
    "docker-registry",
    "docker.io",
    "libarchive-tools",
    "libcap2-bin",
    "oras",
    "podman",
    "runc",
    "skopeo",
    "tar",
    "umoci",
    // Rust for two platforms: an installation by rustup has but its own target.
    "cargo",
    "gcc",
    "libc6-dev",
    "rustc",
];

/// The second platform that the modern root builds for, by Debian's name.
pub(super) const FOREIGN: &str = if cfg!(target_arch = "aarch64") {
    "amd64"
} else {
    "arm64"
};

/// What building for it takes.
const CROSS: &[&str] = if cfg!(target_arch = "aarch64") {
    &[
        "gcc-x86-64-linux-gnu",
        "libc6-dev-amd64-cross",
        "libstd-rust-dev:amd64",
    ]
} else {
    &[
        "gcc-aarch64-linux-gnu",
        "libc6-dev-arm64-cross",
        "libstd-rust-dev:arm64",
    ]
};

/// All packages of the modern root.
pub(super) fn modern() -> Vec<&'static str> {
    [MODERN, CROSS, BAZEL].concat()
}

/// Packages of the modern root that tests of the Bazel rules ask for.
///
/// They are three times as large as all others together.
const BAZEL: &[&str] = &[
    "bazel-bootstrap",
    "bazel-features",
    "bazel-lib",
    "bazel-platforms",
    "bazel-rules-cc",
    "bazel-rules-java",
    "bazel-rules-license",
    "bazel-rules-pkg",
    "bazel-rules-proto",
    "bazel-rules-python",
    "bazel-rules-rust",
    "bazel-rules-shell",
    "bazel-skylib",
    "bazel-stardoc",
    // What builds others' actions when they are executed remotely.
    "bubblewrap",
    "buildbox",
    "default-jdk-headless",
    "g++",
    "git",
    // What rules_rust's own tool is built from.
    "librust-tinyjson-dev",
    "python3",
];

/// A counterpart that tests name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// What people call it.
    pub(super) title: &'static str,
    /// The package whose version counts.
    pub(super) package: &'static str,
    /// The program, started with `probe` to see that it starts at all.
    pub(super) program: &'static str,
    /// Arguments that make the program say something and end well.
    pub(super) probe: &'static str,
    /// Whether the machine's own release has it.
    pub(super) stable: bool,
    /// The lowest version that will do in the modern root; `None` where it is not asked for.
    pub(super) modern: Option<&'static str>,
}

const fn peer(
    title: &'static str,
    package: &'static str,
    program: &'static str,
    lowest: &'static str,
) -> Peer {
    Peer {
        title,
        package,
        program,
        probe: "--version",
        stable: true,
        modern: Some(lowest),
    }
}

const fn tool(package: &'static str, program: &'static str, probe: &'static str) -> Peer {
    Peer {
        title: package,
        package,
        program,
        probe,
        stable: true,
        modern: None,
    }
}

/// All of them. What is not listed here is installed but never shown.
pub(super) const PEERS: &[Peer] = &[
    peer("Docker Engine", "docker.io", "usr/sbin/dockerd", "28"),
    peer("containerd", "containerd", "usr/bin/containerd", "2"),
    peer("runc", "runc", "usr/sbin/runc", "1.2"),
    peer("skopeo", "skopeo", "usr/bin/skopeo", "1.20"),
    peer("umoci", "umoci", "usr/bin/umoci", "0.6"),
    peer("buildah", "buildah", "usr/bin/buildah", "1.40"),
    peer("podman", "podman", "usr/bin/podman", "5"),
    peer(
        "registry",
        "docker-registry",
        "usr/bin/docker-registry",
        "2.8",
    ),
    Peer {
        stable: false,
        probe: "--help",
        ..peer("crane", "crane", "usr/bin/crane", "0.20")
    },
    Peer {
        stable: false,
        probe: "version",
        ..peer("oras", "oras", "usr/bin/oras", "1.2")
    },
    Peer {
        stable: false,
        probe: "version",
        ..peer("cosign", "cosign", "usr/bin/cosign", "3")
    },
    tool("busybox-static", "bin/busybox", "true"),
    peer(
        "libarchive-tools",
        "libarchive-tools",
        "usr/bin/bsdtar",
        "3.7",
    ),
    peer("GNU tar", "tar", "bin/tar", "1.35"),
    tool("libcap2-bin", "sbin/getcap", "/dev/null"),
    tool("attr", "usr/bin/getfattr", "--version"),
    tool("python3", "usr/bin/python3", "--version"),
    tool("openssl", "usr/bin/openssl", "version"),
    tool("cmake", "usr/bin/cmake", "--version"),
    tool("golang-go", "usr/bin/go", "version"),
    tool("pigz", "usr/bin/pigz", "--version"),
    tool("isal", "usr/bin/igzip", "--version"),
    tool("libdeflate-tools", "usr/bin/libdeflate-gzip", "-V"),
    tool("zstd", "usr/bin/zstd", "--version"),
    tool("xz-utils", "usr/bin/xz", "--version"),
    tool("qemu-user", "usr/bin/qemu-x86_64", "--version"),
    tool("strace", "usr/bin/strace", "--version"),
    tool("nginx-light", "usr/sbin/nginx", "-v"),
    tool(
        "postgresql-15",
        "usr/lib/postgresql/15/bin/postgres",
        "--version",
    ),
    // Bazel opens the program it is as an archive, which under a loader is the loader.
    Peer {
        stable: false,
        probe: "/bin/true",
        ..peer(
            "Bazel",
            "bazel-bootstrap",
            "usr/share/bazel/process-wrapper",
            "7.7",
        )
    },
    Peer {
        stable: false,
        ..peer("buildbox", "buildbox", "usr/bin/buildbox-worker", "1.3")
    },
    Peer {
        stable: false,
        ..peer("cargo", "cargo", "usr/bin/cargo", "1.88")
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_is_installed_where_it_is_asked_for() {
        for peer in PEERS {
            let title = peer.title;
            assert_eq!(
                peer.stable,
                STABLE.contains(&peer.package),
                "{title}, this machine"
            );
            assert!(
                peer.modern.is_none() || modern().contains(&peer.package),
                "{title}, modern"
            );
        }
    }
}
