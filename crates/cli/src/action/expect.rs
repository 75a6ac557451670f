//! The action `expect`: whether an image is what somebody expects, without running it.

mod files;
mod line;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use cooperage_blob::Source;
use cooperage_commit::{Base, LoadedLayer};
use cooperage_image_spec::{Descriptor, Json, Platform};
use cooperage_tarball::{Tree, overlay};
use cooperage_transport::Layers;
use serde_json::{Value, json};

use self::line::{Bound, Expectation};
use super::parts::Scattered;
use super::{Action, Cancel, PlanKind, Request, Setting, documents, launcher, parts};
use crate::context::{Context, Outcome};
use crate::files::Staged;
use crate::media;
use crate::text::count;

pub(crate) const ACTION: Action = Action {
    name: "expect",
    about: "make sure that an image is what is expected of it, without running it",
    outputs: &["report"],
    inputs: &[],
    lines: &[line::LINE, parts::LINE, "platform"],
    plan: PlanKind::None,
    run: Some(run),
    launch: Some(|request, args| launcher::launch::<ExpectArgs>(request, args, ABOUT, launched)),
};

const ABOUT: &str = "Make sure that the image is what is expected of it, without running it";

/// What a launcher's command line says of it.
#[derive(Args, Debug)]
struct ExpectArgs {
    /// Of an index, look at the image for this platform alone
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
}

/// What was expected on a line, and what there is.
pub(crate) struct Failure {
    line: u64,
    /// Which image of an index.
    platform: Option<Platform>,
    expected: String,
    found: String,
}

fn run(request: &Request, setting: &Setting<'_>) -> Result<()> {
    expect(request, None, setting)
}

fn launched(request: &Request, args: &ExpectArgs, context: &Context) -> Result<Outcome> {
    let setting = Setting {
        context,
        cancel: &Cancel::default(),
    };
    expect(request, args.platform.clone(), &setting)?;
    Ok(Outcome::Done)
}

fn expect(request: &Request, platform: Option<Platform>, setting: &Setting<'_>) -> Result<()> {
    let report = request.maybe_output("report")?;
    let expectations = request.each(line::LINE, line::read)?;
    if expectations.is_empty() {
        bail!(
            "{}: nothing is expected: add a line `{{\"expect\":…}}`",
            request.label()
        );
    }
    let asked = request.maybe_one("platform", documents::platform)?;
    let platform = platform.or(asked);
    let image = Scattered::open(request, setting.context, Layers::Kept)?;
    let is_chosen = platform.is_some() || !image.parts.root().media_type.is_index();
    let mut outcome = Outcomes::default();
    let mut expectations = expectations;
    let images = images(&image, platform.as_ref())?;
    if !is_chosen {
        // An index has images for platforms; all else is expected of each of them.
        let is_platform =
            |(_, expected): &(u64, Expectation)| matches!(expected, Expectation::Platform(_));
        let (whole, each) = expectations.into_iter().partition(is_platform);
        expectations = each;
        outcome.of_index(&whole, &images);
    }
    for base in &images {
        setting.cancel.check()?;
        let failures = examine(&image.parts, base, &expectations, setting)
            .map_err(|error| image.blame(error))?;
        let platform = (!is_chosen).then(|| base.config.value().platform.clone());
        outcome.add(&expectations, failures, platform.as_ref());
    }
    outcome.finish(report.as_deref(), setting)
}

/// How many expectations were met, and which were not.
#[derive(Default)]
struct Outcomes {
    passed: usize,
    failures: Vec<Failure>,
}

impl Outcomes {
    fn add(
        &mut self,
        expectations: &[(u64, Expectation)],
        failures: Vec<Failure>,
        platform: Option<&Platform>,
    ) {
        let is_met = |(line, _): &&(u64, _)| failures.iter().all(|failure| failure.line != *line);
        self.passed += expectations.iter().filter(is_met).count();
        self.failures
            .extend(failures.into_iter().map(|failure| Failure {
                platform: platform.cloned(),
                ..failure
            }));
    }

    /// The platforms that an index is expected to have.
    fn of_index(&mut self, expectations: &[(u64, Expectation)], images: &[Base]) {
        let platforms = || images.iter().map(|image| &image.config.value().platform);
        for (line, expectation) in expectations {
            let Expectation::Platform(expected) = expectation else {
                continue;
            };
            let mut found = platforms();
            if found.any(|found| found.normalized() == expected.normalized()) {
                self.passed += 1;
                continue;
            }
            let found: Vec<_> = platforms().map(|found| format!("`{found}`")).collect();
            self.failures.push(Failure {
                line: *line,
                platform: None,
                expected: format!("an image for `{expected}`"),
                found: found.join(", "),
            });
        }
    }

    /// Writes the report, and fails with everything that is not as expected.
    fn finish(self, report: Option<&Path>, setting: &Setting<'_>) -> Result<()> {
        let Self { passed, failures } = self;
        let json = || json!({"passed": passed, "failed": failures.iter().map(json_of).collect::<Vec<_>>()});
        if let Some(file) = report {
            let mut bytes = serde_json::to_vec(&json())?;
            bytes.push(b'\n');
            let mut files = Staged::default();
            files.add(file, &bytes)?;
            setting.keep(files)?;
        }
        if failures.is_empty() {
            let text = || format!("{} as expected\n", count(passed, "thing"));
            return setting.context.report(json, text);
        }
        let mut text = match failures.len() {
            1 => "the image is not as expected:".to_owned(),
            several => format!("the image is not as expected, in {several} ways:"),
        };
        for failure in &failures {
            let _ = write!(text, "\nline {}", failure.line);
            if let Some(platform) = &failure.platform {
                let _ = write!(text, ", {platform}");
            }
            let _ = write!(
                text,
                ": expected {}, found {}",
                failure.expected, failure.found
            );
        }
        bail!(text)
    }
}

fn json_of(failure: &Failure) -> Value {
    let mut value = json!({
        "line": failure.line,
        "expected": failure.expected,
        "found": failure.found,
    });
    if let Some(platform) = &failure.platform {
        value["platform"] = platform.to_string().into();
    }
    value
}

/// The one for the platform; without one all of an index.
fn images(image: &Scattered, platform: Option<&Platform>) -> Result<Vec<Base>> {
    let (source, root) = (&image.parts, image.parts.root());
    if platform.is_some() {
        return Ok(vec![media::image(source, root, platform)?]);
    }
    let is_image = |at: &Descriptor| !media::is_attachment(at);
    let all = media::manifests(source, root)?.into_iter().filter(is_image);
    let all: Result<Vec<Base>> = all
        .map(|at| Ok(Base::read(source, &at, &Platform::linux_amd64())?))
        .collect();
    let all = all?;
    if all.is_empty() {
        bail!("the index `{}` holds no image", root.digest);
    }
    Ok(all)
}

fn examine(
    source: &dyn Source,
    image: &Base,
    expectations: &[(u64, Expectation)],
    setting: &Setting<'_>,
) -> Result<Vec<Failure>> {
    let needs_files = |expectation: &Expectation| {
        matches!(expectation, Expectation::File(_) | Expectation::Absent(_))
    };
    // Layers stay open as long as their files are looked at.
    let layers = if expectations
        .iter()
        .any(|(_, expected)| needs_files(expected))
    {
        media::layers(source, image, setting.context)?
    } else {
        Vec::new()
    };
    let tree = overlay(layers.iter().map(LoadedLayer::tree)).context(media::NO_TREE)?;
    let mut failures = Vec::new();
    for (line, expectation) in expectations {
        for (expected, found) in differences(expectation, image, &tree)? {
            failures.push(Failure {
                line: *line,
                platform: None,
                expected,
                found,
            });
        }
    }
    Ok(failures)
}

/// What was expected and what was found, where they differ.
type Difference = (String, String);

fn differences(expectation: &Expectation, image: &Base, tree: &Tree) -> Result<Vec<Difference>> {
    let config = image.config.value();
    let layers = &image.manifest.value().layers;
    Ok(match expectation {
        Expectation::Config(expected) => of_config(expected, image.config.raw())?,
        Expectation::Platform(expected) => {
            let same = config.platform.normalized() == expected.normalized();
            difference(same, || {
                (
                    format!("platform `{expected}`"),
                    format!("`{}`", config.platform),
                )
            })
        }
        Expectation::File(expected) => files::compare(expected, tree)?,
        Expectation::Absent(glob) => files::absent(glob, tree),
        Expectation::Size { max } => {
            let size: u64 = layers.iter().map(|layer| layer.size).sum();
            difference(size <= *max, || {
                (
                    format!("layers of at most {max} bytes"),
                    format!("{size} bytes"),
                )
            })
        }
        Expectation::Layers(bound) => {
            let found = layers.len() as u64;
            let (same, expected) = match bound {
                Bound::Exactly(number) => (found == *number, number.to_string()),
                Bound::AtMost(number) => (found <= *number, format!("at most {number}")),
            };
            difference(same, || (format!("{expected} layers"), found.to_string()))
        }
        Expectation::Label { name, value } => of_text(
            "label",
            name,
            value.as_ref(),
            config.config.labels.get(name),
        ),
        Expectation::Annotation { name, value } => {
            let found = image.manifest.value().annotations.get(name);
            of_text("annotation", name, value.as_ref(), found)
        }
    })
}

fn difference(same: bool, difference: impl FnOnce() -> Difference) -> Vec<Difference> {
    if same { Vec::new() } else { vec![difference()] }
}

fn of_text(
    kind: &str,
    name: &str,
    expected: Option<&String>,
    found: Option<&String>,
) -> Vec<Difference> {
    let quoted = |text: Option<&String>| text.map_or("none".into(), |text| format!("`{text}`"));
    difference(expected == found, || {
        let expected = match expected {
            Some(value) => format!("{kind} `{name}` to be `{value}`"),
            None => format!("no {kind} `{name}`"),
        };
        (expected, quoted(found))
    })
}

/// A subset of the config's `config`, by value; `null` for what must not be there.
fn of_config(expected: &Json, raw: &[u8]) -> Result<Vec<Difference>> {
    let config = Json::parse(raw).context("the config is not JSON")?;
    let own = config.get("config");
    let Json::Object(expected) = expected else {
        return Ok(Vec::new());
    };
    let text = |json: &Json| String::from_utf8_lossy(&json.to_canonical()).into_owned();
    let mut differences = Vec::new();
    for (key, expected) in expected {
        if let (Json::Object(variables), "Env") = (expected, key.as_str()) {
            differences.extend(of_environment(variables, own));
            continue;
        }
        let found = own.and_then(|own| own.get(key));
        let found = found.filter(|found| **found != Json::Null);
        let is_same = match expected {
            Json::Null => found.is_none(),
            expected => found == Some(expected),
        };
        if !is_same {
            let wanted = match expected {
                Json::Null => "absent".to_owned(),
                expected => text(expected),
            };
            let found = found.map_or("none".to_owned(), text);
            differences.push((format!("`{key}` of the config to be {wanted}"), found));
        }
    }
    Ok(differences)
}

/// Variables among those that the config has, which has them in a list; `null` for none.
fn of_environment(expected: &BTreeMap<String, Json>, own: Option<&Json>) -> Vec<Difference> {
    let list = match own.and_then(|own| own.get("Env")) {
        Some(Json::Array(list)) => &list[..],
        _ => &[],
    };
    let value_of = |name: &str| {
        let mut all = list.iter().filter_map(Json::as_str);
        all.find_map(|variable| variable.strip_prefix(name)?.strip_prefix('='))
    };
    let mut differences = Vec::new();
    for (name, expected) in expected {
        let (expected, found) = (expected.as_str(), value_of(name));
        let text = |value: Option<&str>| value.map(str::to_owned);
        let (expected, found) = (text(expected), text(found));
        let kind = "environment variable";
        differences.extend(of_text(kind, name, expected.as_ref(), found.as_ref()));
    }
    differences
}
