//! An image in pieces, as a build system has it: what the actions `layer` and `image` leave.

use std::process::Command;

use cooperage_testkit::program;

use crate::support::{Project, Ran};

/// A project with the pieces of one image, whose files' names begin with `app`.
pub(crate) struct Pieces {
    pub(crate) project: Project,
    /// The lines that say where they are.
    pub(crate) lines: String,
    /// What images of it run: a file in `/app`.
    pub(crate) program: &'static str,
}

/// The image's entries: a program, a file of text, links to both.
const ENTRIES: &str = r#"{"path":"app/run","file":"app","mode":"0755"}
{"path":"etc/motd","text":"hello\n","mode":"0640","uid":5,"gid":6}
{"path":"bin/run","symlink":"../app/run"}
{"path":"etc/issue","hardlink":"etc/motd"}
{"path":"var/empty","dir":true,"mode":"0700"}
"#;

impl Pieces {
    pub(crate) fn new() -> Self {
        let mut pieces = Self {
            project: Project::new(),
            lines: String::new(),
            program: "run",
        };
        pieces.layer("app", ENTRIES);
        pieces.image("app", "", &["app"]);
        pieces
    }

    /// Packs a layer.
    pub(crate) fn layer(&self, name: &str, entries: &str) {
        self.act(
            &[
                r#"{"action":"layer","version":1}"#.to_owned(),
                format!(r#"{{"output":"blob","file":"{name}.blob"}}"#),
                format!(r#"{{"output":"metadata","file":"{name}.layer"}}"#),
                format!(r#"{{"plan":"layer","version":1,"name":"{name}"}}"#),
                entries.to_owned(),
            ]
            .join("\n"),
        )
        .silent();
    }

    /// Forms an image of layers, and remembers its lines; `members` are more of the plan's.
    pub(crate) fn image(&mut self, name: &str, members: &str, layers: &[&str]) {
        let mut request = vec![
            r#"{"action":"image","version":1}"#.to_owned(),
            format!(r#"{{"output":"config","file":"{name}.config"}}"#),
            format!(r#"{{"output":"manifest","file":"{name}.manifest"}}"#),
            format!(r#"{{"output":"descriptor","file":"{name}.descriptor"}}"#),
            format!(
                r#"{{"plan":"image","version":1{members},"annotations":{{"kind":"test"}},"config":{{"user":"65532","entrypoint":["/app/{}"],"env":{{"A":"b=c"}},"labels":{{"team":"casks"}}}}}}"#,
                self.program
            ),
        ];
        for layer in layers {
            request.push(format!(r#"{{"layer":{{"metadata":"{layer}.layer"}}}}"#));
        }
        self.act(&request.join("\n")).silent();
        let mut lines = vec![format!(r#"{{"part":"root","file":"{name}.descriptor"}}"#)];
        for document in ["manifest", "config"] {
            lines.push(format!(
                r#"{{"part":"document","file":"{name}.{document}"}}"#
            ));
        }
        for layer in layers {
            lines.push(format!(
                r#"{{"part":"layer","metadata":"{layer}.layer","blob":"{layer}.blob"}}"#
            ));
        }
        self.lines = lines.join("\n");
    }

    /// A second image, for arm64, and an index of both.
    pub(crate) fn index(&mut self) {
        let amd64 = self.lines.clone();
        self.image("arm", r#","platform":"linux/arm64""#, &["app"]);
        self.act(
            r#"{"action":"index","version":1}
{"output":"index","file":"all.index"}
{"output":"descriptor","file":"all.descriptor"}
{"index":{"annotations":{},"media_types":"oci"}}
{"image":"app.descriptor"}
{"image":"arm.descriptor"}"#,
        )
        .silent();
        let both = format!("{amd64}\n{}", self.lines);
        let rest: Vec<&str> = both
            .lines()
            .filter(|line| !line.contains("\"root\""))
            .collect();
        self.lines = format!(
            "{}\n{}\n{}",
            r#"{"part":"root","file":"all.descriptor"}"#,
            r#"{"part":"document","file":"all.index"}"#,
            rest.join("\n")
        );
    }

    /// Runs a request, the temporary files of which lie in the project.
    pub(crate) fn act(&self, request: &str) -> Ran {
        self.project.write("request", request);
        let home = self.project.path("home");
        program::run(
            away(&mut self.project.command(), &home).args(["action", "@request"]),
            b"",
        )
    }

    /// The same of an action on the image.
    pub(crate) fn act_on(&self, action: &str, lines: &[&str]) -> Ran {
        self.act(&self.request(action, lines))
    }

    pub(crate) fn request(&self, action: &str, lines: &[&str]) -> String {
        let first = format!(r#"{{"action":"{action}","version":1}}"#);
        format!("{first}\n{}\n{}\n", self.lines, lines.join("\n"))
    }

    /// Makes a launcher of a request, and hands out its command.
    #[cfg(unix)]
    pub(crate) fn launcher(&self, action: &str, lines: &[&str]) -> Command {
        let project = &self.project;
        let program = project.path("launch");
        let _ = std::fs::remove_file(&program);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_cooperage"), &program)
            .expect("a link can be made");
        project.write("launch.request", self.request(action, lines));
        let runfiles = project.path("launch.runfiles");
        std::fs::create_dir_all(&runfiles).expect("a directory can be made");
        for name in project.names() {
            if name.starts_with("app") || name.starts_with("arm") || name.starts_with("all") {
                let _ = std::fs::remove_file(runfiles.join(&name));
                std::os::unix::fs::symlink(project.path(&name), runfiles.join(&name))
                    .expect("a link can be made");
            }
        }
        let mut command = Command::new(program);
        command.current_dir(project.path(""));
        away(&mut command, &project.path("home"));
        command
    }

    pub(crate) fn digest(&self) -> String {
        let first = self.lines.lines().next().expect("the root's line");
        let root: serde_json::Value = serde_json::from_str(first).expect("JSON");
        let file = root["file"].as_str().expect("a file");
        let digest = &self.project.read_json(file)["digest"];
        digest.as_str().expect("a digest").to_owned()
    }
}

/// Away from what the user has of logins and caches.
fn away<'a>(command: &'a mut Command, home: &std::path::Path) -> &'a mut Command {
    for variable in [
        "RUNFILES_DIR",
        "RUNFILES_MANIFEST_FILE",
        "BUILD_WORKING_DIRECTORY",
        "DOCKER_CONFIG",
        "REGISTRY_AUTH_FILE",
        "DOCKER_TLS_VERIFY",
        "DOCKER_CERT_PATH",
    ] {
        command.env_remove(variable);
    }
    command
        .env("HOME", home)
        .env("XDG_CACHE_HOME", home.join("cache"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_RUNTIME_DIR", home.join("run"))
}

pub(crate) trait Silent {
    /// Actions say nothing when all is well.
    fn silent(self);
}

impl Silent for Ran {
    #[track_caller]
    fn silent(self) {
        let ran = self.exits(0);
        assert_eq!((ran.text(), &*ran.err), (String::new(), ""));
    }
}
