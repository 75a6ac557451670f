//! Images removed.

use cooperage_image_spec::Json;
use ureq::http::Method;

use crate::http::Call;
use crate::{AnswerProblem, Engine, Error, ImageName};

/// How an image is removed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RemoveOptions {
    /// Whether an image with several names, or one that a container that has ended is of, is
    /// removed too.
    pub force: bool,
    /// Whether its parents without a name go with it, as they do when `docker rmi` is said
    /// nothing else.
    pub prune: bool,
}

impl Default for RemoveOptions {
    fn default() -> Self {
        Self {
            force: false,
            prune: true,
        }
    }
}

/// What was removed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Removed {
    /// Names that were taken off images.
    pub untagged: Vec<String>,
    /// Images and layers that are gone, by their IDs.
    pub deleted: Vec<String>,
}

impl Engine {
    /// Removes an image by a name, and the image itself with its last name; by its ID, with all
    /// its names.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if there is no such image; [`Error::Status`] if a container is of it,
    /// or without `force` if it has other names.
    pub fn remove(&self, name: &ImageName, options: &RemoveOptions) -> Result<Removed, Error> {
        let path = format!(
            "/images/{}?force={}&noprune={}",
            name.encoded(),
            u8::from(options.force),
            u8::from(!options.prune)
        );
        let answer = self
            .client
            .send(Call::new(Method::DELETE, path).patient())?;
        if answer.status() == 404 {
            return Err(self.not_found(name));
        }
        let (json, document) = answer.success()?.document()?;
        let Json::Array(items) = &json else {
            return Err(document.problem(AnswerProblem::Shape {
                place: ".".into(),
                expected: "an array",
            }));
        };
        let all = |key: &str| {
            let texts = items.iter().filter_map(|item| item.get(key)?.as_str());
            texts.map(str::to_owned).collect()
        };
        Ok(Removed {
            untagged: all("Untagged"),
            deleted: all("Deleted"),
        })
    }
}
