//! A request: lines of JSON, of which the first names the action.

mod error;
mod lines;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use cooperage_image_spec::Json;
use cooperage_plan::fields::Fields;
use cooperage_plan::{BuildOptions, LayerPlan, LoadError, Modes, Plan, PlanError, PlanFile};
use cooperage_transport::Layers;

pub(crate) use self::error::RequestError;
use self::lines::{Line, NamedFile, Numbered, first_line, named_file, own_line, push_once};
use super::{Action, Base, PlanKind};
use crate::context::Context;
use crate::error::Hinted;
use crate::media::Media;

/// The most that a request may have, in bytes: some millions of entries.
pub(crate) const MAX_REQUEST: u64 = 1 << 30;

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
    pub(crate) fn parse(label: &str, bytes: Vec<u8>, base: Base) -> Result<Self> {
        let parsed = Self::read_lines(label, bytes, base);
        parsed.map_err(|error| invalid(label, error))
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
