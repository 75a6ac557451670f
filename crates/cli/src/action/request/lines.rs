//! The lines of a request, one by one.

use std::path::PathBuf;

use cooperage_plan::fields::{Fields, near, nearest};

use super::RequestError;
use crate::action::{ACTIONS, Action, PlanKind};

/// A line that names an output or an input.
pub(super) struct NamedFile {
    pub(super) line: u64,
    pub(super) name: &'static str,
    pub(super) file: PathBuf,
}

/// A line that is the action's own.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The member it is known by, of [`Action::lines`].
    pub(crate) kind: &'static str,
    /// All its members.
    pub(crate) fields: Fields,
}

/// The lines of a file that are not empty.
pub(super) struct Numbered<'a> {
    bytes: &'a [u8],
    offset: usize,
    number: u64,
}

/// One of them.
pub(super) struct NumberedLine<'a> {
    pub(super) number: u64,
    pub(super) offset: usize,
    pub(super) text: &'a [u8],
}

impl<'a> Numbered<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            offset: 0,
            number: 0,
        }
    }
}

impl<'a> Iterator for Numbered<'a> {
    type Item = NumberedLine<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let left = self
                .bytes
                .get(self.offset..)
                .filter(|left| !left.is_empty())?;
            let offset = self.offset;
            let end = left.iter().position(|byte| *byte == b'\n');
            let text = &left[..end.unwrap_or(left.len())];
            self.offset += text.len() + 1;
            self.number += 1;
            if !text.trim_ascii().is_empty() {
                return Some(NumberedLine {
                    number: self.number,
                    offset,
                    text,
                });
            }
        }
    }
}

/// The action of the first line.
pub(super) fn first_line(mut fields: Fields) -> Result<&'static Action, RequestError> {
    let line = fields.line();
    let name = fields.string("action")?;
    let version = fields.u64("version")?;
    let name = fields.need("action", name, "what is to be done, on the first line")?;
    match version {
        Some(1) => {}
        Some(found) => return Err(RequestError::Version { line, found }),
        None => drop(fields.need("version", version, "`1`")?),
    }
    let Some(action) = ACTIONS.iter().find(|action| action.name == name) else {
        let known: Vec<_> = ACTIONS.iter().map(|action| action.name).collect();
        return Err(RequestError::Action {
            line,
            hint: near(&name, &known),
            found: name,
        });
    };
    fields.end()?;
    Ok(action)
}

/// A line that names a file, one of those known.
pub(super) fn named_file(
    fields: &mut Fields,
    kind: &'static str,
    action: &'static Action,
    known: &'static [&'static str],
) -> Result<NamedFile, RequestError> {
    let line = fields.line();
    let found = fields.string(kind)?.unwrap_or_default();
    let file = fields.string("file")?;
    let file = fields.need("file", file, "the name of the file")?;
    let Some(name) = known.iter().find(|name| **name == found) else {
        let hint = match known {
            [] => format!("expected no {kind} at all"),
            _ => near(&found, known),
        };
        return Err(RequestError::NoSuchFile {
            line,
            action: action.name,
            kind,
            found,
            hint,
        });
    };
    let file = file.into();
    Ok(NamedFile { line, name, file })
}

/// Adds an output, unless it is there already.
pub(super) fn push_once(files: &mut Vec<NamedFile>, file: NamedFile) -> Result<(), RequestError> {
    if let Some(first) = files.iter().find(|other| other.name == file.name) {
        return Err(RequestError::Twice {
            line: file.line,
            name: file.name.to_owned(),
            first: first.line,
        });
    }
    files.push(file);
    Ok(())
}

/// A line that is neither the plan's nor names a file: known by one of its members.
pub(super) fn own_line(fields: Fields, action: &'static Action) -> Result<Line, RequestError> {
    let kind = action.lines.iter().find(|kind| fields.has(kind));
    if let Some(kind) = kind {
        return Ok(Line { kind, fields });
    }
    let plan = (action.plan != PlanKind::None).then_some("plan");
    let known: Vec<_> = ["output", "input"]
        .into_iter()
        .chain(plan)
        .chain(action.lines.iter().copied())
        .collect();
    // Most often the member is misspelt.
    let meant = fields
        .left()
        .find_map(|found| nearest(found, &known).map(|name| (found, name)));
    let hint = match meant {
        Some((found, name)) => format!("`{found}`: did you mean `{name}`?"),
        None => format!("expected one with one of `{}`", known.join("`, `")),
    };
    Err(RequestError::NoSuchLine {
        line: fields.line(),
        action: action.name,
        hint,
    })
}
