//! Mach-O and PE, as far as needed to say for whom such a file is.

use object::{FileKind, macho, pe};

use super::source::Layout;
use super::{BinaryInfo, Format};

/// Reads the first bytes of a file that is not ELF.
pub(super) fn parse(start: &[u8]) -> BinaryInfo {
    let (format, os, architecture) = match FileKind::parse(start) {
        Ok(FileKind::MachO32 | FileKind::MachO64) => (Format::MachO, "darwin", mach_o(start)),
        // A Java class begins with the same four bytes; its version follows, 43 and up, where a
        // universal file has the small number of its parts.
        Ok(FileKind::MachOFat32 | FileKind::MachOFat64) if big(start, 4) <= 30 => {
            (Format::MachO, "darwin", None)
        }
        Ok(FileKind::Pe32 | FileKind::Pe64) => (Format::Pe, "windows", portable(start)),
        _ => return BinaryInfo::default(),
    };
    BinaryInfo {
        format,
        os: Some(os.to_owned()),
        architecture: architecture.map(str::to_owned),
        ..BinaryInfo::default()
    }
}

const BIG: Layout = Layout {
    is_64: false,
    big_endian: true,
};
const LITTLE: Layout = Layout {
    is_64: false,
    big_endian: false,
};

fn big(start: &[u8], at: usize) -> u32 {
    BIG.word(start, at)
}

/// The processor of a thin Mach-O file: the word after the magic, in the magic's byte order.
fn mach_o(start: &[u8]) -> Option<&'static str> {
    let layout = if start.first() == Some(&0xfe) {
        BIG
    } else {
        LITTLE
    };
    Some(match macho::CpuType(layout.word(start, 4)) {
        macho::CPU_TYPE_X86_64 => "amd64",
        macho::CPU_TYPE_ARM64 => "arm64",
        macho::CPU_TYPE_X86 => "386",
        macho::CPU_TYPE_ARM => "arm",
        _ => return None,
    })
}

/// The processor of a PE file: the half word after its signature, which the DOS header points to.
fn portable(start: &[u8]) -> Option<&'static str> {
    let signature = LITTLE.word(start, 0x3c) as usize;
    Some(
        match pe::Machine(LITTLE.half(start, signature.checked_add(4)?)) {
            pe::IMAGE_FILE_MACHINE_AMD64 => "amd64",
            pe::IMAGE_FILE_MACHINE_ARM64 => "arm64",
            pe::IMAGE_FILE_MACHINE_I386 => "386",
            pe::IMAGE_FILE_MACHINE_ARMNT => "arm",
            _ => return None,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(start: &[u8], expect: &str) {
        let mut bytes = start.to_vec();
        bytes.resize(512, 0);
        let info = parse(&bytes);
        assert_eq!(
            format!("{} {}", info.format, info.platform()),
            expect,
            "{start:02x?}"
        );
    }

    #[test]
    fn formats_and_processors() {
        check(&[0xcf, 0xfa, 0xed, 0xfe, 7, 0, 0, 1], "Mach-O darwin/amd64");
        check(
            &[0xcf, 0xfa, 0xed, 0xfe, 12, 0, 0, 1],
            "Mach-O darwin/arm64",
        );
        check(&[0xfe, 0xed, 0xfa, 0xce, 0, 0, 0, 7], "Mach-O darwin/386");
        check(&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2], "Mach-O darwin/?");
        check(&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52], "not a binary ?/?");
        let mut windows = vec![0; 0x40];
        windows[..2].copy_from_slice(b"MZ");
        windows[0x3c] = 0x40;
        windows.extend(b"PE\0\0\x64\x86");
        windows.resize(0x58, 0);
        windows.extend([0x0b, 0x02]);
        check(&windows, "PE windows/amd64");
    }
}
