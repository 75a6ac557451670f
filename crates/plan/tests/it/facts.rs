//! What is known of a base tells the same as the base.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use cooperage_blob::{Error, Source};
use cooperage_image_spec::Descriptor;
use cooperage_layout::Layout;
use cooperage_plan::{
    BaseFactsError, Bases, BuildOptions, MAX_FACTS, Plan, PlanFile, base_facts, build, check_base,
    check_facts, facts_from_bytes, facts_to_bytes,
};

struct LayoutBase<'a>(&'a Path);

impl Bases for LayoutBase<'_> {
    fn open(&self, _reference: &str) -> Result<(Box<dyn Source>, Descriptor), Error> {
        let layout = Layout::open(self.0)
            .map_err(|error| Error::unsupported("no layout").with_source(error))?;
        let root = layout.roots()?.remove(0);
        Ok((Box::new(layout), root.descriptor))
    }
}

fn plan(text: &str) -> Plan {
    match PlanFile::parse(text.as_bytes()).expect(text) {
        PlanFile::Plan(plan) => plan,
        PlanFile::Layer(_) => panic!("a layer plan"),
    }
}

/// The libraries that a program of this machine needs, at their places, as lines of a plan.
fn libraries() -> String {
    let directory = format!("/lib/{}-linux-gnu", std::env::consts::ARCH);
    let mut lines = String::new();
    for name in ["libc.so.6", "libgcc_s.so.1", "libm.so.6"] {
        let file = fs::canonicalize(format!("{directory}/{name}")).expect("a Debian");
        let file = file.to_str().expect("UTF-8");
        let to = &directory[1..];
        let _ = writeln!(lines, r#"{{"path":"{to}/{name}","file":"{file}"}}"#);
    }
    let loader = fs::canonicalize("/lib64/ld-linux-x86-64.so.2").expect("an x86-64");
    let loader = loader.to_str().expect("UTF-8");
    let _ = writeln!(lines, r#"{{"path":"lib64/real.so.2","file":"{loader}"}}"#);
    lines
        + "{\"path\":\"lib64/ld-linux-x86-64.so.2\",\"symlink\":\"real.so.2\"}\n\
         {\"path\":\"etc/passwd\",\"text\":\"o'brien:x:7:7:it's me:/home:/bin/sh\\n\"}\n"
}

#[test]
fn facts_tell_what_the_base_tells() {
    let dir = tempfile::tempdir().unwrap();
    let full = libraries();
    let program = std::env::current_exe().unwrap();
    let app = format!(
        "{{\"path\":\"app\",\"file\":{:?}}}\n",
        program.to_str().unwrap()
    );
    let without = |name: &str| {
        let lines = full.lines().filter(|line| !line.contains(name));
        lines.flat_map(|line| [line, "\n"]).collect::<String>()
    };
    let only = |name: &str| {
        let lines = full.lines().filter(|line| line.contains(name));
        lines.flat_map(|line| [line, "\n"]).collect::<String>()
    };
    for (number, (base, own, told)) in [
        (full.clone(), String::new(), true),
        (
            "{\"path\":\"etc/x\",\"text\":\"x\"}\n".to_owned(),
            String::new(),
            true,
        ),
        (without("libc.so.6"), String::new(), true),
        (without("libc.so.6"), only("libc.so.6"), true),
        (without("symlink"), String::new(), true),
        (without("symlink"), only("symlink"), true),
        (
            full.clone(),
            "{\"path\":\"lib64/real.so.2\",\"text\":\"no loader\"}\n".to_owned(),
            true,
        ),
        (
            full.clone(),
            "{\"path\":\"lib64/real.so.2\",\"whiteout\":true}\n".to_owned(),
            false,
        ),
        (
            full.clone(),
            "{\"path\":\"lib64\",\"symlink\":\"usr/lib\"}\n".to_owned(),
            false,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let place = dir.path().join(number.to_string());
        let layout = Layout::create(&place).unwrap();
        let head = "{\"plan\":\"image\",\"version\":1,\"names\":[\"base\"]}\n{\"layer\":{}}\n";
        build(
            &plan(&format!("{head}{base}")),
            &layout,
            &BuildOptions::default(),
        )
        .unwrap();
        let bases = LayoutBase(&place);
        let options = BuildOptions {
            bases: &bases,
            ..BuildOptions::default()
        };
        let on = format!(
            "{{\"plan\":\"image\",\"version\":1,\"base\":\"base\"}}\n{{\"layer\":{{}}}}\n{app}{own}"
        );
        let image = plan(&on).images.remove(0);
        let facts = base_facts(image.base.as_ref().unwrap(), None, &options).unwrap();
        let document = facts_to_bytes(&facts).unwrap();
        assert_eq!(facts_from_bytes(&document).unwrap(), facts);
        assert!(!document.iter().any(u8::is_ascii_control));
        // Of the base nothing is read for this.
        let known = check_facts(&image, &facts, &BuildOptions::default()).unwrap();
        assert_eq!(known.is_some(), told, "{own}");
        if let Some(known) = known {
            let expected = check_base(&image, &options).unwrap();
            assert_eq!(known, expected, "{base}\n{own}");
            assert_eq!(
                expected.is_empty(),
                [0, 3, 5].contains(&number),
                "{expected:?}"
            );
        }
    }
}

#[test]
fn what_are_no_facts_is_refused() {
    for text in [
        "",
        "{}",
        "[]",
        "{\"libraries\":{\"a\":{}}}",
        "{\"libraries\":{},\"b\":1}",
    ] {
        assert!(facts_from_bytes(text.as_bytes()).is_err(), "{text}");
    }
    assert!(facts_from_bytes(b"{\"libraries\":{}}").is_ok());
    let long = vec![b' '; MAX_FACTS + 1];
    let error = facts_from_bytes(&long).unwrap_err();
    assert!(matches!(error, BaseFactsError::TooLarge { .. }), "{error}");
}
