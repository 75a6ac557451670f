//! Packs a tree to a layer and forms an image's config, manifest and index in one place.
//!
//! [`pack`] reads each file once and hashes both of the layer's names while its bytes stream to a
//! [`Sink`](cooperage_blob::Sink). [`adopt`] takes a layer that exists: as it is, without its
//! compression, or compressed anew. [`recompress`] does that to whole images. [`form`] is the one function that makes a config and a
//! manifest, on a [`Base`] or from scratch; [`form_index`] the one that makes an index. None of
//! them asks a clock or the environment.
//!
//! # Examples
//!
//! ```
//! use cooperage_blob::Memory;
//! use cooperage_commit::{Edit, PackOptions, Recipe, Step, form, pack, write};
//! use cooperage_tarball::{Attributes, Content, Entry, Tree, TreePath};
//!
//! let mut tree = Tree::new();
//! let content = Content::bytes(&b"hello\n"[..]);
//! tree.insert(
//!     TreePath::parse("etc/greeting")?,
//!     Entry::file(content, Attributes::file()),
//! )?;
//! let sink = Memory::new();
//! let layer = pack(&tree, &PackOptions::default(), &sink)?;
//!
//! let mut recipe = Recipe::default();
//! recipe.config.user = Edit::Set("65532".into());
//! recipe.steps.push(Step::layer(layer));
//! let image = form(None, &recipe)?;
//! let descriptor = write(&image, &sink)?;
//! assert_eq!(descriptor.digest, image.manifest.digest());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod adopt;
mod base;
mod detect;
mod edit;
mod form;
mod layer;
mod load;
mod marking;
mod pack;
mod recompress;
mod reencode;
mod warning;

pub use adopt::{AdoptError, LayerForm, adopt};
pub use base::{Base, BaseError};
pub use edit::{ConfigEdit, Edit, MapEdit, SetEdit};
pub use form::{
    EPOCH, FormError, Formed, MediaTypes, Recipe, Step, check_time, epoch_to_rfc3339, form,
    form_index, write,
};
pub use layer::Layer;
pub use load::{DEFAULT_TAR_LIMIT, LayerError, LoadedLayer, load_layer, load_tar};
pub use pack::{PackError, PackOptions, layer_media_type, pack};
pub use recompress::{
    RecompressError, RecompressLayers, RecompressOptions, Recompressed, Replaced, recompress,
};
pub use warning::{MAX_RUNNABLE_LAYERS, Warning};
