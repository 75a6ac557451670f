//! Plan documents, which fully describe an image, and the engine that builds one into a sink.
//!
//! A plan is the narrow waist between those who know what an image is to hold (cargo, Bazel, make,
//! a person) and the one engine that builds it. It is a file of JSON lines, so that a build system
//! can append an entry without knowing the others; `docs/plan-format.md` describes it. The engine
//! asks the file system for bytes and lengths only: modes, owners and times come from the plan, or
//! are what the byte contract says.
//!
//! [`build()`] makes a whole image. Its two halves are for build systems that cache each action:
//! [`build_layer`] turns a layer plan into a blob and its [`LayerMetadata`], and [`build_image`]
//! turns an image plan and such metadata into documents, without a layer's bytes.
//!
//! # Examples
//!
//! ```
//! use cooperage_blob::Memory;
//! use cooperage_plan::{BuildOptions, PlanFile, build};
//!
//! let file = r#"
//!     {"plan":"image","version":1,"names":["app:latest"],"config":{"user":"65532"}}
//!     {"layer":{"name":"greeting"}}
//!     {"path":"etc/greeting","text":"hello\n","mode":"0644"}
//! "#;
//! let PlanFile::Plan(plan) = PlanFile::parse(file.as_bytes())? else { panic!("an image plan") };
//! let sink = Memory::new();
//! let built = build(&plan, &sink, &BuildOptions::default())?;
//! assert_eq!(built.images[0].layers[0].name.as_deref(), Some("greeting"));
//!
//! let error = PlanFile::parse(&br#"{"plan":"image","version":1,"confg":{}}"#[..]).unwrap_err();
//! assert_eq!(error.to_string(), "line 1: unknown field `confg`: did you mean `config`?");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the methods of `At` are bound to one lifetime, a closure is not"
)]

mod base;
mod build;
mod check;
mod entry;
mod error;
mod facts;
pub mod fields;
mod host;
mod image;
mod lanes;
mod layer;
mod layer_line;
mod matches;
mod metadata;
mod model;
mod parse;
mod print;
mod survey;
mod tree;
mod walk;

pub use base::open_base;
pub use build::{
    Bases, BuildOptions, Built, BuiltImage, Modes, NoBases, Trees, build, build_image, build_index,
    build_trees,
};
pub use check::{CheckError, check_base};
pub use error::{BuildError, LineError, LoadError, PlanError, TreePlanError};
pub use facts::{
    BaseFactsError, FACTS_KIND, MAX_FACTS, base_facts, check_facts, facts_from_bytes,
    facts_to_bytes, image_facts,
};
pub use layer::{build_layer, layer_metadata};
pub use matches::apply_matches;
pub use metadata::{LayerMetadata, MetadataError};
pub use model::{
    BaseFrom, BasePlan, EntryAttributes, EntryKind, EntryPlan, ImagePlan, IndexPlan, LayerContent,
    LayerPlan, MatchPlan, Plan, TarForm,
};
pub use parse::PlanFile;
pub use survey::survey_layer;
pub use tree::layer_tree;
