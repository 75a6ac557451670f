//! `cargo xtask image` packs this workspace's service.

fn main() -> std::process::ExitCode {
    cooperage_cargo::xtask_main()
}
