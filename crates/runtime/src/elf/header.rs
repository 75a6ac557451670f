//! The ELF header, its program headers, and what follows from them.

use object::elf;

use super::source::{Fault, Layout, ReadAt, malformed, read_exactly, read_up_to};
use super::{BinaryInfo, Format, Machine, dynamic};

/// A program header, as far as it is used here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) kind: u32,
    pub(super) offset: u64,
    pub(super) address: u64,
    pub(super) file_size: u64,
}

/// An ELF file whose header was read.
pub(super) struct Elf<'a> {
    pub(super) source: &'a dyn ReadAt,
    pub(super) layout: Layout,
    pub(super) segments: Vec<Segment>,
}

impl Elf<'_> {
    /// Where in the file the byte lies that is loaded at `address`, and how many follow it there.
    pub(super) fn locate(&self, address: u64) -> Option<(u64, u64)> {
        self.segments
            .iter()
            .filter(|segment| segment.kind == elf::PT_LOAD.0)
            .find_map(|segment| {
                let into = address.checked_sub(segment.address)?;
                let left = segment
                    .file_size
                    .checked_sub(into)
                    .filter(|left| *left > 0)?;
                Some((segment.offset.checked_add(into)?, left))
            })
    }
}

/// Longest path of an interpreter, and longest string, that is read: what a path may be.
pub(super) const MAX_STRING: usize = 4096;

pub(super) fn parse(source: &dyn ReadAt, start: &[u8]) -> Result<BinaryInfo, Fault> {
    let (Some(&class), Some(&data), Some(&abi)) = (start.get(4), start.get(5), start.get(7)) else {
        return malformed("the file ends inside its ELF header");
    };
    let layout = Layout {
        is_64: match class {
            1 => false,
            2 => true,
            _ => return malformed(format!("ELF class is {class}, expected 1 or 2")),
        },
        big_endian: match data {
            1 => false,
            2 => true,
            _ => return malformed(format!("ELF data encoding is {data}, expected 1 or 2")),
        },
    };
    if start.len() < if layout.is_64 { 64 } else { 52 } {
        return malformed("the file ends inside its ELF header");
    }
    let file_type = layout.half(start, 16);
    let number = layout.half(start, 18);
    let machine = Machine {
        number,
        bits: if layout.is_64 { 64 } else { 32 },
        big_endian: layout.big_endian,
    };
    let elf = Elf {
        source,
        layout,
        segments: segments(source, layout, start)?,
    };

    let mut info = BinaryInfo {
        format: Format::Elf,
        machine,
        ..BinaryInfo::default()
    };
    info.architecture = architecture(machine).map(str::to_owned);
    info.variant = match machine.number {
        n if n == elf::EM_AARCH64.0 => Some("v8".to_owned()),
        n if n == elf::EM_ARM.0 => arm_variant(&elf, start)?,
        _ => None,
    };
    info.interpreter = interpreter(&elf)?;
    let marked_pie = dynamic::read(&elf, &mut info)?;
    let is_dyn = file_type == elf::ET_DYN.0;
    info.is_pie = is_dyn && (info.interpreter.is_some() || marked_pie);
    // A shared library may have an interpreter as well (the C library prints its version when it
    // is started); it counts as executable then, and nothing here depends on it.
    info.is_executable = file_type == elf::ET_EXEC.0 || info.is_pie;
    info.os = operating_system(abi, info.interpreter.as_deref()).map(str::to_owned);
    Ok(info)
}

fn segments(source: &dyn ReadAt, layout: Layout, start: &[u8]) -> Result<Vec<Segment>, Fault> {
    let (offset, size_at, size) = if layout.is_64 {
        (layout.number(start, 32, 8), 54, 56)
    } else {
        (layout.number(start, 28, 4), 42, 32)
    };
    let count = usize::from(layout.half(start, size_at + 2));
    if count == 0 {
        return Ok(Vec::new());
    }
    let found = usize::from(layout.half(start, size_at));
    if found != size {
        return malformed(format!(
            "a program header is {found} bytes long, expected {size}"
        ));
    }
    // At most 65 535 of 56 bytes.
    let table = read_exactly(source, offset, count * size, "program headers")?;
    Ok(table
        .chunks_exact(size)
        .map(|record| {
            let kind = layout.word(record, 0);
            let [offset, address, file_size] = if layout.is_64 {
                [8, 16, 32]
            } else {
                [4, 8, 16]
            }
            .map(|at| layout.number(record, at, if layout.is_64 { 8 } else { 4 }));
            Segment {
                kind,
                offset,
                address,
                file_size,
            }
        })
        .collect())
}

fn interpreter(elf: &Elf<'_>) -> Result<Option<String>, Fault> {
    let Some(segment) = elf
        .segments
        .iter()
        .find(|segment| segment.kind == elf::PT_INTERP.0)
    else {
        return Ok(None);
    };
    let len = usize::try_from(segment.file_size).unwrap_or(usize::MAX);
    if len == 0 || len > MAX_STRING {
        return malformed(format!(
            "the interpreter's path is said to be {len} bytes long"
        ));
    }
    let bytes = read_exactly(elf.source, segment.offset, len, "interpreter's path")?;
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    match std::str::from_utf8(&bytes[..end]) {
        Ok(text) if text.starts_with('/') => Ok(Some(text.to_owned())),
        Ok(text) => malformed(format!("the interpreter's path `{text}` is not absolute")),
        Err(_) => malformed("the interpreter's path is not UTF-8"),
    }
}

/// OCI's word for a machine (Go's `GOARCH`).
fn architecture(machine: Machine) -> Option<&'static str> {
    let little = !machine.big_endian;
    Some(match (elf::Machine(machine.number), machine.bits) {
        (elf::EM_X86_64, 64) => "amd64",
        (elf::EM_386, 32) => "386",
        (elf::EM_AARCH64, 64) if little => "arm64",
        (elf::EM_ARM, 32) if little => "arm",
        (elf::EM_RISCV, 64) => "riscv64",
        (elf::EM_PPC64, 64) if little => "ppc64le",
        (elf::EM_PPC64, 64) => "ppc64",
        (elf::EM_S390, 64) => "s390x",
        (elf::EM_LOONGARCH, 64) => "loong64",
        (elf::EM_MIPS, 64) if little => "mips64le",
        (elf::EM_MIPS, 64) => "mips64",
        (elf::EM_MIPS, 32) if little => "mipsle",
        (elf::EM_MIPS, 32) => "mips",
        _ => return None,
    })
}

/// The ABI byte says it where it is not 0; where it is, the interpreter does, else it is Linux.
fn operating_system(abi: u8, interpreter: Option<&str>) -> Option<&'static str> {
    match abi {
        0 => Some(match interpreter {
            Some("/usr/libexec/ld.elf_so" | "/libexec/ld.elf_so") => "netbsd",
            Some("/usr/libexec/ld.so") => "openbsd",
            Some(path) if path.starts_with("/system/bin/linker") => "android",
            Some(path) if path.starts_with("/libexec/ld-elf") => "freebsd",
            _ => "linux",
        }),
        3 => Some("linux"),
        2 => Some("netbsd"),
        6 => Some("solaris"),
        9 => Some("freebsd"),
        12 => Some("openbsd"),
        _ => None,
    }
}

/// Which ARM, by the build attributes; without them nothing is claimed.
fn arm_variant(elf: &Elf<'_>, start: &[u8]) -> Result<Option<String>, Fault> {
    // Section headers of 40 bytes: sh_type at 4, sh_offset at 16, sh_size at 20.
    let (table, count) = (
        elf.layout.number(start, 32, 4),
        usize::from(elf.layout.half(start, 48)),
    );
    if elf.layout.is_64 || table == 0 || count == 0 || elf.layout.half(start, 46) != 40 {
        return Ok(None);
    }
    let headers = read_exactly(elf.source, table, count * 40, "section headers")?;
    let Some(section) = headers
        .chunks_exact(40)
        .find(|record| elf.layout.word(record, 4) == elf::SHT_ARM_ATTRIBUTES.0)
    else {
        return Ok(None);
    };
    let mut attributes = vec![0; (elf.layout.word(section, 20) as usize).min(MAX_STRING)];
    let offset = u64::from(elf.layout.word(section, 16));
    let got = read_up_to(elf.source, offset, &mut attributes)?;
    Ok(arm_attributes(&attributes[..got], elf.layout.big_endian).map(str::to_owned))
}

/// `Tag_CPU_arch` of the file's `aeabi` attributes, as an OCI variant.
fn arm_attributes(bytes: &[u8], big_endian: bool) -> Option<&'static str> {
    type Attributes<'a> =
        object::read::elf::AttributesSection<'a, elf::FileHeader32<object::Endianness>>;
    let endian = if big_endian {
        object::Endianness::Big
    } else {
        object::Endianness::Little
    };
    let mut subsections = Attributes::new(endian, bytes).ok()?.subsections().ok()?;
    while let Ok(Some(subsection)) = subsections.next() {
        if subsection.vendor() != b"aeabi" {
            continue;
        }
        let mut parts = subsection.subsubsections();
        while let Ok(Some(part)) = parts.next() {
            let mut reader = part.attributes();
            while let Ok(Some(tag)) = reader.read_tag() {
                match tag {
                    6 => {
                        return Some(match reader.read_integer().ok()? {
                            3..=5 => "v5",
                            6..=9 | 11 => "v6",
                            10 | 13 => "v7",
                            14..=16 => "v8",
                            _ => return None,
                        });
                    }
                    4 | 5 => drop(reader.read_string().ok()?),
                    32 => {
                        reader.read_integer().ok()?;
                        reader.read_string().ok()?;
                    }
                    odd if odd > 32 && odd % 2 == 1 => drop(reader.read_string().ok()?),
                    _ => drop(reader.read_integer().ok()?),
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arm_build_attributes_give_the_variant() {
        // 'A', subsection of 0x1e bytes "aeabi\0", file attributes: CPU_name "7-A", CPU_arch 10.
        let mut bytes = vec![b'A'];
        let inner = [&[5][..], b"7-A\0", &[6, 10]].concat();
        let part_len = (5 + inner.len()) as u32;
        let len = 4 + 6 + part_len;
        bytes.extend(len.to_le_bytes());
        bytes.extend(b"aeabi\0");
        bytes.push(1);
        bytes.extend(part_len.to_le_bytes());
        bytes.extend(inner);
        assert_eq!(arm_attributes(&bytes, false), Some("v7"));
        for len in 0..bytes.len() {
            let _ = arm_attributes(&bytes[..len], false);
        }
    }
}
