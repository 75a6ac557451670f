//! The JSON Schema, by somebody else's reading of it.

use std::fs;
use std::path::{Path, PathBuf};

use cooperage_testkit::peers;

/// Lines that the schema must refuse, as `PlanFile::parse` does.
const BAD: &[&str] = &[
    "[]",
    "{}",
    r#"{"plan":"image"}"#,
    r#"{"plan":"image","version":2}"#,
    r#"{"plan":"picture","version":1}"#,
    r#"{"plan":"image","version":1,"names":7}"#,
    r#"{"plan":"image","version":1,"unknown":true}"#,
    r#"{"path":"a"}"#,
    r#"{"path":"a","file":7}"#,
    r#"{"path":"a","file":"a","text":"a"}"#,
    r#"{"path":"a","file":"a","mode":"rwx"}"#,
    r#"{"layer":{"level":"high"}}"#,
    r#"{"layer":{"form":"other","tar":"a"}}"#,
];

#[test]
fn plans_are_what_the_schema_says() {
    let Some(validator) = peers::tool("jsonschema") else {
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let schema = root.join("docs/plan.schema.json");
    let directory = tempfile::tempdir().unwrap();
    let write = |(number, line): (usize, &str)| -> PathBuf {
        let file = directory.path().join(format!("{number}.json"));
        fs::write(&file, line).unwrap();
        file
    };
    let is_valid = |files: &[PathBuf]| {
        let mut command = validator.command([] as [&str; 0]);
        for file in files {
            command.arg("--instance").arg(file);
        }
        let output = command.arg(&schema).output().expect("it starts");
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    };

    let plans: String = [
        "ordinary", "kinds", "removals", "folding", "docker", "index",
    ]
    .map(|name| fs::read_to_string(root.join(format!("tests/golden/{name}.jsonl"))).unwrap())
    .concat();
    let files: Vec<_> = plans.lines().enumerate().map(write).collect();
    assert!(files.len() > 50, "{}", files.len());
    let (valid, said) = is_valid(&files);
    assert!(valid, "{said}");
    for line in BAD {
        let (valid, _) = is_valid(&[write((0, line))]);
        assert!(!valid, "{line}");
        let head = "{\"plan\":\"image\",\"version\":1}\n{\"layer\":{}}\n";
        let head = if line.contains("plan") { "" } else { head };
        let whole = format!("{head}{line}");
        assert!(
            cooperage_plan::PlanFile::parse(whole.as_bytes()).is_err(),
            "{line}"
        );
    }
}
