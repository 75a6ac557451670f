//! One program for all targets: `fuzz --target=NAME`, and then what libFuzzer takes.

#![no_main]
#![allow(
    missing_docs,
    unsafe_code,
    reason = "what libFuzzer calls has names of its own"
)]

use std::sync::OnceLock;

use cooperage_fuzz::Target;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

/// libFuzzer passes over arguments with two hyphens.
fn target() -> &'static Target {
    static TARGET: OnceLock<&Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let mut arguments = std::env::args();
        let name =
            arguments.find_map(|argument| Some(argument.strip_prefix("--target=")?.to_owned()));
        let name = name.expect("`--target=NAME` says which target is run");
        cooperage_fuzz::find(&name).expect("`--target=NAME` names a target")
    })
}

fuzz_target!(|bytes: &[u8]| (target().run)(bytes));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let target = target();
    // Half of all inputs are changed by libFuzzer as it likes, and one in eight stays as wrong as
    // it then is.
    let mutate = target.mutate.filter(|_| seed.is_multiple_of(2));
    let Some(repair) = target.repair else {
        return fuzzer_mutate(data, size, max_size);
    };
    let mut bytes = if let Some(mutate) = mutate {
        let mut bytes = data[..size].to_vec();
        for change in 0..=seed / 2 % 4 {
            mutate(
                &mut bytes,
                max_size,
                u64::from(seed) * 4 + u64::from(change),
            );
        }
        bytes
    } else {
        let size = fuzzer_mutate(data, size, max_size);
        data[..size].to_vec()
    };
    if seed % 16 / 2 != 0 {
        repair(&mut bytes);
    }
    let size = bytes.len().min(max_size);
    data[..size].copy_from_slice(&bytes[..size]);
    size
});
