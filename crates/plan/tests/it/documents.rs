//! Bases that are given by their documents.

use std::fs;

use cooperage_blob::{Memory, read};
use cooperage_commit::write;
use cooperage_plan::{BuildOptions, Plan, PlanFile, build, build_image, open_base};
use tempfile::TempDir;

fn plan(text: &str) -> Plan {
    match PlanFile::parse(text.as_bytes()).expect(text) {
        PlanFile::Plan(plan) => plan,
        PlanFile::Layer(_) => panic!("a layer plan"),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut at = error.source();
    while let Some(source) = at {
        text = format!("{text}: {source}");
        at = source.source();
    }
    text
}

/// A base in a sink, and its documents in files.
struct Based {
    directory: TempDir,
    sink: Memory,
    digest: String,
}

impl Based {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let sink = Memory::new();
        let base = r#"{"plan":"image","version":1,"config":{"user":"7","env":{"A":"b"}}}
{"layer":{"name":"base"}}
{"path":"etc/base","text":"x","mode":"0644"}
"#;
        let built = build(&plan(base), &sink, &BuildOptions::default()).expect("it is built");
        let image = &built.images[0];
        for (name, bytes) in [
            ("m.json", image.formed.manifest.raw()),
            ("c.json", image.formed.config.raw()),
        ] {
            fs::write(directory.path().join(name), bytes).expect("written");
        }
        Self {
            directory,
            sink,
            digest: built.descriptor.digest.to_string(),
        }
    }

    fn options(&self) -> BuildOptions<'_> {
        BuildOptions {
            root: self.directory.path(),
            ..BuildOptions::default()
        }
    }

    fn open(&self, base: &str) -> Result<String, String> {
        let plan = plan(&format!(r#"{{"plan":"image","version":1,"base":{base}}}"#));
        let base = plan.images[0].base.as_ref().expect("a base");
        let opened = open_base(base, None, &self.options());
        let (_, base) = opened.map_err(|error| chain(&error))?;
        Ok(base.descriptor.digest.to_string())
    }
}

const OVER: &str = r#"{"plan":"image","version":1,"base":{"manifest":"m.json","config":"c.json"}}
{"layer":{"name":"over"}}
{"path":"etc/over","text":"y","mode":"0644"}
"#;

#[test]
fn documents_alone_make_the_documents_of_what_stands_on_them() {
    let based = Based::new();
    let over = plan(OVER);
    let options = based.options();
    // Where the base's layers are there already, nothing is missing.
    let built = build(&over, &based.sink, &options).expect("it is built");
    let image = &built.images[0];
    assert_eq!(image.base_layers, 1);
    let base = over.images[0].base.as_ref().expect("a base");
    let (_, base) = open_base(base, None, &options).expect("it opens");
    let formed = build_image(&over.images[0], &image.layers, Some(&base)).expect("it forms");
    assert_eq!(formed.manifest.raw(), image.formed.manifest.raw());
    let config = String::from_utf8_lossy(formed.config.raw());
    assert!(config.contains(r#""User":"7""#), "{config}");
    let again = write(&formed, &Memory::new()).expect("written");
    assert_eq!(again.digest, built.descriptor.digest);
    read(&based.sink, &again).expect("it is there");
}

#[test]
fn layers_that_are_nowhere_are_named() {
    let based = Based::new();
    let error = build(&plan(OVER), &Memory::new(), &based.options()).expect_err("no layer");
    let error = chain(&error);
    assert!(
        error.contains("m.json` is given by its documents alone, and its layer `sha256:"),
        "{error}"
    );
}

#[test]
fn documents_are_verified() {
    let based = Based::new();
    let whole = r#""manifest":"m.json","config":"c.json""#;
    let pinned = format!(r#"{{{whole},"digest":"{}"}}"#, based.digest);
    assert_eq!(based.open(&pinned), Ok(based.digest.clone()));

    let other = based.digest.replace('1', "2");
    let error = based
        .open(&format!(r#"{{{whole},"digest":"{other}"}}"#))
        .expect_err("other");
    assert!(
        error.contains(&format!("pinned to `{other}`, found `{}`", based.digest)),
        "{error}"
    );

    let path = |name: &str| based.directory.path().join(name);
    let config = fs::read_to_string(path("c.json")).expect("text");
    for (changed, said) in [
        (config.replace("\"7\"", "\"8\""), "sha256:"),
        (format!("{config} "), "bytes"),
        (String::new(), "bytes"),
    ] {
        fs::write(path("c.json"), changed).expect("written");
        let error = based.open(&format!("{{{whole}}}")).expect_err(said);
        assert!(error.contains("cannot build on `m.json`"), "{error}");
        assert!(error.contains(said), "{error}");
    }
    fs::write(path("m.json"), "[]").expect("written");
    let error = based
        .open(&format!("{{{whole}}}"))
        .expect_err("no manifest");
    assert!(
        error.contains("m.json` is no manifest of an image"),
        "{error}"
    );
    fs::remove_file(path("m.json")).expect("it was there");
    let error = based.open(&format!("{{{whole}}}")).expect_err("gone");
    assert!(error.contains("cannot read `"), "{error}");
}
