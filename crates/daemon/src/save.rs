//! Images read from a daemon.

use std::io::{self, Read};

use cooperage_daemon_archive::{DockerArchive, ReadOptions};
use cooperage_image_spec::Json;

use crate::error::words;
use crate::http::{Answer, Call};
use crate::{Engine, Error, ImageName};

/// How much of a stream's end is kept, to see what it ends with.
const TAIL: usize = 16 << 10;

impl Engine {
    /// Reads images from the daemon, all of them in one archive.
    ///
    /// The stream goes into a temporary file, bounded by [`ReadOptions::spool_limit`], and what is
    /// in it is verified before this returns: manifests and configs by their digests, layers by
    /// their diff IDs too. Docker with containerd's store, and podman, hand out images as they were
    /// loaded; graph drivers make new, uncompressed layers of what they unpacked, so that layers
    /// and manifest have other digests, while the config, and so the image ID, stays.
    ///
    /// Roots have full names (`docker.io/library/app:latest`), all those in `names`, and none for
    /// an image that is asked for by its ID.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if one is not there, or is not whole; [`Error::Save`] with the daemon's
    /// words if it broke off; [`Error::Read`] for anything that is not what it says it is.
    pub fn save(&self, names: &[ImageName], options: &ReadOptions) -> Result<DockerArchive, Error> {
        let mut stream = self.saved(names)?;
        match DockerArchive::from_reader(&mut stream, options) {
            Ok(archive) => Ok(archive),
            Err(source) => Err(stream.failure().unwrap_or_else(|| Error::Read {
                endpoint: self.endpoint().clone(),
                source,
            })),
        }
    }

    /// The stream of an archive of these images.
    pub(crate) fn saved(&self, names: &[ImageName]) -> Result<Saved<'_>, Error> {
        let path = match names {
            [name] => format!("/images/{}/get", name.encoded()),
            names => {
                let names: Vec<_> = names
                    .iter()
                    .map(|name| format!("names={}", name.encoded()))
                    .collect();
                format!("/images/get?{}", names.join("&"))
            }
        };
        let answer = self.client.send(Call::get(path).patient())?;
        match answer.success() {
            Ok(answer) => Ok(Saved::new(self, answer)),
            Err(error) => Err(self.which_is_missing(names).unwrap_or(error)),
        }
    }

    /// The error for the first that is not there. Daemons differ in how they say it.
    fn which_is_missing(&self, names: &[ImageName]) -> Option<Error> {
        let missing = |name: &&ImageName| matches!(self.contains(name), Ok(false));
        let name = names.iter().find(missing)?;
        Some(self.not_found(name))
    }
}

/// The stream of an archive. A daemon that fails in its middle has no other place for its words
/// than the end of it.
pub(crate) struct Saved<'a> {
    engine: &'a Engine,
    answer: Answer,
    tail: Vec<u8>,
}

impl<'a> Saved<'a> {
    fn new(engine: &'a Engine, answer: Answer) -> Self {
        Self {
            engine,
            answer,
            tail: Vec::new(),
        }
    }

    /// The error for a stream that broke off.
    pub(crate) fn broken(&self, error: io::Error) -> Error {
        self.answer.broken(error)
    }

    /// The daemon's words, if the stream ended with them.
    pub(crate) fn failure(mut self) -> Option<Error> {
        // A reader that met them stopped there.
        let rest = io::copy(&mut (&mut self).take(TAIL as u64), &mut io::sink());
        let message = rest.ok().and_then(|_| message(&self.tail))?;
        Some(Error::Save {
            endpoint: self.engine.endpoint().clone(),
            message,
        })
    }
}

impl Read for Saved<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.answer.body().read(buffer)?;
        let new = &buffer[..n];
        let new = &new[n.saturating_sub(TAIL)..];
        let over = (self.tail.len() + new.len()).saturating_sub(TAIL);
        self.tail.drain(..over);
        self.tail.extend_from_slice(new);
        Ok(n)
    }
}

/// The error at the end of a stream: a JSON object, where an archive has zeros.
fn message(tail: &[u8]) -> Option<String> {
    let tail = tail.trim_ascii_end();
    if tail.last() != Some(&b'}') {
        return None;
    }
    let starts = tail.windows(2).enumerate();
    let mut starts = starts.filter(|(_, pair)| pair == b"{\"").map(|(at, _)| at);
    starts.find_map(|at| {
        let json = Json::parse(&tail[at..]).ok()?;
        let detail = json
            .get("errorDetail")
            .and_then(|detail| detail.get("message"));
        let message = detail
            .or_else(|| json.get("error"))
            .or_else(|| json.get("message"));
        message.and_then(Json::as_str).map(words)
    })
}

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn words_at_the_end_of_a_stream_are_found() {
        for (tail, expected) in [
            (&b""[..], None),
            (b"\0\0\0\0", None),
            (b"tar}\0\0", None),
            (
                b"\0\0{\"errorDetail\":{\"message\":\"gone\"},\"error\":\"gone\"}\r\n",
                Some("gone"),
            ),
            (b"body {\"a\": no {\"error\":\"gone\"}\n", Some("gone")),
            (b"{\"message\":\"gone\"}", Some("gone")),
            (b"{\"layers\":[{\"message\":{}}]}", None),
        ] {
            assert_eq!(message(tail).as_deref(), expected);
        }
    }
}
