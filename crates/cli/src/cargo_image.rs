//! The program `cargo-image`, which cargo runs as `cargo image`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cooperage_cargo::cargo_image_main()
}
