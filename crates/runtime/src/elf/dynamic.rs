//! The dynamic section: needs, search paths and symbol versions.

use std::cell::Cell;

use object::elf;

use super::BinaryInfo;
use super::header::{Elf, MAX_STRING};
use super::source::{Fault, malformed, read_exactly, read_up_to};

/// Most entries of a dynamic section, and most version records, that are read. The largest known
/// files have some hundreds of either.
const MAX_RECORDS: usize = 16_384;

/// Most bytes of names, in all: a table may give one long name as many times as it has entries.
/// The largest known files have some tens of thousands.
const MAX_NAMES: usize = 1 << 20;

/// The string table of a dynamic section.
#[derive(Clone, Copy)]
struct Strings {
    offset: u64,
    len: u64,
}

/// Fills in what the dynamic section says; gives whether it marks a position-independent
/// executable.
pub(super) fn read(elf: &Elf<'_>, info: &mut BinaryInfo) -> Result<bool, Fault> {
    let entries = entries(elf)?;
    let value = |tag: i64| {
        entries
            .iter()
            .find(|(found, _)| *found == tag)
            .map(|(_, value)| *value)
    };
    let flags = value(DT_FLAGS_1).unwrap_or(0);
    info.no_default_paths = flags & DF_1_NODEFLIB != 0;

    let strings = match value(DT_STRTAB) {
        None => None,
        Some(address) => {
            let Some((offset, left)) = elf.locate(address) else {
                return malformed("the dynamic string table is not part of any loaded segment");
            };
            Some(Strings {
                offset,
                len: left.min(value(DT_STRSZ).unwrap_or(left)),
            })
        }
    };
    let left = Cell::new(MAX_NAMES);
    let text = |at: u64| {
        let Some(strings) = strings else {
            return malformed("the dynamic section has names and no string table");
        };
        let text = string(elf, strings, at)?;
        let Some(rest) = left.get().checked_sub(text.len()) else {
            return malformed(format!(
                "the names of its dynamic section have more than {MAX_NAMES} bytes together"
            ));
        };
        left.set(rest);
        Ok(text)
    };
    for (tag, value) in &entries {
        match *tag {
            DT_NEEDED => info.needed.push(text(*value)?),
            DT_SONAME => info.soname = Some(text(*value)?),
            DT_RPATH => info.rpath = path_list(&text(*value)?),
            DT_RUNPATH => info.runpath = path_list(&text(*value)?),
            _ => {}
        }
    }
    if value(DT_RUNPATH).is_some() {
        info.rpath.clear();
    }
    if let Some(address) = value(DT_VERNEED) {
        versions_needed(elf, address, &text, info)?;
    }
    if let Some(address) = value(DT_VERDEF) {
        versions_defined(elf, address, &text, info)?;
    }
    Ok(flags & DF_1_PIE != 0)
}

const DT_NEEDED: i64 = elf::DT_NEEDED.0;
const DT_STRTAB: i64 = elf::DT_STRTAB.0;
const DT_STRSZ: i64 = elf::DT_STRSZ.0;
const DT_SONAME: i64 = elf::DT_SONAME.0;
const DT_RPATH: i64 = elf::DT_RPATH.0;
const DT_RUNPATH: i64 = elf::DT_RUNPATH.0;
const DT_VERNEED: i64 = elf::DT_VERNEED.0;
const DT_VERDEF: i64 = elf::DT_VERDEF.0;
const DT_FLAGS_1: i64 = elf::DT_FLAGS_1.0;
const DF_1_NODEFLIB: u64 = 0x800;
const DF_1_PIE: u64 = 0x0800_0000;

/// An empty list of directories means the working directory to some loaders; it is left out, as
/// nothing in an image can rely on where it is started.
fn path_list(text: &str) -> Vec<String> {
    text.split(':')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Tags and values up to the null entry.
fn entries(elf: &Elf<'_>) -> Result<Vec<(i64, u64)>, Fault> {
    let Some(segment) = elf
        .segments
        .iter()
        .find(|segment| segment.kind == elf::PT_DYNAMIC.0)
    else {
        return Ok(Vec::new());
    };
    let word = if elf.layout.is_64 { 8 } else { 4 };
    let record = 2 * word;
    let len = usize::try_from(segment.file_size).unwrap_or(usize::MAX);
    if len > MAX_RECORDS * record {
        return malformed(format!(
            "the dynamic section is said to be {len} bytes long"
        ));
    }
    let table = read_exactly(elf.source, segment.offset, len, "dynamic section")?;
    Ok(table
        .chunks_exact(record)
        .map(|record| {
            let tag = elf.layout.number(record, 0, word);
            // Tags are signed; those of 32-bit files are widened.
            let tag = if word == 8 {
                tag.cast_signed()
            } else {
                i64::from((tag as u32).cast_signed())
            };
            (tag, elf.layout.number(record, word, word))
        })
        .take_while(|(tag, _)| *tag != 0)
        .collect())
}

fn string(elf: &Elf<'_>, strings: Strings, at: u64) -> Result<String, Fault> {
    let Some(left) = strings.len.checked_sub(at).filter(|left| *left > 0) else {
        return malformed(format!(
            "a name lies at {at}, beyond the end of the string table"
        ));
    };
    let mut buffer = [0; MAX_STRING];
    let len = usize::try_from(left).unwrap_or(MAX_STRING).min(MAX_STRING);
    let offset = strings.offset.saturating_add(at);
    let got = read_up_to(elf.source, offset, &mut buffer[..len])?;
    let Some(end) = buffer[..got].iter().position(|byte| *byte == 0) else {
        return malformed(format!("the name at {at} in the string table has no end"));
    };
    match std::str::from_utf8(&buffer[..end]) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => malformed(format!("the name at {at} in the string table is not UTF-8")),
    }
}

type Text<'a> = &'a dyn Fn(u64) -> Result<String, Fault>;

/// `Elf_Verneed` (16 bytes) and its `Elf_Vernaux` (16 bytes), the same in both classes.
fn versions_needed(
    elf: &Elf<'_>,
    mut address: u64,
    text: Text<'_>,
    info: &mut BinaryInfo,
) -> Result<(), Fault> {
    let mut budget = MAX_RECORDS;
    loop {
        let need = record::<16>(elf, address, &mut budget)?;
        let library = text(u64::from(elf.layout.word(&need, 4)))?;
        let mut aux_address = address.saturating_add(u64::from(elf.layout.word(&need, 8)));
        // A library with weak needs alone is listed as well, with no versions.
        let mut versions = std::collections::BTreeSet::new();
        for _ in 0..elf.layout.half(&need, 2) {
            let aux = record::<16>(elf, aux_address, &mut budget)?;
            if elf.layout.half(&aux, 4) & VER_FLG_WEAK == 0 {
                versions.insert(text(u64::from(elf.layout.word(&aux, 8)))?);
            }
            match elf.layout.word(&aux, 12) {
                0 => break,
                next => aux_address = aux_address.saturating_add(u64::from(next)),
            }
        }
        info.versions_needed
            .entry(library)
            .or_default()
            .append(&mut versions);
        match elf.layout.word(&need, 12) {
            0 => return Ok(()),
            next => address = address.saturating_add(u64::from(next)),
        }
    }
}

/// `Elf_Verdef` (20 bytes), of whose `Elf_Verdaux` (8 bytes) the first has the name.
fn versions_defined(
    elf: &Elf<'_>,
    mut address: u64,
    text: Text<'_>,
    info: &mut BinaryInfo,
) -> Result<(), Fault> {
    let mut budget = MAX_RECORDS;
    loop {
        let definition = record::<20>(elf, address, &mut budget)?;
        let aux_address = address.saturating_add(u64::from(elf.layout.word(&definition, 12)));
        // The base definition names the file itself.
        if elf.layout.half(&definition, 2) & VER_FLG_BASE == 0 {
            let aux = record::<8>(elf, aux_address, &mut budget)?;
            info.versions_defined
                .insert(text(u64::from(elf.layout.word(&aux, 0)))?);
        }
        match elf.layout.word(&definition, 16) {
            0 => return Ok(()),
            next => address = address.saturating_add(u64::from(next)),
        }
    }
}

const VER_FLG_BASE: u16 = 1;
const VER_FLG_WEAK: u16 = 2;

fn record<const N: usize>(
    elf: &Elf<'_>,
    address: u64,
    budget: &mut usize,
) -> Result<[u8; N], Fault> {
    let Some(left) = budget.checked_sub(1) else {
        return malformed(format!("there are more than {MAX_RECORDS} symbol versions"));
    };
    *budget = left;
    let mut bytes = [0; N];
    let Some((offset, _)) = elf.locate(address).filter(|(_, left)| *left >= N as u64) else {
        return malformed("a symbol version is not part of any loaded segment");
    };
    if read_up_to(elf.source, offset, &mut bytes)? < N {
        return malformed("the file ends inside its symbol versions");
    }
    Ok(bytes)
}
