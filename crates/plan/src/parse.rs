//! A plan file becomes a plan.

use std::io::{BufRead, Read};
use std::path::Path;

use cooperage_image_spec::{Json, MAX_DOCUMENT_SIZE};
use cooperage_tarball::Tree;

use crate::entry::parse_entry;
use crate::fields::{At, Fields};
use crate::image::{media_types, parse_image};
use crate::layer::layer_name;
use crate::layer_line::parse_layer;
use crate::matches::{apply_matches, parse_match};
use crate::tree::TreeMaker;
use crate::{
    EntryPlan, ImagePlan, IndexPlan, LayerContent, LayerPlan, LoadError, Modes, Plan, PlanError,
};

/// What a plan file holds.
#[derive(Clone, Debug, PartialEq)]
pub enum PlanFile {
    /// An image or an index: `{"plan":"image"}`, `{"plan":"index"}`.
    Plan(Plan),
    /// One layer alone: `{"plan":"layer"}`.
    Layer(LayerPlan),
}

impl PlanFile {
    /// Reads a plan file, line by line. Nothing it names is looked at.
    ///
    /// # Errors
    ///
    /// The first fault, by line and field.
    pub fn parse(reader: impl BufRead) -> Result<Self, PlanError> {
        read(reader, &mut |layer, entry| {
            if let LayerContent::Entries { entries, .. } = &mut layer.content {
                entries.push(entry);
            }
            Ok(())
        })
    }

    /// Reads a plan file and makes its layers' trees at once, each a [`LayerContent::Tree`]: what
    /// [`layer_tree`](crate::layer_tree) makes of the same entries.
    ///
    /// An entry then takes some 100 bytes, and not a value of its own beside them, which is several
    /// times as much. Of the files that entries name it asks type and length; relative names start
    /// from `root`.
    ///
    /// # Errors
    ///
    /// The first fault in the order of the lines, of the plan or of what it names.
    pub fn load(reader: impl BufRead, root: &Path, modes: Modes) -> Result<Self, LoadError> {
        let maker = TreeMaker::new(root, modes);
        let mut file = read(reader, &mut |layer, entry| {
            if let LayerContent::Entries { fold, .. } = layer.content {
                let tree = Tree::new();
                layer.content = LayerContent::Tree { tree, fold };
            }
            let LayerContent::Tree { tree, .. } = &mut layer.content else {
                return Ok(());
            };
            maker.add(tree, &entry).map_err(|source| LoadError::Tree {
                layer: layer_name(layer),
                source,
            })
        })?;
        let layers: Vec<&mut LayerPlan> = match &mut file {
            Self::Plan(plan) => {
                let images = plan.images.iter_mut();
                images.flat_map(|image| &mut image.layers).collect()
            }
            Self::Layer(layer) => vec![layer],
        };
        layers.into_iter().try_for_each(match_all)?;
        Ok(file)
    }
}

/// Applies the `match` lines of a layer whose tree is made.
fn match_all(layer: &mut LayerPlan) -> Result<(), LoadError> {
    if layer.matches.is_empty() {
        return Ok(());
    }
    if let LayerContent::Entries { fold, .. } = layer.content {
        let tree = Tree::new();
        layer.content = LayerContent::Tree { tree, fold };
    }
    let LayerContent::Tree { tree, .. } = &mut layer.content else {
        return Ok(());
    };
    apply_matches(tree, &layer.matches).map_err(|source| LoadError::Tree {
        layer: layer_name(layer),
        source,
    })
}

/// What becomes of an entry of a layer that takes entries.
type Take<'a, E> = dyn FnMut(&mut LayerPlan, EntryPlan) -> Result<(), E> + 'a;

fn read<E: From<PlanError>>(reader: impl BufRead, take: &mut Take<'_, E>) -> Result<PlanFile, E> {
    let mut lines = Lines { reader, line: 0 };
    let Some(first) = lines.next()? else {
        return Err(PlanError::Empty.into());
    };
    let head = first.line();
    let mut parser = Parser::start(first)?;
    while let Some(fields) = lines.next()? {
        if let Some(entry) = parser.line(fields)? {
            take(parser.layer_of(entry.line, "an entry")?, entry)?;
        }
    }
    parser.end(head)
}

struct Lines<R> {
    reader: R,
    line: u64,
}

impl<R: BufRead> Lines<R> {
    /// The next line that is not empty.
    fn next(&mut self) -> Result<Option<Fields>, PlanError> {
        let mut bytes = Vec::new();
        loop {
            self.line += 1;
            let line = self.line;
            bytes.clear();
            let limit = MAX_DOCUMENT_SIZE;
            let read = self
                .reader
                .by_ref()
                .take(limit + 1)
                .read_until(b'\n', &mut bytes);
            if read.map_err(|source| PlanError::Read { line, source })? == 0 {
                return Ok(None);
            }
            if bytes.len() as u64 > limit {
                return Err(PlanError::TooLong { line, limit });
            }
            if !bytes.trim_ascii().is_empty() {
                return Fields::parse(line, &bytes).map(Some);
            }
        }
    }
}

struct Parser {
    file: PlanFile,
}

impl Parser {
    fn start(mut first: Fields) -> Result<Self, PlanError> {
        let line = first.line();
        let missing = |field: &str, expected: &str| PlanError::Missing {
            line,
            field: field.into(),
            expected: expected.into(),
        };
        let Some(kind) = first.string("plan")? else {
            return Err(missing(
                "plan",
                "`image`, `index` or `layer` on the first line",
            ));
        };
        match first.u64("version")? {
            Some(1) => {}
            Some(found) => return Err(PlanError::Version { line, found }),
            None => return Err(missing("version", "`1`")),
        }
        let file = match kind.as_str() {
            "layer" => PlanFile::Layer(parse_layer(&mut first)?),
            "image" => PlanFile::Plan(Plan {
                names: parse_names(&mut first)?,
                index: None,
                images: vec![parse_image(&mut first)?],
            }),
            "index" => PlanFile::Plan(Plan {
                names: parse_names(&mut first)?,
                index: Some(IndexPlan::read(&mut first)?),
                images: Vec::new(),
            }),
            other => {
                let at = At {
                    line,
                    place: "plan",
                };
                let found = Json::String(other.to_owned());
                return Err(at.expected("`image`, `index` or `layer`", &found));
            }
        };
        first.end()?;
        Ok(Self { file })
    }

    /// The plan, of which line `head` is the first.
    fn end<E: From<PlanError>>(self, head: u64) -> Result<PlanFile, E> {
        match &self.file {
            PlanFile::Plan(plan) if plan.images.is_empty() => Err(PlanError::Missing {
                line: head,
                field: "image".into(),
                expected: "an index with at least one `image` line".into(),
            }
            .into()),
            _ => Ok(self.file),
        }
    }

    /// Takes a line in, or gives the entry that it is.
    fn line(&mut self, mut fields: Fields) -> Result<Option<EntryPlan>, PlanError> {
        if fields.has("image") {
            self.image(&mut fields)?;
        } else if fields.has("layer") {
            self.layer(&mut fields)?;
        } else if fields.has("match") {
            let line = parse_match(fields)?;
            self.layer_of(line.line, "a `match` line")?
                .matches
                .push(line);
            return Ok(None);
        } else {
            return parse_entry(fields).map(Some);
        }
        fields.end()?;
        Ok(None)
    }

    fn image(&mut self, fields: &mut Fields) -> Result<(), PlanError> {
        let line = fields.line();
        let PlanFile::Plan(Plan {
            index: Some(_),
            images,
            ..
        }) = &mut self.file
        else {
            return Err(order(
                line,
                "an `image` line",
                "a layer or an entry, or a first line with `\"plan\":\"index\"`",
            ));
        };
        let json = fields.take("image").unwrap_or(Json::Null);
        let mut inner = Fields::new(line, "image", json)?;
        images.push(parse_image(&mut inner)?);
        inner.end()
    }

    fn layer(&mut self, fields: &mut Fields) -> Result<(), PlanError> {
        let line = fields.line();
        let image = match &mut self.file {
            PlanFile::Plan(plan) => plan.images.last_mut(),
            PlanFile::Layer(_) => None,
        };
        let Some(ImagePlan { layers, .. }) = image else {
            return Err(order(
                line,
                "a `layer` line",
                "an entry, or an `image` line before it",
            ));
        };
        let json = fields.take("layer").unwrap_or(Json::Null);
        let mut inner = Fields::new(line, "layer", json)?;
        layers.push(parse_layer(&mut inner)?);
        inner.end()
    }

    /// The layer that what stands on this line belongs to.
    fn layer_of(&mut self, line: u64, found: &str) -> Result<&mut LayerPlan, PlanError> {
        let layer = match &mut self.file {
            PlanFile::Layer(layer) => Some(layer),
            PlanFile::Plan(plan) => plan
                .images
                .last_mut()
                .and_then(|image| image.layers.last_mut()),
        };
        let Some(layer) = layer else {
            return Err(order(line, found, "a `layer` line before it"));
        };
        match layer.content {
            LayerContent::Entries { .. } | LayerContent::Tree { .. } => Ok(layer),
            LayerContent::Tar { .. } | LayerContent::Metadata { .. } => Err(order(
                line,
                found,
                "another layer: this one is a `tar` or `metadata` and has no entries",
            )),
        }
    }
}

impl IndexPlan {
    /// Takes what an index says of itself: the members `annotations` and `media_types`.
    ///
    /// # Errors
    ///
    /// [`PlanError::Expected`] for a value of another type.
    pub fn read(fields: &mut Fields) -> Result<Self, PlanError> {
        Ok(Self {
            annotations: fields.string_map("annotations")?,
            media_types: media_types(fields)?,
        })
    }
}

pub(crate) fn order(line: u64, found: &str, expected: &str) -> PlanError {
    PlanError::Order {
        line,
        found: found.into(),
        expected: expected.into(),
    }
}

fn parse_names(fields: &mut Fields) -> Result<Vec<String>, PlanError> {
    let names = fields.read("names", |at, json| {
        let empty = Json::String(String::new());
        let names = at.strings(json)?;
        match names.iter().position(String::is_empty) {
            Some(index) => at.member(index, |at| {
                Err(at.expected("a name that is not empty", &empty))
            }),
            None => Ok(names),
        }
    })?;
    Ok(names.unwrap_or_default())
}
