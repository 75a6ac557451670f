//! The whole of the program that cargo runs as `cargo image`.

fn main() -> std::process::ExitCode {
    cooperage_cargo::cargo_image_main()
}
