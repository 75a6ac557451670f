//! The reference of `docs/bazel.md`, out of what the Starlark says of itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::starlark::{Expr, Statement, parse};

/// Public files, and what their part of the page is called.
const FILES: &[(&str, &str)] = &[
    ("bazel/defs.bzl", "Rules"),
    ("bazel/providers.bzl", "Providers"),
    ("bazel/extensions.bzl", "Module extension"),
    ("bazel/repositories.bzl", "Repository rules"),
    ("bazel/toolchain/defs.bzl", "Toolchain rules"),
];

/// The names of a file that has been read.
#[derive(Debug, Default)]
struct File {
    names: BTreeMap<String, Item>,
}

#[derive(Clone, Debug)]
enum Item {
    Value(Expr),
    Function { parameters: String, doc: String },
    Elsewhere { file: String, name: String },
}

/// All files by their labels, read when they are asked for.
struct Files<'a> {
    root: &'a Path,
}

impl Files<'_> {
    fn read(&self, path: &str) -> Result<File> {
        let text = std::fs::read_to_string(self.root.join(path))
            .with_context(|| format!("cannot read `{path}`"))?;
        let statements = parse(&text).with_context(|| format!("cannot understand `{path}`"))?;
        let mut file = File::default();
        for statement in statements {
            match statement {
                Statement::Assign { name, value } => {
                    file.names.insert(name, Item::Value(value));
                }
                Statement::Function {
                    name,
                    parameters,
                    doc,
                } => {
                    file.names.insert(name, Item::Function { parameters, doc });
                }
                Statement::Load { file: label, names } => {
                    let from = path_of(&label, path);
                    for (here, name) in names {
                        let file_name = from.clone();
                        file.names.insert(
                            here,
                            Item::Elsewhere {
                                file: file_name,
                                name,
                            },
                        );
                    }
                }
                Statement::Skipped => {}
            }
        }
        Ok(file)
    }

    /// What a name stands for, and the file that says so.
    fn resolve(&self, path: &str, name: &str) -> Result<(String, Item)> {
        let file = self.read(path)?;
        let item = file
            .names
            .get(name)
            .with_context(|| format!("`{path}` has no `{name}`"))?;
        match item {
            Item::Elsewhere { file, name } => self.resolve(file, name),
            Item::Value(Expr::Name(other)) if file.names.contains_key(other) => {
                self.resolve(path, other)
            }
            item => Ok((path.to_owned(), item.clone())),
        }
    }

    /// The items of a dictionary, through names and `|`.
    fn items(&self, path: &str, value: &Expr) -> Result<Vec<(String, String, Expr)>> {
        Ok(match value {
            Expr::Dict(items) => items
                .iter()
                .filter_map(|(key, value)| match key {
                    Expr::Text(key) => Some((key.clone(), path.to_owned(), value.clone())),
                    _ => None,
                })
                .collect(),
            Expr::Merge(left, right) => {
                let mut items = self.items(path, left)?;
                items.extend(self.items(path, right)?);
                items
            }
            Expr::Name(name) => match self.resolve(path, name)? {
                (path, Item::Value(value)) => self.items(&path, &value)?,
                _ => bail!("`{path}`: `{name}` is no dictionary"),
            },
            _ => bail!("`{path}`: found something else than a dictionary"),
        })
    }

    /// A string, through a name.
    fn text(&self, path: &str, value: &Expr) -> Option<String> {
        match value {
            Expr::Text(text) => Some(text.clone()),
            Expr::Name(name) => match self.resolve(path, name).ok()? {
                (path, Item::Value(value)) => self.text(&path, &value),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The file that a label of a `load` names.
fn path_of(label: &str, from: &str) -> String {
    if let Some(rest) = label.strip_prefix("//") {
        return rest.replace(':', "/");
    }
    let directory = from.rsplit_once('/').map_or("", |(directory, _)| directory);
    format!("{directory}/{}", label.trim_start_matches(':'))
}

/// Everything that is public, in the order of the page.
pub(super) fn reference(root: &Path) -> Result<String> {
    let files = Files { root };
    let mut page = String::new();
    for (path, title) in FILES {
        write!(page, "## {title}: `@cooperage//{}`\n\n", label(path))?;
        let file = files.read(path)?;
        for name in file.names.keys().filter(|name| !name.starts_with('_')) {
            let (from, item) = files.resolve(path, name)?;
            page.push_str(
                &section(&files, name, &from, &item)
                    .with_context(|| format!("`{name}` of `{path}`"))?,
            );
        }
    }
    Ok(page.trim_end().to_owned() + "\n")
}

fn label(path: &str) -> String {
    path.rsplit_once('/')
        .map_or(path.to_owned(), |(package, file)| {
            format!("{package}:{file}")
        })
}

fn section(files: &Files<'_>, name: &str, path: &str, item: &Item) -> Result<String> {
    let (function, named) = match item {
        Item::Function { parameters, doc } => return function_section(name, parameters, doc),
        Item::Value(Expr::Call {
            function, named, ..
        }) => (function.as_str(), named),
        _ => bail!("is neither a rule nor a provider nor a function"),
    };
    let member = |wanted: &str| {
        named
            .iter()
            .find_map(|(name, value)| (name == wanted).then_some(value))
    };
    let doc = member("doc")
        .and_then(|doc| files.text(path, doc))
        .context("has no `doc`")?;
    let mut page = format!("### `{name}`\n\n{}\n\n", prose(&doc, ""));
    match function {
        "rule" | "repository_rule" | "tag_class" => {
            let attributes = member("attrs").context("has no `attrs`")?;
            page.push_str(&attributes_list(files, path, attributes)?);
        }
        "provider" => {
            let fields = member("fields").context("has no `fields`")?;
            for (field, path, value) in sorted(files.items(path, fields)?) {
                let doc = files
                    .text(&path, &value)
                    .with_context(|| format!("field `{field}` has no documentation"))?;
                writeln!(page, "- **`{field}`**: {}", prose(&doc, "  "))?;
            }
            page.push('\n');
        }
        "module_extension" => {
            let tags = member("tag_classes").context("has no `tag_classes`")?;
            for (tag, path, value) in sorted(files.items(path, tags)?) {
                let Expr::Name(variable) = &value else {
                    bail!("tag `{tag}` is no name of a `tag_class`");
                };
                let (path, item) = files.resolve(&path, variable)?;
                page.push_str(&section(files, &format!("{name}.{tag}"), &path, &item)?);
            }
        }
        other => bail!("is made by `{other}`, of which nothing is known"),
    }
    Ok(page)
}

fn sorted(mut items: Vec<(String, String, Expr)>) -> Vec<(String, String, Expr)> {
    items.sort_by(|left, right| left.0.cmp(&right.0));
    items
}

fn attributes_list(files: &Files<'_>, path: &str, attributes: &Expr) -> Result<String> {
    let mut page = String::new();
    for (name, path, value) in sorted(files.items(path, attributes)?) {
        if name.starts_with('_') {
            continue;
        }
        let Expr::Call {
            function, named, ..
        } = &value
        else {
            bail!("attribute `{name}` is no call of `attr`");
        };
        let member = |wanted: &str| {
            named
                .iter()
                .find_map(|(name, value)| (name == wanted).then_some(value))
        };
        let doc = member("doc")
            .and_then(|doc| files.text(&path, doc))
            .with_context(|| format!("attribute `{name}` has no `doc`"))?;
        let mut about = kind(function)?.to_owned();
        if matches!(member("mandatory"), Some(Expr::Name(value)) if value == "True") {
            about.push_str(", required");
        }
        if let Some(default) = member("default").and_then(shown) {
            write!(about, ", default {default}")?;
        }
        if let Some(Expr::List(values)) = member("values") {
            let values: Vec<_> = values.iter().filter_map(shown).collect();
            write!(about, ", one of {}", values.join(", "))?;
        }
        writeln!(page, "- **`{name}`** ({about}): {}", prose(&doc, "  "))?;
    }
    page.push('\n');
    Ok(page)
}

/// What an attribute takes, in words.
fn kind(function: &str) -> Result<&'static str> {
    Ok(match function {
        "attr.bool" => "true or false",
        "attr.int" => "number",
        "attr.label" => "label",
        "attr.label_keyed_string_dict" => "labels to strings",
        "attr.label_list" => "labels",
        "attr.string" => "string",
        "attr.string_dict" => "strings to strings",
        "attr.string_list" => "strings",
        "attr.string_list_dict" => "strings to lists of strings",
        other => bail!("`{other}` is an attribute of which nothing is known"),
    })
}

fn shown(value: &Expr) -> Option<String> {
    match value {
        Expr::Text(text) if text.is_empty() => Some("`\"\"`".to_owned()),
        Expr::Text(text) => Some(format!("`{text}`")),
        Expr::Name(name) => Some(format!("`{name}`")),
        _ => None,
    }
}

fn function_section(name: &str, parameters: &str, doc: &str) -> Result<String> {
    let (about, arguments) = doc
        .split_once("Args:\n")
        .with_context(|| format!("`{name}` has no `Args:`"))?;
    let (arguments, returns) = arguments
        .split_once("Returns:\n")
        .with_context(|| format!("`{name}` has no `Returns:`"))?;
    let mut page = format!(
        "### `{name}`\n\n`{name}({parameters})`\n\n{}\n\n",
        prose(about, "")
    );
    for argument in arguments.trim().lines() {
        let (argument, meaning) = argument
            .trim()
            .split_once(": ")
            .with_context(|| format!("argument `{argument}` has no meaning"))?;
        writeln!(page, "- **`{argument}`**: {}", prose(meaning, "  "))?;
    }
    write!(page, "\nReturns: {}\n\n", prose(returns, ""))?;
    Ok(page)
}

/// Text of Starlark as Markdown: one sentence a line, and each line but the first with `indent`.
fn prose(doc: &str, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in doc.trim().split("\n\n") {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let mut items: Vec<String> = Vec::new();
        for line in paragraph.lines().map(str::trim) {
            match items.last_mut() {
                Some(item) if !line.starts_with("- ") => {
                    item.push(' ');
                    item.push_str(line);
                }
                _ => items.push(line.to_owned()),
            }
        }
        for item in items {
            let mut deeper = "";
            for sentence in sentences(&item) {
                lines.push(format!("{deeper}{sentence}"));
                if item.starts_with("- ") {
                    deeper = "  ";
                }
            }
        }
    }
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        if number > 0 {
            text.push('\n');
            if !line.is_empty() {
                text.push_str(indent);
            }
        }
        text.push_str(line);
    }
    text
}

fn sentences(paragraph: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    for (end, _) in paragraph.match_indices(". ") {
        let begins = paragraph[end + 2..].chars().next();
        if begins.is_some_and(|first| first.is_uppercase() || first == '`') {
            sentences.push(&paragraph[start..=end]);
            start = end + 2;
        }
    }
    sentences.push(&paragraph[start..]);
    sentences
}
