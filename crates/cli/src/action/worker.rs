//! Requests of Bazel, answered by one process: its JSON worker protocol, multiplex and sandboxed.
//!
//! Requests come on standard input and are worked at on threads; answers go to standard output as
//! they are ready. All of them share the threads that compress. Whatever is wrong with a request,
//! a panic too, is its answer, and the worker lives on.

mod objects;
mod queue;

use std::any::Any;
use std::io::{self, BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, anyhow};
use serde::{Deserialize, Serialize};

use self::objects::{Fault, MAX_OBJECT, Objects};
use self::queue::{Job, Queue};
use super::{Base, Cancel, Request, Setting, run_request};
use crate::context::Context;
use crate::error;

/// What is asked for; whatever else stands there is of no account.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Work {
    /// The lines of the request.
    arguments: Vec<String>,
    /// 0 where one request is sent at a time.
    request_id: i64,
    /// Whether an earlier request of this number is taken back.
    cancel: bool,
    /// Where relative names start from.
    sandbox_dir: String,
}

/// What became of it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    exit_code: i32,
    output: String,
    request_id: i64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    was_cancelled: bool,
}

/// Answers requests on standard input until there are no more.
pub(crate) fn run() -> ExitCode {
    let context = Context::silent();
    let handle = |work: &Work, cancel: &Cancel| act(work, &context, cancel);
    let served = serve(io::stdin().lock(), io::stdout(), &handle);
    context.finish(served.map(|()| crate::context::Outcome::Done))
}

fn act(work: &Work, context: &Context, cancel: &Cancel) -> Result<()> {
    let base = Base::Directory(PathBuf::from(&work.sandbox_dir));
    let lines = work.arguments.join("\n").into_bytes();
    let request = Request::parse("the work request", lines, base)?;
    run_request(&request, &Setting { context, cancel })
}

/// How work is done; what is said of it are errors alone.
type Handle<'a> = &'a (dyn Fn(&Work, &Cancel) -> Result<()> + Sync);

/// Reads requests until the input ends, and waits until all are answered.
fn serve(input: impl BufRead, output: impl Write + Send, handle: Handle<'_>) -> Result<()> {
    let answers = Answers(Mutex::new(output));
    let queue = Queue::default();
    let work = || {
        while let Some(job) = queue.take() {
            // Who does not listen any more sends nothing more either.
            let _ = answers.put(&answer(&job, handle));
            queue.done(&job);
        }
    };
    std::thread::scope(|scope| {
        // Threads that wait end whatever happens here.
        let _closing = queue.closing();
        for object in Objects::new(input, MAX_OBJECT) {
            match object.and_then(|bytes| read(&bytes)) {
                Ok((work, _)) if work.cancel => queue.cancel(work.request_id),
                Ok((work, size)) => queue.put(Job::new(work, size)),
                Err(Fault::Read(source)) => {
                    return Err(source).context("cannot read work requests");
                }
                Err(fault) => answers.put(&refused(0, &anyhow!(fault)))?,
            }
            if queue.wants_thread() {
                let thread = std::thread::Builder::new().name("request".into());
                if thread.spawn_scoped(scope, work).is_err() && queue.lost_thread() {
                    // Without any thread this one does it all.
                    queue.close();
                    work();
                    return Err(anyhow!("no thread can be started to answer work requests"));
                }
            }
        }
        Ok(())
    })
}

/// A work request, and how much memory it takes, about.
fn read(bytes: &[u8]) -> Result<(Work, usize), Fault> {
    let work = serde_json::from_slice(bytes).map_err(Fault::Json)?;
    Ok((work, bytes.len()))
}

fn answer(job: &Job, handle: Handle<'_>) -> Answer {
    let request_id = job.work.request_id;
    let done = catch_unwind(AssertUnwindSafe(|| handle(&job.work, &job.cancel)));
    match done {
        Ok(Ok(())) => Answer {
            request_id,
            ..Answer::default()
        },
        _ if job.cancel.is_cancelled() => Answer {
            request_id,
            was_cancelled: true,
            ..Answer::default()
        },
        Ok(Err(error)) => refused(request_id, &error),
        Err(panic) => {
            let text = said(&*panic);
            refused(request_id, &anyhow!("this is a fault of cooperage: {text}"))
        }
    }
}

fn refused(request_id: i64, error: &anyhow::Error) -> Answer {
    Answer {
        exit_code: 1,
        output: error::lines(error).join("\n") + "\n",
        request_id,
        was_cancelled: false,
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "it panicked".to_owned())
}

struct Answers<W>(Mutex<W>);

impl<W: Write> Answers<W> {
    /// Writes an answer, on a line of its own.
    fn put(&self, answer: &Answer) -> Result<()> {
        let mut line = serde_json::to_vec(answer)?;
        line.push(b'\n');
        let mut output = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        output.write_all(&line)?;
        output.flush()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
