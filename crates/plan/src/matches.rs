//! Attributes by glob.

use cooperage_image_spec::Json;
use cooperage_tarball::{Attributes, Entry, Kind, Mtime, Tree};
use globset::{Candidate, Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::entry::{parse_attributes, read_mode};
use crate::fields::Fields;
use crate::{EntryAttributes, MatchPlan, PlanError, TreePlanError};

/// A line `{"match":GLOB, …}`.
pub(crate) fn parse_match(mut fields: Fields) -> Result<MatchPlan, PlanError> {
    let glob = fields.read("match", |at, json| {
        let text = at.string(json)?;
        let text = text.strip_prefix('/').unwrap_or(&text);
        if text.is_empty() {
            let found = Json::String(text.to_owned());
            return Err(at.expected("a glob of paths below the image's root", &found));
        }
        match compile(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(source) => Err(at.invalid(source)),
        }
    })?;
    let parsed = MatchPlan {
        glob: glob.unwrap_or_default(),
        dir_mode: fields.read("dir_mode", read_mode)?,
        attributes: parse_attributes(&mut fields)?,
        line: fields.line(),
        origin: fields.string("origin")?,
    };
    fields.refuse_left()?;
    if parsed.dir_mode.is_none() && parsed.attributes == EntryAttributes::default() {
        return Err(PlanError::Missing {
            line: parsed.line,
            field: "mode".into(),
            expected: "`mode`, `dir_mode`, an owner, `mtime` or `xattrs` beside `match`".into(),
        });
    }
    Ok(parsed)
}

fn compile(glob: &str) -> Result<Glob, globset::Error> {
    let mut builder = GlobBuilder::new(glob);
    builder.literal_separator(true).backslash_escape(true);
    builder.build()
}

/// Gives the entries of a layer's tree the attributes of all globs that match their paths; of
/// several the later one counts.
///
/// Parents that nobody put in are no entries; removals have no attributes; a hard link has those of
/// the file that it is another name of.
///
/// # Errors
///
/// [`TreePlanError::NoMatch`] for a glob that matches nothing, [`TreePlanError::Glob`] and
/// [`TreePlanError::Entry`] for what cannot be used.
pub fn apply_matches(tree: &mut Tree, matches: &[MatchPlan]) -> Result<(), TreePlanError> {
    if matches.is_empty() {
        return Ok(());
    }
    let globs = all(matches)?;
    let mut used = vec![false; matches.len()];
    let (mut fits, mut changed) = (Vec::new(), Vec::new());
    for (path, entry) in tree.iter() {
        if matches!(entry.kind, Kind::Whiteout | Kind::HardLink { .. }) {
            continue;
        }
        // In the order of the lines.
        globs.matches_candidate_into(&Candidate::from_bytes(path.as_bytes()), &mut fits);
        if let Some(last) = fits.last().copied() {
            let mut attributes = entry.attributes.clone();
            for number in &fits {
                used[*number] = true;
                set(&mut attributes, &entry, &matches[*number]);
            }
            if attributes != entry.attributes {
                changed.push((path, attributes, last));
            }
        }
    }
    if let Some(unused) = used.iter().position(|used| !used) {
        return Err(TreePlanError::NoMatch {
            glob: matches[unused].glob.clone(),
            origin: origin(&matches[unused]),
        });
    }
    for (path, attributes, last) in changed {
        let set = tree.set_attributes(&path, attributes);
        set.map_err(|source| TreePlanError::Entry {
            entry: path.display(),
            origin: origin(&matches[last]),
            source,
        })?;
    }
    Ok(())
}

fn all(matches: &[MatchPlan]) -> Result<GlobSet, TreePlanError> {
    let mut builder = GlobSetBuilder::new();
    for line in matches {
        let glob = compile(&line.glob).map_err(|source| fault(line, source))?;
        builder.add(glob);
    }
    let first = |source| fault(&matches[0], source);
    builder.build().map_err(first)
}

fn fault(line: &MatchPlan, source: globset::Error) -> TreePlanError {
    TreePlanError::Glob {
        glob: line.glob.clone(),
        origin: origin(line),
        source: Box::new(source),
    }
}

fn origin(line: &MatchPlan) -> String {
    match (&line.origin, line.line) {
        (Some(origin), _) => origin.clone(),
        (None, 0) => "the plan".into(),
        (None, number) => format!("plan line {number}"),
    }
}

fn set(attributes: &mut Attributes, entry: &Entry, line: &MatchPlan) {
    let given = &line.attributes;
    let mode = match entry.kind {
        Kind::Directory => line.dir_mode,
        Kind::Symlink { .. } => None,
        _ => given.mode,
    };
    if let Some(mode) = mode {
        attributes.mode = mode;
    }
    if let Some(uid) = given.uid {
        attributes.uid = uid;
    }
    if let Some(gid) = given.gid {
        attributes.gid = gid;
    }
    if let Some(user) = &given.user {
        attributes.user = user.clone().into_bytes();
    }
    if let Some(group) = &given.group {
        attributes.group = group.clone().into_bytes();
    }
    if let Some(mtime) = given.mtime {
        attributes.mtime = Mtime::from_seconds(mtime);
    }
    for (name, value) in &given.xattrs {
        attributes.xattrs.insert(name.clone(), value.clone());
    }
}
