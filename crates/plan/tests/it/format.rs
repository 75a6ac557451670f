//! The file itself: every member, every fault, and the documents that describe it.

use std::collections::BTreeSet;
use std::path::Path;

use cooperage_commit::Edit;
use cooperage_plan::{EntryKind, LayerContent, Plan, PlanFile};
use proptest::prelude::*;

fn parse(text: &str) -> Result<PlanFile, String> {
    PlanFile::parse(text.as_bytes()).map_err(|error| {
        let mut text = error.to_string();
        let mut at: &dyn std::error::Error = &error;
        while let Some(source) = at.source() {
            text = format!("{text}: {source}");
            at = source;
        }
        text
    })
}

fn plan(text: &str) -> Plan {
    match parse(text).expect(text) {
        PlanFile::Plan(plan) => plan,
        PlanFile::Layer(_) => panic!("a layer plan: {text}"),
    }
}

const HEAD: &str = r#"{"plan":"image","version":1}"#;

fn refused(text: &str, reason: &str) {
    let error = parse(text).expect_err(text);
    assert!(
        error.contains(reason),
        "refused with\n  {error}\nexpected\n  {reason}\nof\n{text}"
    );
}

fn entry_refused(entry: &str, reason: &str) {
    refused(
        &format!("{HEAD}\n{{\"layer\":{{}}}}\n{entry}"),
        &format!("line 3: {reason}"),
    );
}

#[test]
fn faults_name_line_field_and_what_was_expected() {
    refused("", "the plan is empty");
    refused("\n \n", "the plan is empty");
    refused(
        "nonsense",
        "line 1: expected a JSON object on a line of its own",
    );
    refused(
        "[]",
        "line 1: the line: expected an object, found a list of 0",
    );
    refused("{}", "line 1: `plan` is missing");
    refused(
        r#"{"plan":"images","version":1}"#,
        "line 1: `plan`: expected `image`, `index` or `layer`, found `\"images\"`",
    );
    refused(
        r#"{"plan":"image"}"#,
        "line 1: `version` is missing: expected `1`",
    );
    refused(
        r#"{"plan":"image","version":2}"#,
        "plan version 2 is not known here",
    );
    refused(
        r#"{"plan":"image","version":"1"}"#,
        "`version`: expected a whole number",
    );
    refused(
        r#"{"plan":"image","version":1,"user":"x"}"#,
        "unknown field `user`",
    );
    refused(
        r#"{"plan":"image","version":1,"platfrom":"x"}"#,
        "did you mean `platform`?",
    );
    refused(
        r#"{"plan":"image","version":1,"platform":"a/b/c/d/e"}"#,
        "`platform` is not valid",
    );
    refused(
        r#"{"plan":"image","version":1,"version":1}"#,
        "line 1: expected a JSON object",
    );
    refused(
        r#"{"plan":"image","version":1,"config":{"env":{"A=B":"x"}}}"#,
        "`config.env.A=B`: expected a name",
    );
    refused(
        r#"{"plan":"image","version":1,"config":{"env":{"A":1}}}"#,
        "`config.env.A`: expected a string, or null to unset it, found `1`",
    );
    refused(
        r#"{"plan":"image","version":1,"config":{"cmd":[1]}}"#,
        "`config.cmd[0]`: expected a string, found `1`",
    );
    refused(
        r#"{"plan":"image","version":1,"config":{"volumes":{"/x":false}}}"#,
        "expected `true`, or null",
    );
    refused(
        r#"{"plan":"image","version":1,"config":{"healthcheck":{"interval":"1s"}}}"#,
        "`config.healthcheck.interval`: expected a whole number",
    );
    refused(
        r#"{"plan":"image","version":1,"base":{"digest":"x"}}"#,
        "`base.reference` is missing",
    );
    refused(
        r#"{"plan":"image","version":1,"media_types":"oic"}"#,
        "expected `oci` or `docker`",
    );
    refused(
        &format!("{HEAD}\n{{\"path\":\"a\",\"text\":\"\"}}"),
        "line 2: an entry cannot stand here: expected a `layer` line before it",
    );
    refused(
        &format!("{HEAD}\n{{\"image\":{{}}}}"),
        "line 2: an `image` line cannot stand here",
    );
    refused(
        r#"{"plan":"layer","version":1}
        {"layer":{}}"#,
        "line 2: a `layer` line cannot stand here",
    );
    refused(
        &format!("{HEAD}\n\n{{\"layer\":{{\"encoder\":\"gzip-9\"}}}}"),
        "line 3: `layer.encoder` is not valid: unknown encoder id `gzip-9`",
    );
    refused(
        &format!("{HEAD}\n{{\"layer\":{{\"level\":12}}}}"),
        "no level 12",
    );
    refused(
        &format!("{HEAD}\n{{\"layer\":{{\"tar\":\"a\",\"metadata\":\"b\"}}}}"),
        "`tar` together with `metadata` or `blob`",
    );
    refused(
        &format!("{HEAD}\n{{\"layer\":{{\"tar\":\"a\"}}}}\n{{\"path\":\"a\",\"text\":\"\"}}"),
        "this one is a `tar` or `metadata`",
    );
}

#[test]
fn values_that_say_nothing_possible_are_refused() {
    for (members, reason) in [
        (
            r#""created":"yesterday""#,
            "`created` is not valid: `yesterday` is not a time: expected RFC 3339",
        ),
        (
            r#""created":"2026-13-01T00:00:00Z""#,
            "`created` is not valid",
        ),
        (
            r#""base":{"reference":"oci:x","digest":"sha256:00"}"#,
            "`base.digest` is not valid: `sha256:00`",
        ),
        (
            r#""names":["a",""]"#,
            "`names[1]`: expected a name that is not empty, found `\"\"`",
        ),
        (
            r#""config":{"exposed_ports":["80","http"]}"#,
            "`config.exposed_ports[1]` is not valid: expected a port such as",
        ),
        (
            r#""config":{"exposed_ports":{"1/icmp":true}}"#,
            "`config.exposed_ports` is not valid: expected `tcp`, `udp` or `sctp`",
        ),
    ] {
        refused(
            &format!("{{\"plan\":\"image\",\"version\":1,{members}}}"),
            &format!("line 1: {reason}"),
        );
    }
    refused(
        &format!("{HEAD}\n{{\"layer\":{{\"created\":\"1970\"}}}}"),
        "line 2: `layer.created` is not valid: `1970` is not a time",
    );
    refused(
        "\n{\"plan\":\"index\",\"version\":1}",
        "line 2: `image` is missing: expected an index with at least one `image` line",
    );
    // What is taken away may be called anything.
    plan(r#"{"plan":"image","version":1,"config":{"exposed_ports":{"http":null}}}"#);
}

#[test]
fn members_without_a_meaning_are_refused() {
    for layer in [
        r#"{"tar":"a","fold":false}"#,
        r#"{"tar":"a","level":4}"#,
        r#"{"tar":"a","form":"uncompress","encoder":"gzip-1"}"#,
        r#"{"metadata":"a","block_size":65536}"#,
        r#"{"metadata":"a","fold":true}"#,
    ] {
        refused(&format!("{HEAD}\n{{\"layer\":{layer}}}"), "together with `");
    }
    plan(&format!(
        "{HEAD}\n{{\"layer\":{{\"tar\":\"a\",\"form\":\"recompress\",\"level\":4}}}}"
    ));
}

#[test]
fn faulty_entries_are_refused() {
    entry_refused(r#"{"text":""}"#, "`path` is missing");
    entry_refused(
        r#"{"path":"a"}"#,
        "`file` is missing: expected one of `file`",
    );
    entry_refused(
        r#"{"path":"a","text":"","file":"b"}"#,
        "`file` and `text` together cannot stand here",
    );
    entry_refused(
        r#"{"path":"a","path_b64":"YQ==","text":""}"#,
        "`path` together with `path_b64`",
    );
    entry_refused(
        r#"{"path":"a","txt":""}"#,
        "unknown field `txt`: did you mean `text`?",
    );
    entry_refused(
        r#"{"layr":{}}"#,
        "unknown field `layr`: did you mean `layer`?",
    );
    entry_refused(
        r#"{"path":"a","text" ""}"#,
        "expected a JSON object on a line of its own: column 20: expected `:`",
    );
    entry_refused(r#"{"path":"a/../b","text":""}"#, "`path` is not valid");
    entry_refused(
        r#"{"path":"//a","text":""}"#,
        "`path` is not valid: `//a` is no path",
    );
    entry_refused(r#"{"path":"a//b","text":""}"#, "`path` is not valid");
    for path in ["", "/"] {
        entry_refused(
            &format!(r#"{{"path":"{path}","text":""}}"#),
            &format!("`path`: expected a path below the image's root, found `\"{path}\"`"),
        );
    }
    entry_refused(
        r#"{"path_b64":"?","text":""}"#,
        "`path_b64`: expected Base64 of RFC 4648 with its `=` at the end, found `\"?\"`",
    );
    entry_refused(
        r#"{"path":"a","text":"","mode":755}"#,
        "`mode`: expected an octal mode",
    );
    entry_refused(
        r#"{"path":"a","text":"","mode":"0855"}"#,
        "`mode`: expected an octal mode",
    );
    entry_refused(
        r#"{"path":"a","text":"","mode":"17777"}"#,
        "`mode`: expected an octal mode",
    );
    entry_refused(
        r#"{"path":"a","dir":false}"#,
        "`dir`: expected `true`, found `false`",
    );
    entry_refused(
        r#"{"path":"a","char_device":[1]}"#,
        "`char_device`: expected major and minor",
    );
    entry_refused(
        r#"{"path":"a","text":"","uid":-1}"#,
        "`uid`: expected a whole number (u64), found `-1`",
    );
    entry_refused(
        r#"{"path":"a","text":"","xattrs":{"x":"?"}}"#,
        "`xattrs.x`: expected Base64",
    );
    entry_refused(
        r#"{"runtime":"ca-certs"}"#,
        "`runtime` is not valid: unknown run-time item `ca-certs`",
    );
    entry_refused(
        r#"{"path":"a","text":"","md":"0644"}"#,
        "unknown field `md`",
    );
}

const EVERYTHING: &str = r#"{"plan":"index","version":1,"names":["a:1","b"],"annotations":{"x":"y"},"media_types":"docker"}
{"image":{"platform":"linux/arm64","base":{"reference":"oci:dir:x","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000"},"media_types":"docker","created":"2020-01-01T00:00:00Z","author":"me","annotations":{"k":"v"},"config":{"user":"1","env":{"*":null,"A":"b","C":null},"entrypoint":["/a"],"cmd":null,"working_dir":"/w","exposed_ports":{"1/tcp":null,"2/udp":true},"volumes":null,"labels":{"l":"m"},"stop_signal":"SIGINT","healthcheck":{"test":["CMD","x"],"interval":1,"timeout":2,"start_period":3,"start_interval":4,"retries":5}}}}
{"layer":{"name":"n","encoder":"zstd-1","level":7,"block_size":2097152,"fold":false,"annotations":{"a":"b"},"created_by":"by","comment":"c","created":"2021-01-01T00:00:00Z"}}
{"path":"a","file":"f","fold":false,"mode":"4755","uid":1,"gid":2,"user":"u","group":"g","mtime":-3,"xattrs":{"user.x":"AAE="},"origin":"o"}
{"path_b64":"/w==","file_b64":"/g=="}
{"path":"t","text":"text\n"}
{"path":"b","base64":"/w=="}
{"path":"d","dir":true,"mode":"1777"}
{"path":"s","symlink":"../x"}
{"path":"s2","symlink_b64":"/w=="}
{"path":"s3","symlink_of":"links/s"}
{"path":"s4","symlink_of_b64":"/w=="}
{"path":"h","hardlink":"a"}
{"path":"h2","hardlink_b64":"/w=="}
{"path":"w","whiteout":true}
{"path":"o","opaque":true}
{"path":"p","fifo":true}
{"path":"c","char_device":[1,3]}
{"path":"bd","block_device":[8,0]}
{"path":"tr","tree":"dir","dir_mode":"0700","mode":"0600"}
{"tree":"root"}
{"runtime":"users"}
{"match":"a/**/[x-z]","mode":"0755","dir_mode":"0700","uid":1,"gid":2,"user":"u","group":"g","mtime":4,"xattrs":{"user.x":"AAE="},"origin":"o"}
{"layer":{"tar":"x.tar","form":"canonical"}}
{"image":{"author":null,"base":{"manifest":"m.json","config":"c.json"}}}
{"layer":{"metadata":"m.json","blob":"m.blob"}}
{"layer":{"metadata":"m.json"}}
"#;

/// Line numbers are where a line stood, and say nothing of what it means.
fn without_lines(mut plan: Plan) -> Plan {
    for base in plan
        .images
        .iter_mut()
        .filter_map(|image| image.base.as_mut())
    {
        base.line = 0;
    }
    for layer in plan.images.iter_mut().flat_map(|image| &mut image.layers) {
        layer.line = 0;
        if let LayerContent::Entries { entries, .. } = &mut layer.content {
            for entry in entries {
                entry.line = 0;
            }
        }
        for line in &mut layer.matches {
            line.line = 0;
        }
    }
    plan
}

#[test]
fn faulty_matches_are_refused() {
    for (line, reason) in [
        (
            r#"{"match":"a"}"#,
            "`mode` is missing: expected `mode`, `dir_mode`",
        ),
        (
            r#"{"match":"","mode":"0755"}"#,
            "`match`: expected a glob of paths",
        ),
        (
            r#"{"match":"/","mode":"0755"}"#,
            "`match`: expected a glob of paths",
        ),
        (
            r#"{"match":"a[","mode":"0755"}"#,
            "`match` is not valid: error parsing glob 'a['",
        ),
        (
            r#"{"match":7,"mode":"0755"}"#,
            "`match`: expected a string, found `7`",
        ),
        (
            r#"{"match":"a","mode":"rwx"}"#,
            "`mode`: expected an octal mode",
        ),
        (
            r#"{"match":"a","path":"a","mode":"0755"}"#,
            "unknown field `path`",
        ),
        (
            r#"{"match":"a","gdi":1}"#,
            "unknown field `gdi`: did you mean `gid`?",
        ),
        (
            r#"{"mtach":"a","mode":"0755"}"#,
            "unknown field `mtach`: did you mean `match`?",
        ),
    ] {
        entry_refused(line, reason);
    }
    let line = r#"{"match":"a","mode":"0755"}"#;
    refused(
        &format!("{HEAD}\n{line}"),
        "line 2: a `match` line cannot stand here: expected a `layer` line before it",
    );
    refused(
        &format!("{HEAD}\n{{\"layer\":{{\"tar\":\"a\"}}}}\n{line}"),
        "line 3: a `match` line cannot stand here: expected another layer",
    );
}

#[test]
fn bases_by_documents_are_whole() {
    for (base, reason) in [
        (
            r#"{"manifest":"m"}"#,
            "`base.config` is missing: expected the file",
        ),
        (
            r#"{"config":"c"}"#,
            "`base.manifest` is missing: expected the file",
        ),
        (
            r#"{"manifest":"m","config":"c","reference":"oci:a"}"#,
            "`base.reference` together with `manifest` cannot stand here",
        ),
        (
            r#"{"manifest":"m","confg":"c"}"#,
            "unknown field `base.confg`: did you mean `config`?",
        ),
        (
            "{}",
            "`base.reference` is missing: expected where the base lies",
        ),
    ] {
        refused(
            &format!(r#"{{"plan":"image","version":1,"base":{base}}}"#),
            reason,
        );
    }
}

#[test]
fn every_member_is_read_and_written_again() {
    let read = plan(EVERYTHING);
    assert_eq!((read.images.len(), read.images[0].layers.len()), (2, 2));
    assert_eq!(read.images[0].config.cmd, Edit::Unset);
    assert_eq!(read.images[1].author, Edit::Unset);
    assert!(read.images[0].config.env.clear && read.images[0].config.volumes.clear);
    let mut bytes = Vec::new();
    read.write_to(&mut bytes).unwrap();
    let again = plan(std::str::from_utf8(&bytes).unwrap());
    assert_eq!(without_lines(again), without_lines(read));
    let mut twice = Vec::new();
    plan(std::str::from_utf8(&bytes).unwrap())
        .write_to(&mut twice)
        .unwrap();
    assert_eq!(bytes, twice);
}

#[test]
fn lines_are_counted_as_an_editor_counts_them() {
    let read = plan(&format!(
        "\n\n{HEAD}\n\n{{\"layer\":{{}}}}\r\n\n{{\"path\":\"/a/\",\"text\":\"\"}}"
    ));
    let LayerContent::Entries { entries, .. } = &read.images[0].layers[0].content else {
        panic!()
    };
    assert_eq!(entries[0].line, 7);
    let EntryKind::Bytes { path, .. } = &entries[0].what else {
        panic!()
    };
    assert_eq!(path.as_bytes(), b"a");
}

fn repository(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_examples_of_the_documentation_are_plans() {
    let page = repository("docs/plan-format.md");
    let block = page
        .split("```jsonl\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    assert_eq!(plan(block).images[0].layers.len(), 2);
    let mut entries = 0;
    for row in page
        .lines()
        .filter(|line| line.starts_with("| `{\"path\"") || line.starts_with("| `{\"runtime\""))
    {
        for example in row.split('`').filter(|part| part.starts_with('{')) {
            plan(&format!("{HEAD}\n{{\"layer\":{{}}}}\n{example}"));
            entries += 1;
        }
    }
    assert!(entries >= 12, "only {entries} examples were found");
}

/// The members a reader knows, as its own message lists them.
fn known(line: &str) -> BTreeSet<String> {
    let error = parse(line).expect_err(line);
    let list = error
        .split("expected one of `")
        .nth(1)
        .expect(&error)
        .trim_end_matches('`');
    list.split("`, `").map(str::to_owned).collect()
}

#[test]
fn the_schema_knows_the_same_members() {
    let schema: serde_json::Value =
        serde_json::from_str(&repository("docs/plan.schema.json")).unwrap();
    let keys = |value: &serde_json::Value| -> BTreeSet<String> {
        value["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    let odd = "qqqqqqqqqqqqqqqqqq";
    let lines = schema["oneOf"].as_array().unwrap();
    let head = |kind: &str| {
        let found = lines
            .iter()
            .find(|line| line["properties"]["plan"]["const"] == kind);
        keys(found.unwrap())
    };
    for kind in ["image", "index", "layer"] {
        let line = format!(r#"{{"plan":"{kind}","version":1,"{odd}":1}}"#);
        assert_eq!(known(&line), head(kind), "{kind}");
    }
    let inner = |name: &str| keys(&schema["$defs"][name]);
    assert_eq!(
        known(&format!(
            r#"{{"plan":"image","version":1,"config":{{"{odd}":1}}}}"#
        )),
        inner("config")
    );
    assert_eq!(
        known(&format!(
            r#"{{"plan":"image","version":1,"config":{{"healthcheck":{{"{odd}":1}}}}}}"#
        )),
        inner("healthcheck")
    );
    let base = |members: &str| {
        let line = format!(r#"{{"plan":"image","version":1,"base":{{{members},"{odd}":1}}}}"#);
        known(&line)
    };
    let in_schema: BTreeSet<String> = schema["$defs"]["image"]["properties"]["base"]["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|way| way["type"] == "object")
        .flat_map(keys)
        .collect();
    assert_eq!(base(r#""reference":"oci:a""#), in_schema);
    assert_eq!(base(r#""manifest":"m","config":"c""#), in_schema);
    assert_eq!(
        known(&format!("{HEAD}\n{{\"layer\":{{\"{odd}\":1}}}}")),
        inner("layer")
    );
    let index = r#"{"plan":"index","version":1}"#;
    assert_eq!(
        known(&format!("{index}\n{{\"image\":{{\"{odd}\":1}}}}")),
        inner("image")
    );
    for (kind, value) in [
        ("file", "\"f\""),
        ("dir", "true"),
        ("tree", "\"d\""),
        ("hardlink", "\"a\""),
        ("opaque", "true"),
        ("match", "\"*\""),
    ] {
        let path = if kind == "match" {
            ""
        } else {
            "\"path\":\"p\","
        };
        let line = format!("{HEAD}\n{{\"layer\":{{}}}}\n{{{path}\"{kind}\":{value},\"{odd}\":1}}");
        let found = lines
            .iter()
            .find(|line| line["required"] == serde_json::json!([kind]));
        let mut schema = keys(found.unwrap());
        // `file_b64` is the same kind of entry as `file`, and has a line of its own in the schema.
        let mut ours = known(&line);
        ours.retain(|key| key != "file_b64");
        schema.retain(|key| key != "file_b64");
        assert_eq!(ours, schema, "{kind}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_mutation_panics(at in 0..EVERYTHING.len(), byte: u8) {
        let mut bytes = EVERYTHING.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = PlanFile::parse(&bytes[..]);
    }
}
