//! `action`: requests of build systems.

use crate::support::Project;

pub(crate) const LAYER: &str = r#"{"action":"layer","version":1}
{"output":"blob","file":"l.blob"}
{"output":"metadata","file":"l.json"}
{"plan":"layer","version":1,"name":"lower"}
{"path":"etc/motd","text":"old\n","mode":"0600"}
{"path":"etc/keep","text":"kept\n","mode":"0644","uid":5,"gid":6}
"#;

pub(crate) const IMAGE: &str = r#"{"action":"image","version":1}
{"output":"config","file":"c.json"}
{"output":"manifest","file":"m.json"}
{"output":"descriptor","file":"d.json"}
{"plan":"image","version":1,"config":{"user":"65532"}}
{"layer":{"metadata":"l.json"}}
"#;

const INDEX: &str = r#"{"action":"index","version":1}
{"output":"index","file":"x.json"}
{"output":"descriptor","file":"xd.json"}
{"index":{"annotations":{"a":"b"},"media_types":"oci"}}
{"image":"d.json"}
"#;

/// Runs a request, which says nothing if all is well.
#[track_caller]
fn act(project: &Project, request: &str) {
    project.write("request", request);
    let ran = project.run(&["action", "@request"]).exits(0);
    assert_eq!(
        (ran.text(), ran.err.clone()),
        (String::new(), String::new())
    );
}

#[test]
fn actions_make_what_the_commands_make() {
    let project = Project::new();
    for request in [LAYER, IMAGE, INDEX] {
        act(&project, request);
    }
    let plan = |request: &str| {
        let at = request.find("{\"plan\"").expect("a plan");
        request[at..].to_owned()
    };
    let layer = ["layer", "-", "-q", "--blob", "b", "--metadata", "m"];
    project.run_with(&layer, plan(LAYER).as_bytes()).exits(0);
    let commit = [
        "commit",
        "-",
        "-q",
        "--config",
        "c",
        "--manifest",
        "n",
        "--descriptor",
        "d",
    ];
    project.run_with(&commit, plan(IMAGE).as_bytes()).exits(0);
    for (mine, theirs) in [
        ("l.blob", "b"),
        ("l.json", "m"),
        ("c.json", "c"),
        ("m.json", "n"),
        ("d.json", "d"),
    ] {
        assert_eq!(project.read(mine), project.read(theirs), "{mine}");
    }
    let index = project.read_json("x.json");
    assert_eq!(index["manifests"][0], project.read_json("d.json"));
    assert_eq!(index["annotations"]["a"], "b");
    assert_eq!(
        project.read_json("xd.json")["size"],
        project.read("x.json").len()
    );
}

#[test]
fn bad_requests_are_refused_by_line() {
    let project = Project::new();
    for (request, said) in [
        (String::new(), "it is empty"),
        (
            LAYER.replacen("\"layer\"", "\"lyaer\"", 1),
            "line 1: `action`: no action `lyaer` is known here: did you mean `layer`?",
        ),
        (
            LAYER.replacen("\"version\":1", "\"version\":2", 1),
            "line 1: request version 2 is not known here",
        ),
        (
            LAYER.replacen("\"version\":1", "\"vresion\":1", 1),
            "line 1: unknown field `vresion`: did you mean `version`?",
        ),
        (
            LAYER.replace("\"metadata\"", "\"metdata\""),
            "line 3: `layer` has no output `metdata`: did you mean `metadata`?",
        ),
        (
            LAYER.replace("metadata", "blob"),
            "line 3: the output `blob` is given twice: line 2 names it too",
        ),
        (
            LAYER.replace("{\"output\":\"metadata\",\"file\":\"l.json\"}", ""),
            "the output `metadata` is missing",
        ),
        (
            LAYER.replace("\"output\":\"metadata\"", "\"input\":\"stamp\""),
            "line 3: `layer` has no input `stamp`: expected no input at all",
        ),
        (
            LAYER.replace("\"file\":\"l.blob\"", "\"fiel\":\"l.blob\""),
            "line 2: unknown field `fiel`: did you mean `file`?",
        ),
        (
            LAYER.replace("\"output\":\"metadata\"", "\"outptu\":\"metadata\""),
            "line 3: `layer` has no such line: `outptu`: did you mean `output`?",
        ),
        (
            LAYER.replace(",\"mode\":\"0600\"", ""),
            "layer entry `etc/motd` (plan line 5) has no mode",
        ),
        (
            LAYER.replace("uid", "udi"),
            "line 6: unknown field `udi`: did you mean `uid`?",
        ),
        (
            LAYER.replace("\"plan\":\"layer\"", "\"plan\":\"image\""),
            "line 4: unknown field `name`: did you mean `names`?",
        ),
        (
            IMAGE.replace("\"action\":\"image\"", "\"action\":\"layer\""),
            "line 2: `layer` has no output `config`",
        ),
        (
            IMAGE.replace("{\"layer\":{\"metadata\":\"l.json\"}}", "{\"layer\":{}}"),
            "is not built yet: expected `metadata`",
        ),
        (
            INDEX.replace("{\"image\":\"d.json\"}", ""),
            "an index needs at least one image",
        ),
        (
            INDEX.replace("annotations", "annotation"),
            "line 4: unknown field `index.annotation`: did you mean `annotations`?",
        ),
        (
            INDEX.replace("{\"image\":\"d.json\"}", "{\"imgae\":\"d.json\"}"),
            "line 5: `index` has no such line: `imgae`: did you mean `image`?",
        ),
        (
            format!("{INDEX}{{\"index\":{{}}}}\n"),
            "line 6: a line with `index` stands on line 4 already",
        ),
    ] {
        project.write("request", &request);
        let before = project.snapshot();
        project.run(&["action", "@request"]).exits(1).says(&[said]);
        assert_eq!(project.snapshot(), before, "{said}");
    }
    project
        .run(&["action", "request"])
        .exits(1)
        .says(&["expected `@FILE`"]);
    project
        .run(&["action", "@nothing"])
        .exits(1)
        .says(&["cannot read the request `nothing`"]);
}

const FILLED: &str = r#"{"action":"image","version":1}
{"output":"config","file":"c.json"}
{"output":"manifest","file":"m.json"}
{"input":"labels","file":"labels"}
{"input":"annotations","file":"annotations"}
{"input":"env","file":"env"}
{"plan":"image","version":1,"created":"{{BUILD_TIMESTAMP}}","author":"{{BUILD_USER}}","annotations":{"own":"x"},"config":{"user":"7","labels":{"own":"{{BUILD_USER}}","both":"line","gone":null},"env":{"V":"v{{STABLE_VERSION}}"}}}
{"layer":{"metadata":"l.json"}}
"#;

const STAMPS: &str = r#"{"input":"stamp","file":"stable"}
{"input":"stamp","file":"volatile"}
{"input":"labels""#;

/// The config and the manifest's annotations that come of [`FILLED`].
#[track_caller]
fn filled(project: &Project, request: &str) -> (serde_json::Value, serde_json::Value) {
    act(project, request);
    let annotations = project.read_json("m.json")["annotations"].clone();
    (project.read_json("c.json"), annotations)
}

#[test]
fn files_and_stamps_fill_the_first_line_of_a_plan() {
    let project = Project::new();
    act(&project, LAYER);
    project.write(
        "labels",
        "# a comment\n\nfrom=file=x\nboth=file\r\ngone=file\nstamped={{BUILD_USER}}\n",
    );
    project.write("annotations", "own=file\nother=file\n");
    project.write("env", "A=first\nA=second\nEMPTY=\n");
    project.write("stable", "STABLE_VERSION 1.2 beta\nBUILD_USER ann\n");
    project.write("volatile", "BUILD_TIMESTAMP 1700000000\n");

    let (config, annotations) = filled(&project, FILLED);
    assert_eq!(config["created"], "1970-01-01T00:00:00Z");
    assert_eq!(config.get("author"), None);
    let labels = serde_json::json!({"from": "file=x", "both": "line"});
    assert_eq!(config["config"]["Labels"], labels);
    let env = serde_json::json!(["A=second", "EMPTY="]);
    assert_eq!(config["config"]["Env"], env);
    assert_eq!(
        annotations,
        serde_json::json!({"own": "x", "other": "file"})
    );

    let stamped = FILLED.replacen("{\"input\":\"labels\"", STAMPS, 1);
    let (config, again) = filled(&project, &stamped);
    assert_eq!(config["created"], "2023-11-14T22:13:20Z");
    assert_eq!(config["author"], "ann");
    let labels =
        serde_json::json!({"from": "file=x", "both": "line", "own": "ann", "stamped": "ann"});
    assert_eq!(config["config"]["Labels"], labels);
    let env = serde_json::json!(["A=second", "EMPTY=", "V=v1.2 beta"]);
    assert_eq!(config["config"]["Env"], env);
    assert_eq!(again, annotations);

    // `null` is for the base: what files say is put in.
    let nothing = r#""labels":null,"#;
    let cleared = FILLED.replace(
        r#""labels":{"own":"{{BUILD_USER}}","both":"line","gone":null},"#,
        nothing,
    );
    let (config, _) = filled(&project, &cleared);
    let labels = serde_json::json!({"from": "file=x", "both": "file", "gone": "file"});
    assert_eq!(config["config"]["Labels"], labels);
}

#[test]
fn faulty_values_and_stamps_are_named() {
    let project = Project::new();
    act(&project, LAYER);
    for name in ["labels", "annotations", "env"] {
        project.write(name, "");
    }
    project.write("stable", "STABLE_VERSION 1\nBUILD_USER ann\n");
    project.write("volatile", "BUILD_TIMESTAMP now\n");
    let stamped = FILLED.replacen("{\"input\":\"labels\"", STAMPS, 1);
    for (request, said) in [
        (stamped.clone(), "line 9: `created` is not valid"),
        (
            stamped.replace("STABLE_VERSION", "STABLE_VERISON"),
            "no stamp `STABLE_VERISON` is known: did you mean `STABLE_VERSION`?",
        ),
        (
            FILLED.replace("\"config\":{\"user\"", "\"confg\":{\"user\""),
            "line 7: unknown field `confg`",
        ),
        (
            FILLED.replace("\"file\":\"env\"", "\"file\":\"nowhere\""),
            "cannot read `nowhere`",
        ),
        (
            FILLED.replace("\"layer\":{\"metadata\"", "\"layer\":{\"metdata\""),
            "line 8: unknown field `layer.metdata`",
        ),
        (
            FILLED.replace("\"input\":\"labels\"", "\"input\":\"lables\""),
            "`image` has no input `lables`: did you mean `labels`?",
        ),
    ] {
        project.write("request", request);
        project.run(&["action", "@request"]).fails(&[said]);
    }
    project.write("env", "A=1\n=2\n");
    project.write("request", FILLED);
    let ran = project.run(&["action", "@request"]);
    ran.fails(&["`env`: line 2: expected `KEY=VALUE`, found `=2`"]);
}

const PAGE: &str = include_str!("../../../../docs/actions.md");

#[test]
fn the_page_has_every_action_with_its_outputs_inputs_and_lines() {
    let help = Project::new().run(&["action", "--help"]).exits(0).text();
    let actions = help.split("Actions:\n").nth(1).expect("a list of actions");
    let actions = actions.split("\n\n").next().expect("its end");
    let (mut section, mut found) = ("", 0);
    for line in actions.lines() {
        match line.trim().split_once(": ") {
            Some((what @ ("outputs" | "inputs" | "lines"), names)) => {
                for name in names.split(", ") {
                    let written = match what {
                        "lines" => format!("{{\"{name}\":"),
                        _ => format!("`{name}`"),
                    };
                    assert!(
                        section.contains(&written),
                        "`{written}` is not in:\n{section}"
                    );
                    found += 1;
                }
            }
            Some(("plan", kind)) => assert!(section.contains(&format!("{kind} plan")), "{section}"),
            _ => {
                let name = line.split_whitespace().next().expect("a name");
                let parts = PAGE.split(&format!("\n### `{name}`\n")).nth(1);
                let part = parts.unwrap_or_else(|| panic!("`{name}` has no section"));
                section = part.split("\n#").next().expect("it begins");
            }
        }
    }
    assert!(found > 30, "only {found} words were found");
}

#[test]
fn the_example_of_the_page_is_a_request() {
    let project = Project::new();
    project.write("server", "x");
    let example = PAGE
        .split("```jsonl\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let example = example
        .expect("an example")
        .replace("target/release/server", "server");
    act(&project, &example);
    assert!(project.names().contains(&"app.blob".to_owned()));
}

#[test]
fn hints_are_those_for_requests() {
    let project = Project::new();
    std::fs::create_dir(project.path("dir")).expect("a directory");
    std::os::unix::fs::symlink("nowhere", project.path("dangling")).expect("a symlink");
    for (entry, hint) in [
        (
            r#"{"path":"a","file":"nowhere","mode":"0644"}"#,
            "names in a request start from the working directory",
        ),
        (
            r#"{"path":"a","file":"dir","mode":"0644"}"#,
            "`tree` instead of `file` takes all",
        ),
        (
            r#"{"path":"a","symlink_of":"dir"}"#,
            "`declared_symlinks` is for what rules make",
        ),
        (
            r#"{"path":"a","file":"dangling","mode":"0644"}"#,
            "is named in the layer's `declared_symlinks`",
        ),
        (
            r#"{"path":"a","text":""}"#,
            "in a request every entry has a `mode`",
        ),
        (
            r#"{"path":"a","txt":"","mode":"0644"}"#,
            "docs/actions.md describes requests",
        ),
    ] {
        project.write("request", format!("{LAYER}{entry}\n"));
        let ran = project.run(&["action", "@request"]).exits(1);
        let hints: Vec<&str> = ran
            .err
            .lines()
            .filter(|line| line.starts_with("hint: "))
            .collect();
        assert!(hints.len() == 1 && hints[0].contains(hint), "{}", ran.err);
    }
}
