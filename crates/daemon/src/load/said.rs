//! What a daemon says while it loads: JSON, a value a line.

use std::io::{self, BufRead, BufReader, Read};

use cooperage_image_spec::Json;

use crate::AnswerProblem;
use crate::error::words;

/// The most bytes of one line.
const MAX_LINE: usize = 256 << 10;
/// The most bytes altogether: Docker writes some 200 a layer, or per step of a progress bar.
const MAX_ALL: u64 = 64 << 20;
/// How many lines are kept of each kind.
const KEPT: usize = 100;

/// All of it that matters.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Said {
    /// What went wrong, in order. A daemon may go on after that.
    pub(super) errors: Vec<String>,
    /// What else it said, but for what it loaded.
    pub(super) notes: Vec<String>,
}

/// Why it could not be read to its end.
#[derive(Debug)]
pub(super) enum Cut {
    Broken(io::Error),
    Problem(AnswerProblem),
}

/// Reads the stream to its end. What was read before it broke off is there in any case.
pub(super) fn read(stream: impl Read) -> (Said, Result<(), Cut>) {
    read_within(MAX_ALL, stream)
}

fn read_within(limit: u64, stream: impl Read) -> (Said, Result<(), Cut>) {
    let mut said = Said::default();
    let mut stream = BufReader::new(stream.take(limit + 1));
    let mut all = 0;
    loop {
        let mut line = Vec::new();
        let read = (&mut stream)
            .take(MAX_LINE as u64 + 1)
            .read_until(b'\n', &mut line);
        let problem = match read {
            Ok(0) => return (said, Ok(())),
            Err(error) => return (said, Err(Cut::Broken(error))),
            Ok(_) if line.len() > MAX_LINE => AnswerProblem::LongLine { limit: MAX_LINE },
            Ok(n) => {
                all += n as u64;
                match take(&mut said, &line) {
                    _ if all > limit => AnswerProblem::TooLarge { limit },
                    Ok(()) => continue,
                    Err(problem) => problem,
                }
            }
        };
        return (said, Err(Cut::Problem(problem)));
    }
}

fn take(said: &mut Said, line: &[u8]) -> Result<(), AnswerProblem> {
    let line = line.trim_ascii();
    if line.is_empty() {
        return Ok(());
    }
    let json = Json::parse(line)?;
    let text = |json: Option<&Json>| json.and_then(Json::as_str).map(words);
    let detail = json.get("errorDetail").filter(|detail| !detail.is_null());
    let error = text(detail.and_then(|detail| detail.get("message")))
        .or_else(|| text(json.get("error")))
        .or_else(|| detail.map(|_| "an error without a message".into()));
    if let Some(error) = error {
        keep(&mut said.errors, error);
        return Ok(());
    }
    for line in json
        .get("stream")
        .and_then(Json::as_str)
        .unwrap_or_default()
        .lines()
    {
        // containerd's store has no member for its errors.
        if line.starts_with("Error ") {
            keep(&mut said.errors, words(line));
        } else if !line.starts_with("Loaded image") && !line.trim().is_empty() {
            keep(&mut said.notes, words(line));
        }
    }
    Ok(())
}

fn keep(lines: &mut Vec<String>, line: String) {
    if lines.len() < KEPT {
        lines.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> (Vec<String>, Vec<String>) {
        let (said, end) = read(text.as_bytes());
        assert!(end.is_ok(), "{end:?}");
        (said.errors, said.notes)
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().copied().map(str::to_owned).collect()
    }

    #[test]
    fn every_way_to_say_no_is_understood() {
        for (stream, errors, notes) in [
            ("", &[][..], &[][..]),
            ("{\"stream\":\"Loaded image: app:v1\\n\"}\r\n", &[], &[]),
            (
                "{\"status\":\"Loading layer\",\"progressDetail\":{\"current\":1},\"id\":\"x\"}\n\n",
                &[],
                &[],
            ),
            (
                "{\"errorDetail\":{\"message\":\"no space\"},\"error\":\"no space\"}\r\n",
                &["no space"],
                &[],
            ),
            ("{\"error\":\"no space\"}", &["no space"], &[]),
            (
                "{\"errorDetail\":{\"code\":7}}",
                &["an error without a message"],
                &[],
            ),
            (
                "{\"errorDetail\":null,\"stream\":\"Loaded image ID: sha256:00\"}",
                &[],
                &[],
            ),
            (
                "{\"stream\":\"Error unpacking image app: not found\\n\"}\n{\"stream\":\"Loaded image: app\\n\"}\n",
                &["Error unpacking image app: not found"],
                &[],
            ),
            (
                "{\"stream\":\"The image app already exists, renaming the old one\\n\\u001b[31mred\\n\"}\n",
                &[],
                &[
                    "The image app already exists, renaming the old one",
                    " [31mred",
                ],
            ),
            (
                "{\"error\":\"one\"}\n{\"stream\":\"more\"}\n{\"error\":\"two\"}\n",
                &["one", "two"],
                &["more"],
            ),
        ] {
            assert_eq!(said(stream), (texts(errors), texts(notes)), "{stream}");
        }
    }

    #[test]
    fn what_was_said_before_it_broke_off_is_kept() {
        let (said, end) = read(&b"{\"error\":\"one\"}\nno json\n{\"error\":\"two\"}\n"[..]);
        assert_eq!(said.errors, ["one"]);
        assert!(
            matches!(end, Err(Cut::Problem(AnswerProblem::Json(_)))),
            "{end:?}"
        );
    }

    /// Lines without end, each of them fine.
    struct Lines(usize);
    impl Read for Lines {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let line = b"{\"stream\":\"on and on\"}\n";
            for byte in &mut *buffer {
                *byte = line[self.0 % line.len()];
                self.0 += 1;
            }
            Ok(buffer.len())
        }
    }

    #[test]
    fn neither_a_line_nor_the_whole_is_endless() {
        let (_, end) = read(io::repeat(b' '));
        assert!(
            matches!(
                end,
                Err(Cut::Problem(AnswerProblem::LongLine { limit: MAX_LINE }))
            ),
            "{end:?}"
        );

        let (said, end) = read_within(1 << 20, Lines(0));
        assert_eq!(said.notes.len(), KEPT);
        assert!(
            matches!(
                end,
                Err(Cut::Problem(AnswerProblem::TooLarge { limit: 0x10_0000 }))
            ),
            "{end:?}"
        );
    }

    /// Whatever comes, it is read to an end, and what is kept of it is little.
    #[test]
    fn no_stream_is_too_strange() {
        let whole =
            b"{\"stream\":\"Loaded image: app\\n\"}\r\n{\"errorDetail\":{\"message\":\"x\"}}\n";
        for seed in 0..2000 {
            let mut numbers = cooperage_testkit::ragged::Numbers::new(seed);
            let mut bytes = whole.repeat(3);
            for _ in 0..=numbers.below(8) {
                let at = numbers.below(bytes.len());
                match numbers.below(3) {
                    0 => bytes[at] = numbers.below(256) as u8,
                    1 => bytes.truncate(at + 1),
                    _ => bytes.insert(at, b"\n{}[]\",\\"[numbers.below(8)]),
                }
            }
            let (said, end) = read(&bytes[..]);
            assert!(said.errors.len() + said.notes.len() <= 6, "{seed}");
            assert!(!matches!(end, Err(Cut::Broken(_))), "{seed}");
        }
    }
}
