//! An image in files of its own, brought to where people name it.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use cooperage_image_spec::Platform;
use cooperage_transport::{DestinationOptions, Destinations, Lent, Location, check_outputs};
use serde_json::{Value, json};

use super::parts::Scattered;
use crate::build::{output_json, output_text};
use crate::context::{Context, Outcome};
use crate::text::printable;

/// What is brought where.
pub(crate) struct Delivery<'a> {
    pub(crate) image: &'a Scattered,
    /// The names it is to have, as far as the destinations can have them.
    pub(crate) names: &'a [String],
    pub(crate) destinations: &'a [Location],
    /// Which image of an index goes where one only can be.
    pub(crate) platform: Option<Platform>,
}

impl Delivery<'_> {
    /// The names it gets there. In a registry it can do without, since its digest names it.
    fn names_at(&self, location: &Location) -> Vec<String> {
        let has_no_tag = location.reference().is_some() && !location.is_one_image();
        if self.names.is_empty() && has_no_tag {
            return Vec::new();
        }
        location.names_for(self.names)
    }

    /// Writes all of it, shows it, and says so. What is there already is not sent: a registry may
    /// take a base's layers from where the base is, and a daemon has them with the base.
    pub(crate) fn run(self, context: &Context) -> Result<Outcome> {
        check_outputs(self.destinations, [])?;
        let mut lent = Lent::new();
        for source in &self.image.sources {
            if let Some(reference) = source.reference() {
                lent.relate(reference.clone());
            }
        }
        let options = DestinationOptions {
            platform: self.platform.clone(),
            network: context.network_for(self.destinations)?,
            lent: Arc::new(lent),
            progress: context.shared_progress(),
            ..DestinationOptions::default()
        };
        let destinations = Destinations::create(self.destinations, &options)?;
        for destination in destinations.iter() {
            let names = self.names_at(destination.location());
            for root in self.image.named(&names) {
                destination
                    .copy_from(&self.image.parts, &root, &context.copy_options())
                    .map_err(|error| self.image.blame(error.into()))
                    .with_context(|| format!("cannot write `{}`", destination.location()))?;
            }
        }
        let mut written = destinations.complete()?;
        written.show()?;
        let root = self.image.parts.root();
        let json = || {
            let outputs = written.outputs().map(|output| {
                let mut value = output_json(&output);
                value["names"] = self.names_at(output.location).into();
                value
            });
            json!({
                "digest": root.digest.as_str(),
                "media_type": root.media_type.as_str(),
                "size": root.size,
                "outputs": outputs.collect::<Vec<Value>>(),
            })
        };
        let text = || {
            let kind = if root.media_type.is_index() {
                "index"
            } else {
                "image"
            };
            let mut out = format!("{kind} {}\n", root.digest);
            for output in written.outputs() {
                out.push_str(&output_text(&output));
                for name in self.names_at(output.location) {
                    let _ = writeln!(out, "  as {}", printable(&name));
                }
            }
            out
        };
        context.report(json, text)?;
        written.keep();
        Ok(Outcome::Done)
    }
}
