//! The directories a loader looks through when nothing else says where a library is.

use std::io;

use object::elf;

use crate::elf::{Machine, ReadAt};

/// musl's own, where it has no path file.
pub(crate) const MUSL: [&str; 3] = ["/lib", "/usr/local/lib", "/usr/lib"];

/// Every directory that some distribution's glibc looks through by default, best first.
pub(crate) fn candidates(machine: Machine) -> Vec<String> {
    let mut found = Vec::new();
    for triplet in triplets(machine) {
        found.push(format!("/lib/{triplet}"));
        found.push(format!("/usr/lib/{triplet}"));
    }
    let plain: &[&str] = match (elf::Machine(machine.number), machine.bits) {
        (elf::EM_RISCV, _) => &["/lib64/lp64d", "/usr/lib64/lp64d", "/lib64", "/usr/lib64"],
        (elf::EM_X86_64, 32) => &["/libx32", "/usr/libx32"],
        (_, 64) => &["/lib64", "/usr/lib64"],
        _ => &["/lib32", "/usr/lib32"],
    };
    found.extend(
        plain
            .iter()
            .chain(&["/lib", "/usr/lib"])
            .map(|path| (*path).to_owned()),
    );
    found
}

/// Debian's names of a machine.
fn triplets(machine: Machine) -> &'static [&'static str] {
    match (
        elf::Machine(machine.number),
        machine.bits,
        machine.big_endian,
    ) {
        (elf::EM_X86_64, 64, _) => &["x86_64-linux-gnu"],
        (elf::EM_X86_64, 32, _) => &["x86_64-linux-gnux32"],
        (elf::EM_386, ..) => &["i386-linux-gnu"],
        (elf::EM_AARCH64, _, false) => &["aarch64-linux-gnu"],
        (elf::EM_ARM, ..) => &["arm-linux-gnueabihf", "arm-linux-gnueabi"],
        (elf::EM_RISCV, 64, _) => &["riscv64-linux-gnu"],
        (elf::EM_PPC64, _, false) => &["powerpc64le-linux-gnu"],
        (elf::EM_PPC64, _, true) => &["powerpc64-linux-gnu"],
        (elf::EM_S390, 64, _) => &["s390x-linux-gnu"],
        (elf::EM_LOONGARCH, 64, _) => &["loongarch64-linux-gnu"],
        (elf::EM_MIPS, 64, false) => &["mips64el-linux-gnuabi64"],
        _ => &[],
    }
}

/// Which of `candidates` a loader looks through, in its own order.
///
/// glibc's loader holds its directories as one table of strings, each with a slash at its end; a
/// directory it does not name, it does not search. `None` when it names none of them, as a loader
/// with a prefix of its own does.
pub(crate) fn named_by(
    loader: &dyn ReadAt,
    candidates: &[String],
) -> io::Result<Option<Vec<String>>> {
    let bytes = start_of(loader)?;
    let mut found: Vec<(usize, &String)> = Vec::new();
    for candidate in candidates {
        let wanted = format!("\0{candidate}/\0");
        if let Some(at) = position(&bytes, wanted.as_bytes()) {
            found.push((at, candidate));
        }
    }
    if found.is_empty() {
        return Ok(None);
    }
    found.sort_unstable();
    Ok(Some(
        found
            .into_iter()
            .map(|(_, candidate)| candidate.clone())
            .collect(),
    ))
}

/// Loaders are some 200 KiB long, with debug information a few MiB.
const MAX_LOADER: usize = 8 << 20;

fn start_of(loader: &dyn ReadAt) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    while bytes.len() < MAX_LOADER {
        match loader.read_at(bytes.len() as u64, &mut chunk) {
            Ok(0) => break,
            Ok(got) => bytes.extend_from_slice(&chunk[..got]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

/// Every string sought begins with a NUL and a slash, which few places of a binary have.
fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(slash) = bytes.get(from..)?.iter().position(|byte| *byte == b'/') {
        let at = from + slash;
        if at > 0 && bytes[at - 1..].starts_with(wanted) {
            return Some(at - 1);
        }
        from = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loader_names_its_directories() {
        let machine = Machine {
            number: elf::EM_X86_64.0,
            bits: 64,
            big_endian: false,
        };
        let check = |bytes: &[u8], expect: Option<&[&str]>| {
            let found = named_by(&bytes, &candidates(machine)).expect("memory can be read");
            let found = found
                .as_ref()
                .map(|found| found.iter().map(String::as_str).collect());
            assert_eq!(found, expect.map(<[&str]>::to_vec));
        };
        check(
            b"\x7fELF\0/usr/lib64/\0/lib64/\0",
            Some(&["/usr/lib64", "/lib64"]),
        );
        check(
            b"x\0/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0",
            Some(&[
                "/lib/x86_64-linux-gnu",
                "/usr/lib/x86_64-linux-gnu",
                "/lib",
                "/usr/lib",
            ]),
        );
        check(b"\0/nix/store/x-glibc/lib/\0/lib/ld\0", None);
        check(b"", None);
    }
}
