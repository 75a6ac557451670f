//! The action `load`: an image in files of its own goes to the Docker Engine, or to podman.

use anyhow::{Result, anyhow, bail};
use clap::Args;
use cooperage_image_spec::{Platform, Reference};
use cooperage_transport::{Layers, Location};

use super::deliver::Delivery;
use super::parts::Scattered;
use super::{Action, PlanKind, Request, documents, launcher, names, parts};
use crate::context::{Context, Outcome};
use crate::error::Hinted;
use crate::media;

pub(crate) const ACTION: Action = Action {
    name: "load",
    about: "load an image that lies in parts into the daemon",
    outputs: &[],
    inputs: names::INPUTS,
    lines: &[parts::LINE, names::LINE, "platform"],
    plan: PlanKind::None,
    run: None,
    launch: Some(|request, args| launcher::launch::<LoadArgs>(request, args, ABOUT, load)),
};

const ABOUT: &str = "Load the image into the Docker Engine, or into podman's service";

/// What a launcher's command line says of it.
#[derive(Args, Debug)]
pub(crate) struct LoadArgs {
    /// Load under this name instead of those of the request; may be given several times
    #[arg(short, long, value_name = "REFERENCE")]
    name: Vec<String>,
    /// Of an index, the image for this platform [default: the daemon's]
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
}

fn load(request: &Request, args: &LoadArgs, context: &Context) -> Result<Outcome> {
    let names = if args.name.is_empty() {
        names::names(request)?
    } else {
        args.name.clone()
    };
    if names.is_empty() {
        bail!(Hinted::new(
            anyhow!("no name is left to load the image under"),
            "`-- --name REFERENCE` gives one, and a build with `--stamp` has those with stamps",
        ));
    }
    let names = names.iter().map(|name| {
        let reference: Reference = name
            .parse()
            .map_err(|error| anyhow!("`{name}` cannot name an image in a daemon: {error}"))?;
        Ok(reference.with_default_tag().to_string())
    });
    let names = names.collect::<Result<Vec<String>>>()?;
    let image = Scattered::open(request, context, Layers::Kept)?;
    let asked = request.maybe_one("platform", documents::platform)?;
    let delivery = Delivery {
        platform: platform(args.platform.clone().or(asked), &image, context)?,
        image: &image,
        names: &names,
        destinations: &[Location::daemon(None)],
    };
    delivery.run(context)
}

/// Of an index the image that runs where the daemon is, unless there is no choice.
fn platform(
    asked: Option<Platform>,
    image: &Scattered,
    context: &Context,
) -> Result<Option<Platform>> {
    let root = image.parts.root();
    if asked.is_some() || !root.media_type.is_index() {
        return Ok(asked);
    }
    let all = media::manifests(&image.parts, root)?;
    if all.iter().filter(|at| !media::is_attachment(at)).count() < 2 {
        return Ok(None);
    }
    let network = context.network_for(&[Location::daemon(None)])?;
    let engine = network.engine()?;
    Ok(Some(engine.platform()?))
}
