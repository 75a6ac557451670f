//! The worker: requests over standard input, all answered by one process.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::Project;

/// A work request of these lines.
fn work(id: u64, lines: &str, sandbox: &str) -> Value {
    let lines: Vec<&str> = lines.lines().collect();
    json!({
        "arguments": lines,
        "inputs": [{"path": "app", "digest": "AAE="}],
        "requestId": id,
        "verbosity": 0,
        "sandboxDir": sandbox,
    })
}

/// Has the worker answer requests; its answers by their numbers.
#[track_caller]
fn answers(project: &Project, requests: &[Value]) -> BTreeMap<u64, Value> {
    let input: Vec<String> = requests.iter().map(Value::to_string).collect();
    let ran = project.run_with(
        &["action", "--persistent_worker"],
        input.join("\n").as_bytes(),
    );
    assert_eq!(ran.err, "");
    let ran = ran.exits(0);
    let mut answers = BTreeMap::new();
    for line in ran.text().lines() {
        let answer: Value = serde_json::from_str(line).expect("each answer is a line");
        let id = answer["requestId"].as_u64().expect("its number");
        let twice = answers.insert(id, answer);
        assert_eq!(twice, None, "an answer too many");
    }
    answers
}

/// A layer of a text of its own, a shared file, and as many small files as asked for.
fn layer(name: &str, files: usize) -> String {
    let mut lines = format!(
        r#"{{"action":"layer","version":1}}
{{"output":"blob","file":"{name}.blob"}}
{{"output":"metadata","file":"{name}.json"}}
{{"plan":"layer","version":1,"name":"{name}"}}
{{"path":"app","file":"app","mode":"0755"}}
{{"path":"name","text":"{name}","mode":"0644"}}
{{"match":"app","uid":7}}
"#
    );
    for file in 0..files {
        let _ = writeln!(
            lines,
            r#"{{"path":"d/{file}","text":"{file}","mode":"0644"}}"#
        );
    }
    lines
}

fn image(name: &str) -> String {
    format!(
        r#"{{"action":"image","version":1}}
{{"output":"config","file":"{name}.config"}}
{{"output":"manifest","file":"{name}.manifest"}}
{{"output":"descriptor","file":"{name}.descriptor"}}
{{"plan":"image","version":1,"config":{{"user":"7"}}}}
{{"layer":{{"metadata":"{name}.json"}}}}
"#
    )
}

#[test]
fn many_requests_at_once_make_what_each_makes_alone() {
    let (together, alone) = (Project::new(), Project::new());
    let names: Vec<String> = (1..=50).map(|number| format!("l{number}")).collect();
    for name in &names {
        std::fs::create_dir(together.path(name)).expect("a directory");
        std::fs::copy(together.path("app"), together.path(name).join("app")).expect("copied");
    }
    // Every third one in a sandbox of its own.
    let sandbox = |number: usize| {
        if number.is_multiple_of(3) {
            names[number].as_str()
        } else {
            ""
        }
    };
    for make in [|name: &str| layer(name, 20), image] {
        let requests: Vec<Value> = names
            .iter()
            .enumerate()
            .map(|(number, name)| work(number as u64 + 1, &make(name), sandbox(number)))
            .collect();
        let answers = answers(&together, &requests);
        assert_eq!(answers.len(), names.len());
        for (id, answer) in answers {
            assert_eq!(
                answer,
                json!({"exitCode": 0, "output": "", "requestId": id})
            );
        }
        for name in names.iter().step_by(7) {
            alone.write("request", make(name));
            alone.run(&["action", "@request"]).exits(0);
        }
    }
    for (number, name) in names.iter().enumerate().step_by(7) {
        for end in ["blob", "json", "config", "manifest", "descriptor"] {
            let file = format!("{name}.{end}");
            let place = match sandbox(number) {
                "" => file.clone(),
                sandbox => format!("{sandbox}/{file}"),
            };
            assert_eq!(together.read(&place), alone.read(&file), "{file}");
        }
    }
}

#[test]
fn what_is_wrong_with_a_request_is_its_answer_alone() {
    let project = Project::new();
    let before = project.snapshot();
    let requests = [
        work(
            1,
            &layer("a", 0).replace("\"name\",\"text\"", "\"name\",\"tex\""),
            "",
        ),
        work(
            2,
            &layer("b", 0).replace("\"file\":\"app\"", "\"file\":\"nowhere\""),
            "",
        ),
        work(3, "", ""),
        work(4, &layer("c", 0), "no/such/sandbox"),
        work(5, "{\"action\":\"push\",\"version\":1}", ""),
        json!({"requestId": 6, "cancel": true}),
    ];
    let answers = answers(&project, &requests);
    let said = |id: u64| answers[&id]["output"].as_str().expect("text");
    assert!(answers.values().all(|answer| answer["exitCode"] == 1));
    assert_eq!(answers.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert!(
        said(1).contains("the work request is no valid request"),
        "{}",
        said(1)
    );
    assert!(
        said(1).contains("line 6: unknown field `tex`: did you mean `text`?"),
        "{}",
        said(1)
    );
    assert!(
        said(2).contains("cannot read `nowhere` for layer entry `app` (plan line 5)"),
        "{}",
        said(2)
    );
    assert!(said(3).contains("it is empty"), "{}", said(3));
    assert!(said(4).contains("no/such/sandbox"), "{}", said(4));
    assert!(said(5).contains("is for launchers"), "{}", said(5));
    assert_eq!(project.snapshot(), before);
}

#[test]
fn a_request_of_many_lines_is_one_layer() {
    let project = Project::new();
    let request = layer("big", 30_000);
    let answers = answers(&project, &[work(1, &request, "")]);
    assert_eq!(answers[&1]["output"], "");
    let from_worker = project.read("big.blob");
    project.write("request", request);
    project.run(&["action", "@request"]).exits(0);
    assert_eq!(project.read("big.blob"), from_worker);
    // The directory `d` is made beside them.
    assert_eq!(project.read_json("big.json")["entries"], 30_003);
}

#[test]
fn a_request_that_is_taken_back_is_answered_once_and_leaves_all_or_nothing() {
    let project = Project::new();
    project.write("app", "a large program\n".repeat(4 << 20));
    let requests = [
        work(1, &layer("large", 1000), ""),
        json!({"requestId": 1, "cancel": true}),
        work(
            2,
            &layer("small", 0).replace("\"file\":\"app\"", "\"text\":\"x\""),
            "",
        ),
    ];
    let answers = answers(&project, &requests);
    assert_eq!(answers[&2]["output"], "");
    let names = project.names();
    let whole = names.contains(&"large.blob".to_owned());
    assert_eq!(
        whole,
        answers[&1].get("wasCancelled").is_none(),
        "{answers:?}"
    );
    assert_eq!(whole, names.contains(&"large.json".to_owned()));
    assert!(
        !names.iter().any(|name| name.starts_with(".cooperage")),
        "{names:?}"
    );
}
