//! glibc's `ld.so.cache`, in its new format, read and written.
//!
//! The format is `glibc-ld.so.cache1.1`, which every glibc since 2.2 reads: a header of 48 bytes,
//! entries of 24 bytes sorted descending by name, then the strings. Files that `ldconfig` wrote
//! before glibc 2.32 have the old format in front, which is skipped.

use std::cmp::Ordering;

use object::elf;

use crate::elf::Machine;

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";
const HEADER: usize = 48;
const ENTRY: usize = 24;

/// Where the loader finds a library, by name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CacheEntry {
    /// The name that is needed, such as `libpq.so.5`.
    pub name: String,
    /// The absolute path where the file lies.
    pub path: String,
    /// Which kind of library it is, in the cache's own numbers ([`cache_flags`]).
    pub flags: u32,
    /// Whether it is for some processors only (`glibc-hwcaps`, and legacy capabilities).
    pub is_variant: bool,
}

/// Why a cache could not be read or written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// It is no cache in the new format.
    #[error("it does not begin with `glibc-ld.so.cache1.1`")]
    Magic,
    /// It is for the other byte order.
    #[error("its byte order is {found}, expected 0 or 2 (little)")]
    ByteOrder {
        /// The header's flags.
        found: u8,
    },
    /// It claims more than it has.
    #[error("it ends inside its {what}")]
    Short {
        /// Which part is cut off.
        what: &'static str,
    },
    /// The loader compares names byte by byte as signed characters on some machines.
    #[error("the name `{name}` is not ASCII or has a NUL byte")]
    Name {
        /// The name or path.
        name: String,
    },
    /// Strings are found by numbers of 32 bits.
    #[error("its strings would pass 4 GiB")]
    Size,
}

/// The `flags` by which the loader of a machine knows its own libraries; `None` where unknown here.
///
/// `float` tells the two conventions of 32-bit ARM apart.
#[must_use]
pub fn cache_flags(machine: Machine, float: Float) -> Option<u32> {
    // `FLAG_ELF_LIBC6`, with the ABI in the second byte.
    const LIBC6: u32 = 3;
    let abi = match (elf::Machine(machine.number), machine.bits) {
        (elf::EM_386, 32) => 0x0000,
        (elf::EM_X86_64, 64) => 0x0300,
        (elf::EM_S390, 64) => 0x0400,
        (elf::EM_PPC64, 64) => 0x0500,
        (elf::EM_MIPS, 64) => 0x0700,
        (elf::EM_X86_64, 32) => 0x0800,
        (elf::EM_ARM, 32) if float == Float::Hard => 0x0900,
        (elf::EM_AARCH64, 64) => 0x0a00,
        (elf::EM_ARM, 32) => 0x0b00,
        (elf::EM_RISCV, 64) => 0x1000,
        (elf::EM_LOONGARCH, 64) => 0x1200,
        _ => return None,
    };
    Some(abi | LIBC6)
}

/// How 32-bit ARM passes floating-point numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Float {
    /// In registers of its own (`armhf`), and every other machine.
    Hard,
    /// In the common registers (`armel`).
    Soft,
}

/// Reads a cache.
///
/// Entries whose strings lie outside, or are no text, are left out, as the loader leaves them.
pub fn parse(bytes: &[u8]) -> Result<Vec<CacheEntry>, CacheError> {
    let bytes = after_old_format(bytes)?;
    if !bytes.starts_with(MAGIC) {
        return Err(CacheError::Magic);
    }
    let Some(header) = bytes.get(..HEADER) else {
        return Err(CacheError::Short { what: "header" });
    };
    // 0 stands for the machine's own order, in caches older than the flag.
    let found = header[28] & 3;
    if found != 0 && found != 2 {
        return Err(CacheError::ByteOrder { found });
    }
    let count = word(header, 20) as usize;
    let end = count
        .checked_mul(ENTRY)
        .and_then(|len| len.checked_add(HEADER));
    let Some(table) = end.and_then(|end| bytes.get(HEADER..end)) else {
        return Err(CacheError::Short { what: "entries" });
    };
    Ok(table
        .chunks_exact(ENTRY)
        .filter_map(|entry| {
            Some(CacheEntry {
                name: string(bytes, word(entry, 4))?,
                path: string(bytes, word(entry, 8))?,
                flags: word(entry, 0),
                is_variant: entry[16..24] != [0; 8],
            })
        })
        .collect())
}

/// Writes a cache that holds `entries`, variants left out; the same entries give the same bytes,
/// whatever their order.
///
/// # Examples
///
/// ```
/// use cooperage_runtime::{CacheEntry, Float, Machine, cache_flags, ld_so_cache};
///
/// # fn main() -> Result<(), cooperage_runtime::CacheError> {
/// let x86_64 = Machine { number: 62, bits: 64, big_endian: false };
/// let entry = CacheEntry {
///     name: "libpq.so.5".to_owned(),
///     path: "/opt/postgres/lib/libpq.so.5".to_owned(),
///     flags: cache_flags(x86_64, Float::Hard).expect("a machine that glibc knows"),
///     is_variant: false,
/// };
/// let cache = ld_so_cache(&[entry])?;
/// assert!(cache.starts_with(b"glibc-ld.so.cache1.1"));
/// # Ok(())
/// # }
/// ```
pub fn ld_so_cache(entries: &[CacheEntry]) -> Result<Vec<u8>, CacheError> {
    let mut entries: Vec<&CacheEntry> = entries.iter().filter(|entry| !entry.is_variant).collect();
    for entry in &entries {
        for text in [&entry.name, &entry.path] {
            if !text.is_ascii() || text.contains('\0') {
                return Err(CacheError::Name { name: text.clone() });
            }
        }
    }
    // Descending, as the loader searches by halves; the path settles what is left.
    entries.sort_by(|a, b| {
        compare(b.name.as_bytes(), a.name.as_bytes())
            .then_with(|| b.flags.cmp(&a.flags))
            .then_with(|| a.name.cmp(&b.name))
            .then_with(|| a.path.cmp(&b.path))
    });
    entries.dedup();

    let mut table = Vec::new();
    let mut strings = Vec::new();
    let base = HEADER + entries.len() * ENTRY;
    for entry in &entries {
        let [name, path] = [&entry.name, &entry.path].map(|text| {
            let at = base + strings.len();
            strings.extend_from_slice(text.as_bytes());
            strings.push(0);
            at
        });
        table.extend(entry.flags.to_le_bytes());
        for at in [name, path] {
            table.extend(
                u32::try_from(at)
                    .map_err(|_| CacheError::Size)?
                    .to_le_bytes(),
            );
        }
        // No operating system version and no hardware capability is asked for.
        table.extend([0; 12]);
    }
    let count = u32::try_from(entries.len()).map_err(|_| CacheError::Size)?;
    let len = u32::try_from(strings.len()).map_err(|_| CacheError::Size)?;
    let mut bytes = Vec::with_capacity(base + strings.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend(count.to_le_bytes());
    bytes.extend(len.to_le_bytes());
    // Little endian; no extensions.
    bytes.push(2);
    bytes.resize(HEADER, 0);
    bytes.append(&mut table);
    bytes.append(&mut strings);
    Ok(bytes)
}

/// The old format is a header of 16 bytes and entries of 12; the new one follows, aligned to 8.
fn after_old_format(bytes: &[u8]) -> Result<&[u8], CacheError> {
    if !bytes.starts_with(OLD_MAGIC) {
        return Ok(bytes);
    }
    let short = CacheError::Short { what: "old format" };
    let count = bytes
        .get(12..16)
        .map(|count| word(count, 0) as usize)
        .ok_or(short.clone())?;
    let end = count
        .checked_mul(12)
        .and_then(|len| len.checked_add(16 + 7))
        .map(|end| end & !7);
    end.and_then(|end| bytes.get(end..)).ok_or(short)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|word| word.try_into().ok())
        .map_or(0, u32::from_le_bytes)
}

fn string(bytes: &[u8], at: u32) -> Option<String> {
    let rest = bytes.get(at as usize..)?;
    let rest = &rest[..rest.len().min(4096)];
    let end = rest.iter().position(|byte| *byte == 0)?;
    std::str::from_utf8(&rest[..end]).ok().map(str::to_owned)
}

/// glibc's `_dl_cache_libcmp`: numbers inside names compare by value, and above any other character.
fn compare(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        let (x, y) = (
            a.first().copied().unwrap_or(0),
            b.first().copied().unwrap_or(0),
        );
        let order = match (x.is_ascii_digit(), y.is_ascii_digit()) {
            (true, true) => number(&mut a).cmp(&number(&mut b)),
            (true, false) => Ordering::Greater,
            // At the end of the first name glibc compares bytes, with the same outcome.
            (false, true) => Ordering::Less,
            _ if x != y || x == 0 => return x.cmp(&y),
            _ => {
                a = &a[1..];
                b = &b[1..];
                Ordering::Equal
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Takes the digits off the front. glibc adds them up in an `int`, which wraps in practice.
fn number(text: &mut &[u8]) -> i32 {
    let mut value = 0_i32;
    while let Some((digit, rest)) = text
        .split_first()
        .filter(|(digit, _)| digit.is_ascii_digit())
    {
        value = value.wrapping_mul(10).wrapping_add(i32::from(digit - b'0'));
        *text = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, path: &str) -> CacheEntry {
        CacheEntry {
            name: name.into(),
            path: path.into(),
            flags: 0x303,
            is_variant: false,
        }
    }

    #[test]
    fn names_compare_as_in_glibc() {
        for (a, b, expect) in [
            ("libc.so.6", "libc.so.6", Ordering::Equal),
            ("libc.so.10", "libc.so.6", Ordering::Greater),
            ("lib1", "liba", Ordering::Greater),
            ("liba", "lib1", Ordering::Less),
            ("liba", "libab", Ordering::Less),
            ("liba1", "liba", Ordering::Greater),
            ("liba", "liba1", Ordering::Less),
            ("libB", "liba", Ordering::Less),
            ("lib01", "lib1", Ordering::Equal),
        ] {
            assert_eq!(compare(a.as_bytes(), b.as_bytes()), expect, "{a} {b}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let entries = [
            entry("libb.so.2", "/opt/libb.so.2"),
            entry("libb.so.10", "/opt/libb.so.10"),
            entry("liba.so", "/opt/liba.so"),
        ];
        let bytes = ld_so_cache(&entries).expect("short ASCII names");
        let mut reversed = entries.to_vec();
        reversed.reverse();
        assert_eq!(ld_so_cache(&reversed).expect("the same"), bytes);
        let names: Vec<_> = parse(&bytes)
            .expect("our own")
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        assert_eq!(names, ["libb.so.10", "libb.so.2", "liba.so"]);

        let mut old = b"ld.so-1.7.0\0\x01\0\0\0".to_vec();
        old.resize(32, 0);
        old.extend(&bytes);
        assert_eq!(
            parse(&old).expect("old and new"),
            parse(&bytes).expect("new")
        );
        for len in 0..bytes.len() {
            let _ = parse(&bytes[..len]);
        }
        assert_eq!(
            ld_so_cache(&[entry("libé.so", "/x")]),
            Err(CacheError::Name {
                name: "libé.so".into()
            })
        );
    }
}
