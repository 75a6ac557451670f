//! The action `push`: an image in files of its own goes to a registry, or wherever else.

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use cooperage_cargo::write::layers_for;
use cooperage_image_spec::{Platform, Reference};
use cooperage_plan::fields::Fields;
use cooperage_transport::Location;

use super::deliver::Delivery;
use super::parts::Scattered;
use super::{Action, PlanKind, Request, launcher, names, parts};
use crate::context::{Context, Outcome};
use crate::error::Hinted;

pub(crate) const ACTION: Action = Action {
    name: "push",
    about: "push an image that lies in parts to a registry",
    outputs: &[],
    inputs: names::INPUTS,
    lines: &[parts::LINE, names::LINE, "repository", "to"],
    plan: PlanKind::None,
    run: None,
    launch: Some(|request, args| launcher::launch::<PushArgs>(request, args, ABOUT, push)),
};

const ABOUT: &str = "Push the image to its registry";

/// What a launcher's command line says of it.
#[derive(Args, Debug)]
pub(crate) struct PushArgs {
    /// Push under this tag instead of those of the request; may be given several times
    #[arg(short, long, value_name = "TAG")]
    tag: Vec<String>,
    /// Push there instead of to the request's repository; may be given several times
    #[arg(long, value_name = "LOCATION")]
    to: Vec<Location>,
    /// Which image of an index goes into docker archives and daemons
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
}

fn push(request: &Request, args: &PushArgs, context: &Context) -> Result<Outcome> {
    let destinations = destinations(request, args)?;
    let names = if args.tag.is_empty() {
        names::names(request)?
    } else {
        args.tag.clone()
    };
    // Without any tag the digest is its name; with none of those that it was to have, it is not.
    if names.is_empty() && names::is_given(request) {
        bail!(Hinted::new(
            anyhow!("no tag is left to push the image under: all of them hold stamps"),
            "`-- --tag TAG` gives one, and a build with `--stamp` has them",
        ));
    }
    let image = Scattered::open(request, context, layers_for(&destinations))?;
    let delivery = Delivery {
        image: &image,
        names: &names,
        destinations: &destinations,
        platform: args.platform.clone(),
    };
    delivery.run(context)
}

/// Those of the command line, else those of the request.
fn destinations(request: &Request, args: &PushArgs) -> Result<Vec<Location>> {
    if !args.to.is_empty() {
        return Ok(args.to.clone());
    }
    let text =
        |key: &'static str| move |fields: &mut Fields| Ok(fields.string(key)?.unwrap_or_default());
    let mut destinations = Vec::new();
    for repository in names::stamped(request, &request.each("repository", text("repository"))?)? {
        let reference: Reference = repository
            .parse()
            .with_context(|| format!("`{repository}` is no repository"))?;
        if reference.tag().is_some() || reference.digest().is_some() {
            bail!(Hinted::new(
                anyhow!("`{repository}` is more than a repository: it has a tag or a digest"),
                "tags are lines of their own: `{\"name\":\"TAG\"}`",
            ));
        }
        destinations.push(Location::registry(reference));
    }
    for to in names::stamped(request, &request.each("to", text("to"))?)? {
        let location = to.parse::<Location>();
        destinations.push(location.with_context(|| format!("`{to}` is no location"))?);
    }
    if destinations.is_empty() {
        bail!(Hinted::new(
            anyhow!("{} does not say where to push to", request.label()),
            "a line `{\"repository\":\"REGISTRY/REPOSITORY\"}`, or `-- --to LOCATION`",
        ));
    }
    Ok(destinations)
}
