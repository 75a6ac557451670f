//! `action`: requests of build systems.

use crate::support::Project;

const LAYER: &str = r#"{"action":"layer","version":1}
{"output":"blob","file":"l.blob"}
{"output":"metadata","file":"l.json"}
{"plan":"layer","version":1,"name":"lower"}
{"path":"etc/motd","text":"old\n","mode":"0600"}
{"path":"etc/keep","text":"kept\n","mode":"0644","uid":5,"gid":6}
"#;

const IMAGE: &str = r#"{"action":"image","version":1}
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
