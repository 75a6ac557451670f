//! Actions that find out whether programs can run: `facts`, `check`.

use serde_json::json;

use crate::pieces::{Pieces, Silent as _};

/// The shell of this machine, which needs its C library.
fn shell() -> std::path::PathBuf {
    std::fs::canonicalize("/bin/sh").expect("there is a shell")
}

fn check(pieces: &Pieces, base: &str, facts: &str, layers: &str) -> crate::support::Ran {
    pieces.act(&format!(
        "{}\n{}\n{facts}\n{}\n{layers}",
        r#"{"action":"check","version":1}"#,
        r#"{"output":"report","file":"report"}"#,
        format_args!(r#"{{"plan":"image","version":1{base}}}"#),
    ))
}

fn program() -> String {
    format!(
        "{}\n{{\"path\":\"bin/sh\",\"file\":{},\"mode\":\"0755\"}}",
        r#"{"layer":{"name":"programs"}}"#,
        json!(shell())
    )
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_base_lacks_is_listed() {
    let mut pieces = Pieces::new();
    let facts = r#"{"output":"facts","file":"facts"}"#;
    pieces.act_on("facts", &[facts]).silent();
    pieces
        .act_on("write", &[r#"{"output":"layout","file":"base"}"#])
        .silent();
    let base = r#","base":"oci:base""#;
    let input = r#"{"input":"facts","file":"facts"}"#;
    check(&pieces, base, input, &program()).fails(&[
        "the base `oci:base` lacks what the programs need:",
        "needs the loader",
    ]);
    assert!(!pieces.project.path("report").exists());
    let documents = r#","base":{"manifest":"app.manifest","config":"app.config"}"#;
    check(&pieces, documents, input, &program()).fails(&["the base `app.manifest` lacks"]);
    // Of a plan without programs nothing is asked.
    let text = "{\"layer\":{}}\n{\"path\":\"x\",\"text\":\"x\",\"mode\":\"0644\"}";
    check(&pieces, base, input, text).silent();
    let report = pieces.project.read_json("report");
    assert_eq!(report, json!({"checked": true, "missing": []}));
    // A base that has all of it: the run-time closure, as `plan closure` finds it.
    let closure = pieces
        .project
        .run(&["plan", "closure", &format!("{}=/bin/sh", shell().display())])
        .exits(0)
        .text();
    let entries: String = closure
        .lines()
        .filter(|line| line.contains("\"path\""))
        .fold(String::new(), |all, line| all + line + "\n");
    assert!(entries.contains("libc"), "{closure}");
    pieces.layer("libc", &entries);
    pieces.image("app-libc", "", &["libc"]);
    pieces.act_on("facts", &[facts]).silent();
    check(&pieces, base, input, &program()).silent();
    // From scratch they have to bring it themselves.
    check(&pieces, "", "", &program()).fails(&["an image from scratch lacks", "needs the loader"]);
    check(&pieces, "", "", &format!("{}\n{entries}", program())).silent();
    // Where the plan's own layers remove files, the base's facts alone do not tell.
    let removes = "{\"path\":\"lib\",\"whiteout\":true}";
    check(&pieces, base, input, &format!("{}\n{removes}", program())).silent();
    assert_eq!(pieces.project.read_json("report")["checked"], false);
}

#[test]
fn facts_of_something_else_are_refused() {
    let mut pieces = Pieces::new();
    let input = r#"{"input":"facts","file":"app.config"}"#;
    let base = r#","base":"oci:base""#;
    check(&pieces, base, input, "").fails(&[
        "cannot read `app.config`",
        "this is no document of facts of a base",
    ]);
    check(&pieces, base, "", "").fails(&[
        "the plan has a base, and no facts of it",
        "the action `facts`",
    ]);
    let missing = r#"{"input":"facts","file":"nothing"}"#;
    check(&pieces, base, missing, "").fails(&["cannot read `nothing`"]);
    check(&pieces, base, &format!("{input}\n{input}"), "")
        .fails(&["expected one input `facts`, found 2"]);

    let facts = r#"{"output":"facts","file":"facts"}"#;
    pieces.index();
    pieces
        .act_on("facts", &[facts])
        .fails(&["a line `{\"platform\":\"OS/ARCH\"}` chooses one"]);
    pieces
        .act_on("facts", &[facts, r#"{"platform":"linux/arm64"}"#])
        .silent();
    std::fs::remove_file(pieces.project.path("facts")).expect("it is there");
    let mut bytes = pieces.project.read("app.blob");
    bytes.pop();
    pieces.project.write("app.blob", bytes);
    pieces
        .act_on("facts", &[facts, r#"{"platform":"linux/arm64"}"#])
        .fails(&["the part `app.blob` is damaged"]);
    assert!(!pieces.project.path("facts").exists());
}
