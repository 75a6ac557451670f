//! What is worth knowing of an image that is right.

use crate::Formed;

/// The most layers that every engine runs: Docker refuses more, since the kernel takes no more
/// directories for one overlay in the form that Docker gives them.
pub const MAX_RUNNABLE_LAYERS: usize = 127;

/// Something about an image that breaks no rule and may well be an oversight.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// More layers than every engine can run.
    #[error(
        "the image for {platform} has {layers} layers, and Docker runs at most {MAX_RUNNABLE_LAYERS}: \
         put some of them together"
    )]
    Layers {
        /// Which image.
        platform: String,
        /// How many, those of its base included.
        layers: usize,
    },
}

impl Formed {
    /// What is worth knowing of it.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let layers = self.manifest.value().layers.len();
        let platform = self.platform.to_string();
        let too_many = layers > MAX_RUNNABLE_LAYERS;
        too_many
            .then_some(Warning::Layers { platform, layers })
            .into_iter()
            .collect()
    }
}
