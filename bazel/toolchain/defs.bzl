"""For those who bring a tool of their own."""

load(
    "//bazel/private:toolchain.bzl",
    _cooperage_launcher_toolchain = "cooperage_launcher_toolchain",
    _cooperage_toolchain = "cooperage_toolchain",
)

cooperage_launcher_toolchain = _cooperage_launcher_toolchain
cooperage_toolchain = _cooperage_toolchain
