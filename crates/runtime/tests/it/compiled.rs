//! Small programs and libraries, made by the C compiler.

use std::fs;
use std::path::{Path, PathBuf};

use cooperage_runtime::Binary;
use cooperage_testkit::peers::{self, Program};

/// A directory to compile in, and the compiler.
pub(crate) struct Workshop {
    pub(crate) directory: tempfile::TempDir,
    compiler: Program,
}

impl Workshop {
    /// `None`, said aloud, where there is no C compiler.
    pub(crate) fn open() -> Option<Self> {
        let compiler = peers::tool("gcc")?;
        let directory = tempfile::tempdir().expect("a temporary directory");
        Some(Self {
            directory,
            compiler,
        })
    }

    /// A path below the workshop, whose links are resolved.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let root = fs::canonicalize(self.directory.path()).expect("it exists");
        root.join(name)
    }

    /// Compiles `code` to `output` with the given flags, in which `@` is the workshop.
    pub(crate) fn compile(&self, output: &str, code: &str, flags: &[&str]) -> PathBuf {
        let output = self.path(output);
        fs::create_dir_all(output.parent().expect("it lies in the workshop")).expect("made");
        let source = self.path("source.c");
        fs::write(&source, code).expect("written");
        let root = self.path("");
        let root = root.to_str().expect("temporary paths are text");
        let root = root.trim_end_matches('/');
        let mut arguments = vec![
            source.to_str().expect("text").to_owned(),
            "-o".to_owned(),
            output.to_str().expect("text").to_owned(),
        ];
        arguments.extend(flags.iter().map(|flag| flag.replace('@', root)));
        self.compiler.run(&arguments).expect("it compiles");
        output
    }

    /// A shared library that offers `int NAME(void)`, needing whatever the flags say.
    pub(crate) fn library(&self, output: &str, name: &str, value: u32, flags: &[&str]) -> PathBuf {
        let soname = Path::new(output).file_name().expect("a name");
        let soname = format!("-Wl,-soname,{}", soname.to_str().expect("text"));
        let code = format!("int {name}(void) {{ return {value}; }}\n");
        let flags = [&["-shared", "-fPIC", &soname], flags].concat();
        self.compile(output, &code, &flags)
    }

    /// A program that prints what the functions give.
    pub(crate) fn program(&self, output: &str, functions: &[&str], flags: &[&str]) -> PathBuf {
        let each = |line: &dyn Fn(&str) -> String| {
            let lines: Vec<_> = functions.iter().map(|name| line(name)).collect();
            lines.concat()
        };
        let declared = each(&|name| format!("int {name}(void);\n"));
        let called = each(&|name| format!("printf(\"{name} %d\\n\", {name}());\n"));
        let code = format!(
            "#include <stdio.h>\n{declared}int main(void) {{\n{called}puts(\"done\"); return 0; }}\n"
        );
        self.compile(output, &code, flags)
    }
}

pub(crate) fn binary(file: &Path, image_path: &str) -> Binary {
    Binary {
        file: file.to_owned(),
        image_path: image_path.to_owned(),
    }
}
