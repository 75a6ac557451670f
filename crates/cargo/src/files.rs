//! Files of the project as lines of a plan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cooperage_plan::{EntryAttributes, EntryKind, EntryPlan};
use cooperage_tarball::{PathError, TreePath};
use globset::{GlobBuilder, GlobMatcher};
use walkdir::WalkDir;

use crate::host;
use crate::settings::FileRule;

/// Why files could not be gathered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// There is nothing of that name, or nothing that fits the glob.
    #[error("{origin}: there is nothing at `{}`", path.display())]
    Nothing {
        /// Who asked for it.
        origin: String,
        /// What was looked for.
        path: PathBuf,
    },
    /// A directory could not be walked, or a link not be read.
    #[error("{origin}: cannot read `{}`", path.display())]
    Read {
        /// Who asked for it.
        origin: String,
        /// What was read.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A glob is malformed.
    #[error("{origin}: `{glob}` is no glob")]
    Glob {
        /// Who wrote it.
        origin: String,
        /// The text.
        glob: String,
        /// What is wrong with it.
        source: globset::Error,
    },
    /// A name cannot be an image's.
    #[error("{origin}: `{path}` cannot be a path in the image")]
    Path {
        /// Who asked for it.
        origin: String,
        /// The path.
        path: String,
        /// Why.
        source: PathError,
    },
    /// Neither a file, a directory nor a symlink.
    #[error("{origin}: `{}` is neither a file, a directory nor a symlink", path.display())]
    Kind {
        /// Who asked for it.
        origin: String,
        /// What it is.
        path: PathBuf,
    },
}

/// The lines of one rule, sorted by path.
///
/// A file goes to `to`, or below it if `to` ends in `/`. A directory's content goes below `to`,
/// empty directories and symlinks included. What fits a glob goes below `to` by its path from
/// the glob's first directory that has no wildcard.
///
/// Executable files are 0755, others 0644, directories 0755, unless the rule says otherwise.
///
/// # Errors
///
/// See [`FilesError`]; nothing there is one too.
pub fn entries(rule: &FileRule) -> Result<Vec<EntryPlan>, FilesError> {
    let gather = Gather {
        rule,
        exclude: matchers(rule, &rule.exclude)?,
    };
    let mut found = BTreeMap::new();
    if rule.from.contains(['*', '?', '[', '{']) && !rule.root.join(&rule.from).exists() {
        gather.glob(&mut found)?;
    } else {
        gather.path(&rule.root.join(&rule.from), &mut found)?;
    }
    Ok(found.into_values().collect())
}

type Found = BTreeMap<Vec<u8>, EntryPlan>;

struct Gather<'a> {
    rule: &'a FileRule,
    exclude: Vec<GlobMatcher>,
}

fn matchers(rule: &FileRule, globs: &[String]) -> Result<Vec<GlobMatcher>, FilesError> {
    let matcher = |glob: &String| {
        GlobBuilder::new(glob)
            .literal_separator(true)
            .build()
            .map(|glob| glob.compile_matcher())
            .map_err(|source| FilesError::Glob {
                origin: rule.origin.clone(),
                glob: glob.clone(),
                source,
            })
    };
    globs.iter().map(matcher).collect()
}

impl Gather<'_> {
    fn origin(&self) -> String {
        self.rule.origin.clone()
    }

    fn path(&self, from: &Path, found: &mut Found) -> Result<(), FilesError> {
        let failed = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => FilesError::Nothing {
                origin: self.origin(),
                path: from.to_path_buf(),
            },
            _ => FilesError::Read {
                origin: self.origin(),
                path: from.to_path_buf(),
                source,
            },
        };
        let kind = std::fs::metadata(from).map_err(failed)?.file_type();
        if kind.is_dir() {
            self.add_directory(&self.rule.to, found)?;
            return self.walk(from, None, found);
        }
        let to = if self.rule.to.ends_with('/') {
            let name = from.file_name().unwrap_or_default().to_string_lossy();
            format!("{}{name}", self.rule.to)
        } else {
            self.rule.to.clone()
        };
        self.add(from, kind, &self.tree_path(to.as_bytes())?, found)
    }

    fn glob(&self, found: &mut Found) -> Result<(), FilesError> {
        let literal: PathBuf = Path::new(&self.rule.from)
            .components()
            .take_while(|part| {
                !part
                    .as_os_str()
                    .to_string_lossy()
                    .contains(['*', '?', '[', '{'])
            })
            .collect();
        let pattern = Path::new(&self.rule.from)
            .strip_prefix(&literal)
            .unwrap_or(Path::new(""));
        let pattern = pattern.to_string_lossy().into_owned();
        let matcher = matchers(self.rule, std::slice::from_ref(&pattern))?;
        let base = self.rule.root.join(literal);
        if base.is_dir() {
            self.walk(&base, matcher.first(), found)?;
        }
        if found.is_empty() {
            let path = self.rule.root.join(&self.rule.from);
            return Err(FilesError::Nothing {
                origin: self.origin(),
                path,
            });
        }
        Ok(())
    }

    /// All below a directory, or what fits the glob and all below that.
    fn walk(
        &self,
        base: &Path,
        glob: Option<&GlobMatcher>,
        found: &mut Found,
    ) -> Result<(), FilesError> {
        let walk = WalkDir::new(base)
            .min_depth(1)
            .sort_by_file_name()
            .into_iter();
        let relative = |path: &Path| path.strip_prefix(base).unwrap_or(path).to_path_buf();
        let walk = walk.filter_entry(|entry| {
            let path = relative(entry.path());
            !self.exclude.iter().any(|glob| glob.is_match(&path))
        });
        for entry in walk {
            let entry = entry.map_err(|error| self.walk_error(error, base))?;
            let path = relative(entry.path());
            let fits = |glob: &GlobMatcher| path.ancestors().any(|path| glob.is_match(path));
            if glob.is_none_or(fits) {
                let to = [
                    self.rule.to.trim_end_matches('/').as_bytes(),
                    &host::bytes(&path),
                ];
                self.add(
                    entry.path(),
                    entry.file_type(),
                    &self.tree_path(&to.join(&b'/'))?,
                    found,
                )?;
            }
        }
        Ok(())
    }

    fn walk_error(&self, error: walkdir::Error, base: &Path) -> FilesError {
        let path = error.path().unwrap_or(base).to_path_buf();
        let source = error
            .into_io_error()
            .unwrap_or_else(|| std::io::Error::other("a symlink leads back to itself"));
        FilesError::Read {
            origin: self.origin(),
            path,
            source,
        }
    }

    fn tree_path(&self, path: &[u8]) -> Result<TreePath, FilesError> {
        let relative = path.strip_prefix(b"/").unwrap_or(path);
        if relative.is_empty() {
            return Ok(TreePath::root());
        }
        TreePath::new(relative).map_err(|source| FilesError::Path {
            origin: self.origin(),
            path: String::from_utf8_lossy(path).into_owned(),
            source,
        })
    }

    /// The directory that a rule names stands in the image even if it is empty.
    fn add_directory(&self, to: &str, found: &mut Found) -> Result<(), FilesError> {
        let path = self.tree_path(to.as_bytes())?;
        if !path.is_root() {
            self.insert(
                EntryKind::Directory { path: path.clone() },
                self.dir_mode(),
                &path,
                found,
            );
        }
        Ok(())
    }

    fn dir_mode(&self) -> u32 {
        self.rule.dir_mode.unwrap_or(0o755)
    }

    fn add(
        &self,
        from: &Path,
        kind: std::fs::FileType,
        path: &TreePath,
        found: &mut Found,
    ) -> Result<(), FilesError> {
        let read = |source| FilesError::Read {
            origin: self.origin(),
            path: from.to_path_buf(),
            source,
        };
        let (what, mode) = if kind.is_dir() {
            (EntryKind::Directory { path: path.clone() }, self.dir_mode())
        } else if kind.is_symlink() {
            let target = host::bytes(&std::fs::read_link(from).map_err(read)?);
            (
                EntryKind::Symlink {
                    path: path.clone(),
                    target,
                },
                0o777,
            )
        } else if kind.is_file() {
            let executable = host::is_executable(from).map_err(read)?;
            let mode = self
                .rule
                .mode
                .unwrap_or(if executable { 0o755 } else { 0o644 });
            (
                EntryKind::File {
                    path: path.clone(),
                    file: from.to_path_buf(),
                    fold: true,
                },
                mode,
            )
        } else {
            return Err(FilesError::Kind {
                origin: self.origin(),
                path: from.to_path_buf(),
            });
        };
        self.insert(what, mode, path, found);
        Ok(())
    }

    fn insert(&self, what: EntryKind, mode: u32, path: &TreePath, found: &mut Found) {
        let attributes = EntryAttributes {
            mode: Some(mode),
            uid: self.rule.uid,
            gid: self.rule.gid,
            ..EntryAttributes::default()
        };
        let entry = EntryPlan {
            what,
            attributes,
            line: 0,
            origin: Some(self.origin()),
        };
        found.insert(path.as_bytes().to_vec(), entry);
    }
}
