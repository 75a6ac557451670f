//! Tar readers over our layers: what they list, and what they extract.

use std::fmt;
use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cooperage_tarball::{
    Attributes, BlockRules, Content, Entry, ReadOptions, Tree, TreePath, fold, plan_blocks,
};
use cooperage_testkit::listing::{self, Listing};
use cooperage_testkit::peers::{self, Generation, Program};
use cooperage_testkit::tree_listing;

use super::lines::{expected, in_one_form, shown};
use crate::images::{Below as _, Image, listing_of};
use crate::kinds::{self, Kind};
use crate::matrix::{Here as _, Otherwise, Rows, Seen};
use crate::reasons::Answer as _;
use crate::room::{self, Shared};
use crate::unpackers::{needs_root, steady};

/// What is looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Part {
    Kind(Kind),
    /// A file of nine gigabytes.
    Large,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => kind.fmt(f),
            Self::Large => f.write_str("over-8-gib"),
        }
    }
}

/// How the layer is stored.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Stored {
    None,
    Gzip,
    Zstd,
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

impl Stored {
    const ALL: [Self; 3] = [Self::None, Self::Gzip, Self::Zstd];
}

/// A reader of tars.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Reader {
    Bsdtar(Generation),
    GnuTar(Generation),
    /// The machine's own alone: the modern root has none.
    Python,
    /// Go's, which flattens a whole image; modern alone.
    Crane,
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bsdtar(_) => "bsdtar",
            Self::GnuTar(_) => "gnu-tar",
            Self::Python => "python-tarfile",
            Self::Crane => "crane-export",
        })
    }
}

pub(super) fn columns() -> Vec<Part> {
    let kinds = Kind::ALL.map(Part::Kind).into_iter();
    kinds.chain([Part::Large]).collect()
}

impl Reader {
    const ALL: [Self; 6] = [
        Self::Bsdtar(Generation::Stable),
        Self::Bsdtar(Generation::Modern),
        Self::GnuTar(Generation::Stable),
        Self::GnuTar(Generation::Modern),
        Self::Python,
        Self::Crane,
    ];

    fn generation(self) -> Generation {
        match self {
            Self::Bsdtar(generation) | Self::GnuTar(generation) => generation,
            Self::Python => Generation::Stable,
            Self::Crane => Generation::Modern,
        }
    }
}

pub(super) fn rows(rows: &mut Rows<Part>) {
    for reader in Reader::ALL {
        let generation = reader.generation();
        // It extracts all or nothing.
        if reader != Reader::Crane {
            let name = format!("{reader}-lists/none/{generation}");
            rows.row(name, move |part| lists(reader, part));
        }
        for stored in Stored::ALL {
            let see = move |part| extracts(reader, stored, part);
            rows.row(format!("{reader}-extracts/{stored}/{generation}"), see);
        }
    }
}

/// An image of one layer with all kinds of entries.
fn image(stored: Stored) -> Arc<Image> {
    static IMAGES: Shared<Stored, Arc<Image>> = Shared::new();
    IMAGES.get(stored, || {
        let layer = format!(r#"{{"layer":{{"encoder":"{stored}-1"}}}}"#);
        let plan = format!("{layer}\n{}", kinds::lines("cases"));
        let name = format!("layer-{stored}");
        Arc::new(Image::build(&name, "", &plan, Path::new("")))
    })
}

/// Its layer's file.
fn layer(stored: Stored) -> PathBuf {
    let image = image(stored);
    image.layout.blob_path(&image.manifest().layers[0].digest)
}

/// A tar of ours with a file of nine gigabytes, of which the zeros take no room.
fn large() -> PathBuf {
    static LARGE: Shared<(), PathBuf> = Shared::new();
    LARGE.get((), || {
        let directory = room::directory();
        let sparse = directory.join("sparse");
        File::create(&sparse)
            .and_then(|file| file.set_len(LARGE_SIZE))
            .expect("it takes no room");
        let mut tree = Tree::new();
        let content = Content::file(&sparse).expect("it is there");
        let entry = Entry::file(content, Attributes::file());
        tree.insert(TreePath::parse("large").expect("a path"), entry)
            .expect("it is alone");
        let resolved = fold(&tree, &cooperage_tarball::FoldOptions::default()).expect("a tree");
        let path = directory.join("large.tar");
        let mut tar = File::create(&path).expect("there is room");
        tar.set_len(resolved.tar_len()).expect("it takes no room");
        let rules = BlockRules {
            block_size: 16 << 30,
        };
        // All but the body, which is zeros.
        for block in plan_blocks(&resolved, rules) {
            if block.len < LARGE_SIZE {
                let mut bytes = Vec::new();
                resolved
                    .read_block(&block, &mut bytes)
                    .expect("it is there");
                tar.seek(SeekFrom::Start(block.offset)).expect("a file");
                tar.write_all(&bytes).expect("there is room");
            }
        }
        path
    })
}

const LARGE_SIZE: u64 = 9 << 30;

/// Entries as `ls -l` shows them, with the number of the device or the size in the third place.
const LIST: &str = r#"
import stat, sys, tarfile
types = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK, tarfile.CHRTYPE: stat.S_IFCHR,
         tarfile.BLKTYPE: stat.S_IFBLK, tarfile.FIFOTYPE: stat.S_IFIFO}
for m in tarfile.open(sys.argv[1]):
    mode = stat.filemode(m.mode | types.get(m.type, stat.S_IFREG))
    size = "%d,%d" % (m.devmajor, m.devminor) if m.isdev() and not m.isfifo() else m.size
    rest = m.name + ("/" if m.isdir() else "")
    if m.issym(): rest += " -> " + m.linkname
    if m.islnk(): mode, rest = "h" + mode[1:], rest + " link to " + m.linkname
    line = "%s %d %d %s %s\n" % (mode, m.uid, m.gid, size, rest)
    sys.stdout.buffer.write(line.encode("utf-8", "surrogateescape"))
"#;

const EXTRACT: &str = r#"
import sys, tarfile
tar = tarfile.open(sys.argv[1])
if hasattr(tarfile, "fully_trusted_filter"): tar.extraction_filter = tarfile.fully_trusted_filter
tar.extractall(sys.argv[2], numeric_owner=True)
"#;

fn program(reader: Reader) -> Result<Program, Otherwise> {
    match reader {
        Reader::Bsdtar(generation) => peers::tool_of(generation, "bsdtar").here(),
        Reader::GnuTar(generation) => peers::tool_of(generation, "tar").here(),
        Reader::Python => peers::tool("python3").here(),
        Reader::Crane => peers::crane().here(),
    }
}

/// The lines of a listing in one form, whoever made it: mode, owner, group, size or device, the
/// rest.
fn lines(reader: Reader, tar: &Path) -> Result<Vec<String>, Otherwise> {
    let program = program(reader)?;
    let tar = tar.to_str().expect("tests name their files in UTF-8");
    let words: &[&str] = match reader {
        Reader::Bsdtar(_) => &["--numeric-owner", "-tvf", tar],
        Reader::GnuTar(_) => &["--numeric-owner", "--quoting-style=literal", "-tvf", tar],
        _ => &["-c", LIST, tar],
    };
    let output = program.command(words).output().expect("it starts");
    assert!(output.status.success(), "{output:?}");
    let text: String = output.stdout.iter().map(|byte| shown(*byte)).collect();
    Ok(text.lines().map(|line| in_one_form(reader, line)).collect())
}

fn lists(reader: Reader, part: Part) -> Seen {
    let Part::Kind(kind) = part else {
        let found = lines(reader, &large())?;
        assert_eq!(found, [format!("-rw-r--r-- 0 0 {LARGE_SIZE} large")]);
        return Ok(());
    };
    let inside = format!("cases/{}/", kind.name());
    let found = lines(reader, &layer(Stored::None))?;
    let mut found: Vec<_> = found
        .into_iter()
        .filter(|line| line.contains(&inside))
        .collect();
    let ours = image(Stored::None).listing();
    let entries = ours
        .0
        .iter()
        .filter(|entry| entry.path.starts_with(&inside));
    let mut expected: Vec<_> = entries.map(expected).collect();
    // The directory itself.
    found.retain(|line| !line.ends_with(&format!(" {inside}")));
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    Ok(())
}

/// What lies below `cases` once it is extracted.
fn extracted(reader: Reader, stored: Stored) -> Result<Listing, Otherwise> {
    let program = program(reader)?;
    let directory = room::directory();
    let file = layer(stored).display().to_string();
    let to = directory.display().to_string();
    let words = match reader {
        Reader::Bsdtar(_) => vec!["--numeric-owner", "-xpf", &file, "-C", &to],
        Reader::GnuTar(_) => {
            let xattrs = ["--xattrs", "--xattrs-include=*", "--numeric-owner"];
            [&xattrs[..], &["-xpf", &file, "-C", &to]].concat()
        }
        Reader::Python => vec!["-c", EXTRACT, &file, &to],
        Reader::Crane => return exported(&program, stored),
    };
    program.run(words).or_refused()?;
    Ok(tree_listing(&directory).below("cases"))
}

/// crane's flat tar of the image, read by us.
fn exported(crane: &Program, stored: Stored) -> Result<Listing, Otherwise> {
    let image = image(stored);
    let mut options = cooperage_daemon_archive::WriteOptions::default();
    options.layers = cooperage_daemon_archive::LayerForm::Keep;
    let archive = image.docker_archive_as("exported", &options);
    let tar = room::directory().join("flat.tar");
    let to = tar.to_str().expect("tests name their files in UTF-8");
    let mut file = File::open(archive).expect("it was written");
    crane
        .run_with_input(["export", "-", to], &mut file)
        .or_refused()?;
    let tree = Tree::from_tar(&tar, &ReadOptions::default()).expect("we read what it wrote");
    let listing = listing_of(&tree).below("cases");
    drop(fs::remove_file(tar));
    Ok(listing)
}

fn extracts(reader: Reader, stored: Stored, part: Part) -> Seen {
    type Found = Result<Arc<Listing>, Otherwise>;
    static FOUND: Shared<(Reader, Stored), Found> = Shared::new();
    // Asked every time: each cell that goes without is to be listed.
    program(reader)?;
    if let (Reader::GnuTar(_), Stored::Zstd) = (reader, stored) {
        // It has others decompress.
        peers::tool("zstd").here()?;
    }
    needs_root()?;
    let Part::Kind(kind) = part else {
        return Err(Otherwise::NotApplicable("nine gigabytes are listed only"));
    };
    let found = FOUND.get((reader, stored), || extracted(reader, stored).map(Arc::new))?;
    let theirs = comparable(reader, found.below(kind.name()));
    let ours = image(stored).listing().below("cases").below(kind.name());
    let ours = comparable(reader, ours);
    let has_none = |listing: &Listing| listing.0.iter().all(|entry| entry.xattrs.is_empty());
    if kind == Kind::Xattrs && has_none(&theirs) {
        theirs.assert_same(&without_xattrs(ours), &format!("{reader} (-) and we (+)"));
        return Err(Otherwise::NotApplicable("it sets no extended attributes"));
    }
    theirs.assert_same(&ours, &format!("{reader} (-) and we (+)"));
    Ok(())
}

/// Without the times that are not the reader's business: of directories, into which it puts things
/// later, and of links where it cannot set them.
fn comparable(reader: Reader, listing: Listing) -> Listing {
    let mut listing = steady(listing);
    for entry in &mut listing.0 {
        if reader == Reader::Python && matches!(entry.kind, listing::Kind::Symlink(_)) {
            entry.mtime = 0;
        }
    }
    listing
}

fn without_xattrs(mut listing: Listing) -> Listing {
    for entry in &mut listing.0 {
        entry.xattrs.clear();
    }
    listing
}
