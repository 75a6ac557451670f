//! Prints a greeting from a file.

use std::{env, fs};

fn main() {
    let file = env::var("GREETING_FILE").unwrap_or_else(|_| "etc/greeting.txt".to_owned());
    let greeting = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let names: Vec<String> = env::args().skip(1).collect();
    println!("{}, {}!", greeting.trim_end(), names.join(" and "));
}
