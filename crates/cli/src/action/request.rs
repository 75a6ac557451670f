//! A request: lines of JSON, of which the first names the action.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use cooperage_image_spec::Json;
use cooperage_plan::fields::{Fields, near, nearest};
use cooperage_plan::{BuildOptions, LayerPlan, LoadError, Modes, Plan, PlanError, PlanFile};
use cooperage_transport::Layers;

use super::{ACTIONS, Action, Base, PlanKind};
use crate::context::Context;
use crate::error::Hinted;
use crate::media::Media;

/// The most that a request may have, in bytes: some millions of entries.
pub(crate) const MAX_REQUEST: u64 = 1 << 30;

/// Why a request could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    /// A line or a field, as in plans.
    #[error(transparent)]
    Line(#[from] PlanError),
    /// Nothing but empty lines.
    #[error("it is empty: expected a first line such as `{{\"action\":\"layer\",\"version\":1}}`")]
    Empty,
    /// No such action.
    #[error("line {line}: `action`: no action `{found}` is known here: {hint}")]
    Action {
        line: u64,
        found: String,
        hint: String,
    },
    /// A version that this program does not know.
    #[error(
        "line {line}: request version {found} is not known here: version 1 is read; use a newer cooperage"
    )]
    Version { line: u64, found: u64 },
    /// An output or an input that the action does not have.
    #[error("line {line}: `{action}` has no {kind} `{found}`: {hint}")]
    NoSuchFile {
        line: u64,
        action: &'static str,
        kind: &'static str,
        found: String,
        hint: String,
    },
    /// An output that is given twice.
    #[error("line {line}: the output `{name}` is given twice: line {first} names it too")]
    Twice { line: u64, name: String, first: u64 },
    /// An output or input that the action needs.
    #[error(
        "the {kind} `{name}` is missing: expected a line `{{\"{kind}\":\"{name}\",\"file\":…}}`"
    )]
    MissingFile {
        kind: &'static str,
        name: &'static str,
    },
    /// A line that the action needs.
    #[error("a line with `{name}` is missing: expected {expected}")]
    MissingLine {
        name: &'static str,
        expected: String,
    },
    /// A line that may stand once.
    #[error("line {line}: a line with `{name}` stands on line {first} already: expected one")]
    SecondLine {
        line: u64,
        name: &'static str,
        first: u64,
    },
    /// A line that the action does not know.
    #[error("line {line}: `{action}` has no such line: {hint}")]
    NoSuchLine {
        line: u64,
        action: &'static str,
        hint: String,
    },
    /// A plan where there should be none, or none where there should be one.
    #[error("line {line}: `{action}` expects {expected}, found {found}")]
    Plan {
        line: u64,
        action: &'static str,
        expected: &'static str,
        found: &'static str,
    },
}

/// A request whose lines are read, but for those of its plan.
pub(crate) struct Request {
    /// How messages call it.
    label: String,
    pub(crate) action: &'static Action,
    bytes: Vec<u8>,
    /// The line on which the plan begins, from 1, and where that is.
    plan: Option<(u64, usize)>,
    outputs: Vec<NamedFile>,
    inputs: Vec<NamedFile>,
    lines: Vec<Line>,
    pub(crate) base: Base,
}

struct NamedFile {
    line: u64,
    name: &'static str,
    file: PathBuf,
}

/// A line that is the action's own.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The member it is known by, of [`Action::lines`].
    pub(crate) kind: &'static str,
    /// All its members.
    pub(crate) fields: Fields,
}

/// Reads the file of a request.
pub(crate) fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?
        .take(MAX_REQUEST + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_REQUEST {
        let text = format!("expected at most {MAX_REQUEST} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(bytes)
}

impl Request {
    /// Reads all lines before the plan, and refuses what the action does not know.
    pub(crate) fn parse(label: String, bytes: Vec<u8>, base: Base) -> Result<Self> {
        let parsed = Self::read_lines(&label, bytes, base);
        parsed.map_err(|error| invalid(&label, error))
    }

    fn read_lines(label: &str, bytes: Vec<u8>, base: Base) -> Result<Self, RequestError> {
        let mut lines = Numbered::new(&bytes);
        let first = lines.next().ok_or(RequestError::Empty)?;
        let action = first_line(Fields::parse(first.number, first.text)?)?;
        let (mut outputs, mut inputs) = (Vec::new(), Vec::new());
        let (mut own, mut plan) = (Vec::new(), None);
        for line in lines {
            let mut fields = Fields::parse(line.number, line.text)?;
            if fields.has("plan") {
                plan = Some((line.number, line.offset));
                break;
            } else if fields.has("output") {
                let file = named_file(&mut fields, "output", action, action.outputs)?;
                fields.end()?;
                push_once(&mut outputs, file)?;
            } else if fields.has("input") {
                let file = named_file(&mut fields, "input", action, action.inputs)?;
                fields.end()?;
                inputs.push(file);
            } else {
                own.push(own_line(fields, action)?);
            }
        }
        Ok(Self {
            label: label.to_owned(),
            action,
            bytes,
            plan,
            outputs,
            inputs,
            lines: own,
            base,
        })
    }

    /// How messages call it.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Says of an error that it is this request's.
    pub(crate) fn invalid(&self, error: impl Into<RequestError>) -> anyhow::Error {
        invalid(&self.label, error.into())
    }

    /// Where an output goes that the action cannot do without.
    pub(crate) fn output(&self, name: &'static str) -> Result<PathBuf> {
        self.maybe_output(name)?.ok_or_else(|| {
            let kind = "output";
            self.invalid(RequestError::MissingFile { kind, name })
        })
    }

    /// Where an output goes, if it is asked for.
    pub(crate) fn maybe_output(&self, name: &'static str) -> Result<Option<PathBuf>> {
        let found = self.outputs.iter().find(|output| output.name == name);
        found.map(|output| self.base.file(&output.file)).transpose()
    }

    /// The files of all inputs of that name, in their order.
    pub(crate) fn inputs(&self, name: &'static str) -> Result<Vec<PathBuf>> {
        let found = self.inputs.iter().filter(|input| input.name == name);
        found.map(|input| self.base.file(&input.file)).collect()
    }

    /// Whether there is a line of that kind.
    pub(crate) fn has_line(&self, kind: &str) -> bool {
        self.lines.iter().any(|line| line.kind == kind)
    }

    /// Reads each of the action's lines of that kind; what `read` leaves of one is refused.
    pub(crate) fn each<T>(
        &self,
        kind: &'static str,
        mut read: impl FnMut(&mut Fields) -> Result<T, PlanError>,
    ) -> Result<Vec<T>> {
        let mine = self.lines.iter().filter(|line| line.kind == kind);
        let read = mine.map(|line| {
            let mut fields = line.fields.clone();
            let read = read(&mut fields)?;
            fields.end()?;
            Ok(read)
        });
        let read: Result<Vec<T>, PlanError> = read.collect();
        read.map_err(|error| self.invalid(error))
    }

    /// Reads the action's line of that kind, of which there is at most one.
    pub(crate) fn maybe_one<T>(
        &self,
        kind: &'static str,
        read: impl FnMut(&mut Fields) -> Result<T, PlanError>,
    ) -> Result<Option<T>> {
        let mut mine = self.lines.iter().filter(|line| line.kind == kind);
        if let (Some(first), Some(second)) = (mine.next(), mine.next()) {
            return Err(self.invalid(RequestError::SecondLine {
                line: second.fields.line(),
                name: kind,
                first: first.fields.line(),
            }));
        }
        Ok(self.each(kind, read)?.pop())
    }

    /// Reads the action's one line of that kind.
    pub(crate) fn one<T>(
        &self,
        kind: &'static str,
        expected: &str,
        read: impl FnMut(&mut Fields) -> Result<T, PlanError>,
    ) -> Result<T> {
        self.maybe_one(kind, read)?.ok_or_else(|| {
            self.invalid(RequestError::MissingLine {
                name: kind,
                expected: expected.into(),
            })
        })
    }

    /// Where bases are found; `layers` says which way those of a registry take.
    pub(crate) fn media<'a>(&'a self, context: &'a Context, layers: Layers) -> Media<'a> {
        Media {
            root: self.base.root(),
            context,
            layers,
        }
    }

    /// How its plan is built.
    pub(crate) fn build_options<'a>(
        &'a self,
        media: &'a Media<'a>,
        context: &'a Context,
    ) -> BuildOptions<'a> {
        BuildOptions {
            root: self.base.root(),
            modes: Modes::Required,
            threads: context.jobs,
            bases: media,
            progress: context.progress(),
            workers: Some(context.workers()),
        }
    }

    /// The plan of the one layer that it ends with, with its tree.
    pub(crate) fn layer_plan(&self) -> Result<LayerPlan> {
        let loaded = PlanFile::load(self.plan_lines()?, self.base.root(), Modes::Required);
        match self.loaded(loaded)? {
            PlanFile::Layer(layer) => Ok(layer),
            PlanFile::Plan(plan) => Err(self.other_plan(match plan.index {
                Some(_) => "that of an index",
                None => "that of an image",
            })),
        }
    }

    /// The plan of the one image that it ends with, its layers' entries read but not looked at; its
    /// first line is filled in before.
    pub(crate) fn filled_image_plan(
        &self,
        fill: impl FnOnce(&mut BTreeMap<String, Json>) -> Result<()>,
    ) -> Result<Plan> {
        let (line, lines) = self.plan_from()?;
        let end = lines.iter().position(|byte| *byte == b'\n');
        let (first, rest) = lines.split_at(end.unwrap_or(lines.len()));
        // A line that is no object is the parser's to refuse.
        let first = match Json::parse(first.trim_ascii_end()) {
            Ok(Json::Object(mut members)) => {
                fill(&mut members)?;
                Json::Object(members).to_canonical()
            }
            _ => first.to_vec(),
        };
        let parsed = PlanFile::parse(empty_lines(line - 1).chain(first.as_slice()).chain(rest));
        self.one_image(self.loaded(parsed.map_err(LoadError::Plan))?)
    }

    /// The same with its trees.
    pub(crate) fn loaded_image_plan(&self) -> Result<Plan> {
        let loaded = PlanFile::load(self.plan_lines()?, self.base.root(), Modes::Required);
        self.one_image(self.loaded(loaded)?)
    }

    fn one_image(&self, file: PlanFile) -> Result<Plan> {
        match file {
            PlanFile::Plan(plan) if plan.index.is_none() => Ok(plan),
            PlanFile::Plan(_) => Err(Hinted::new(
                self.other_plan("that of an index"),
                "the action `index` makes one of images",
            )
            .into()),
            PlanFile::Layer(_) => Err(self.other_plan("that of a layer")),
        }
    }

    fn loaded(&self, loaded: Result<PlanFile, LoadError>) -> Result<PlanFile> {
        match loaded {
            Err(LoadError::Plan(error)) => Err(self.invalid(error)),
            loaded => Ok(loaded?),
        }
    }

    fn other_plan(&self, found: &'static str) -> anyhow::Error {
        self.invalid(RequestError::Plan {
            line: self.plan.map_or(0, |(line, _)| line),
            action: self.action.name,
            expected: self.action.plan.words(),
            found,
        })
    }

    /// The plan's lines, after as many empty ones as there are lines before it.
    fn plan_lines(&self) -> Result<impl BufRead + '_> {
        let (line, lines) = self.plan_from()?;
        Ok(empty_lines(line - 1).chain(lines))
    }

    /// The number of the plan's first line, and all from there on.
    fn plan_from(&self) -> Result<(u64, &[u8])> {
        let Some((line, offset)) = self.plan else {
            let after = Numbered::new(&self.bytes).last();
            return Err(self.invalid(RequestError::Plan {
                line: after.map_or(1, |line| line.number),
                action: self.action.name,
                expected: self.action.plan.words(),
                found: "the request's end",
            }));
        };
        Ok((line, &self.bytes[offset..]))
    }
}

fn empty_lines(count: u64) -> impl BufRead {
    io::BufReader::new(io::repeat(b'\n').take(count))
}

impl PlanKind {
    fn words(self) -> &'static str {
        match self {
            Self::None => "no plan",
            Self::Layer => "the plan of a layer, whose first line says `\"plan\":\"layer\"`",
            Self::Image => "the plan of an image, whose first line says `\"plan\":\"image\"`",
        }
    }
}

fn invalid(label: &str, error: RequestError) -> anyhow::Error {
    anyhow!(error).context(format!("{label} is no valid request"))
}

/// The lines of a file that are not empty.
struct Numbered<'a> {
    bytes: &'a [u8],
    offset: usize,
    number: u64,
}

struct NumberedLine<'a> {
    number: u64,
    offset: usize,
    text: &'a [u8],
}

impl<'a> Numbered<'a> {
    fn new(bytes: &'a [u8]) -> Self {
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

fn first_line(mut fields: Fields) -> Result<&'static Action, RequestError> {
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

fn named_file(
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

fn push_once(files: &mut Vec<NamedFile>, file: NamedFile) -> Result<(), RequestError> {
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
fn own_line(fields: Fields, action: &'static Action) -> Result<Line, RequestError> {
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
