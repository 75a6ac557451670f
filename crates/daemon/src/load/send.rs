//! One archive, sent.

use std::sync::Arc;
use std::thread;

use cooperage_daemon_archive::{Contents, Image, Report, WriteError, WriteOptions, WrittenImage};
use ureq::http::Method;

use super::pipe::pipe;
use super::said::{self, Cut};
use super::watch::Watched;
use crate::http::{Answer, Call, Client, Content, Patience, Signals};
use crate::{AnswerProblem, Error};

/// What was sent, in one archive or several.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) bytes: u64,
    pub(super) archives: u32,
    pub(super) images: Vec<WrittenImage>,
    pub(super) notes: Vec<String>,
}

impl Sent {
    /// Puts a later archive to this: what was said and written last is what counts.
    pub(super) fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.archives += other.archives;
        self.images = other.images;
        self.notes = other.notes;
    }
}

/// Writes an archive of images without their names and has the daemon load it, both at once.
pub(super) fn archive(
    client: &Client,
    source: &Watched<'_>,
    images: &[&Contents],
    write: &WriteOptions,
) -> (Sent, Result<(), Error>) {
    let images: Vec<_> = images
        .iter()
        .map(|image| Image {
            descriptor: image.manifest.clone(),
            names: Vec::new(),
        })
        .collect();
    // The platform is chosen already.
    let mut options = write.clone();
    options.platform = None;
    let mut sent = Sent {
        archives: 1,
        ..Sent::default()
    };
    let signals = Arc::new(Signals::default());
    let (mut writer, mut reader) = pipe(&signals);
    let (written, answer, whole) = thread::scope(|scope| {
        let writing = scope.spawn(move || {
            let report = cooperage_daemon_archive::write(source, &images, &mut writer, &options)?;
            writer.finish().map_err(WriteError::Output)?;
            Ok::<Report, WriteError>(report)
        });
        let answer = client.send(Call {
            method: Method::POST,
            path: "/images/load?quiet=1".into(),
            patience: Patience::Long,
            body: Content::Tar(&mut reader, Arc::clone(&signals)),
        });
        sent.bytes = reader.sent();
        let whole = reader.is_ended();
        // Who still writes finds nobody there to read.
        drop(reader);
        let written = writing
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (written, answer, whole)
    });
    let result = match written {
        Ok(report) => {
            sent.images = report.images;
            judge(answer, whole, &mut sent)
        }
        // The daemon hung up: why, is in its answer.
        Err(WriteError::Output(_)) => judge(answer, false, &mut sent),
        Err(error) => Err(error.into()),
    };
    (sent, result)
}

/// Reads the answer to its end.
fn judge(answer: Result<Answer, Error>, whole: bool, sent: &mut Sent) -> Result<(), Error> {
    let mut answer = answer?.success()?;
    let (said, end) = said::read(answer.body());
    sent.notes = said.notes;
    if !said.errors.is_empty() {
        return Err(answer.refused(said.errors));
    }
    match end {
        Ok(()) if whole => Ok(()),
        Ok(()) => Err(answer.problem(AnswerProblem::TooEarly)),
        Err(Cut::Broken(error)) => Err(answer.broken(error)),
        Err(Cut::Problem(problem)) => Err(answer.problem(problem)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    /// An archive that stops in its middle must not look like a shorter one.
    #[test]
    fn a_pipe_ends_only_where_its_writer_says_so() {
        let signals = Signals::default();
        let bytes: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
        for finishes in [true, false] {
            let (mut writer, mut reader) = pipe(&signals);
            thread::scope(|scope| {
                let bytes = &bytes;
                scope.spawn(move || {
                    for piece in bytes.chunks(77_777) {
                        writer.write_all(piece).unwrap();
                    }
                    if finishes {
                        writer.finish().unwrap();
                    }
                });
                let mut read = Vec::new();
                let result = reader.read_to_end(&mut read);
                assert_eq!(result.is_ok(), finishes);
                assert_eq!(reader.is_ended(), finishes);
                assert_eq!(reader.sent(), read.len() as u64);
                assert!(bytes.starts_with(&read));
                assert_eq!(read.len() == bytes.len(), finishes);
            });
        }
        let (mut writer, reader) = pipe(&signals);
        drop(reader);
        let error = writer.write_all(&bytes).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    }
}
