//! What the worker makes of requests, with work that is made up.

use std::io::{BufReader, Read as _, Write as _};
use std::sync::Condvar;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::*;

/// The answers to a stream of requests, by their numbers.
fn answers(input: &str, handle: Handle<'_>) -> Vec<Value> {
    let mut output = Vec::new();
    serve(input.as_bytes(), &mut output, handle).expect("it serves");
    let text = String::from_utf8(output).expect("text");
    let mut answers: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("each answer is a line"))
        .collect();
    answers.sort_by_key(|answer| answer["requestId"].as_i64());
    answers
}

fn echo(work: &Work, _: &Cancel) -> Result<()> {
    match work.arguments.first().map(String::as_str) {
        Some("panic") => std::panic::panic_any(format!("by request {}", work.request_id)),
        Some(text) => Err(anyhow!("{text}")),
        None => Ok(()),
    }
}

#[test]
fn objects_are_found_however_they_are_parted() {
    let answer = |input: &str| {
        let answers = answers(input, &echo);
        let text = |answer: &Value| answer["output"].as_str().map(str::to_owned);
        answers.iter().filter_map(text).collect::<Vec<_>>()
    };
    let expected = vec!["error: }\"{\n".to_owned(), "error: b\n".to_owned()];
    for between in ["", "\n", " \r\n\t"] {
        let input = format!(
            r#"{{"arguments":["}}\"{{"],"requestId":1,"inputs":[{{"path":"a"}}]}}{between}{{"requestId":2,"arguments":["b"]}}"#
        );
        assert_eq!(answer(&input), expected, "{between:?}");
    }
}

#[test]
fn the_worker_outlives_bad_requests() {
    let input = [
        r#"{"requestId":1,"arguments":["panic"]}"#,
        "nonsense {",
        r#"{"requestId":"x"}"#,
        "{7}",
        r#"{"requestId":2}"#,
        r#"{"requestId":3,"arguments":["cut"#,
    ]
    .join("\n");
    let found = answers(&input, &echo);
    let outputs: Vec<(i64, i64, String)> = found
        .iter()
        .map(|answer| {
            (
                answer["requestId"].as_i64().expect("a number"),
                answer["exitCode"].as_i64().expect("a number"),
                answer["output"].as_str().expect("text").to_owned(),
            )
        })
        .collect();
    let of = |id: i64| -> Vec<&str> {
        let mine = outputs.iter().filter(|output| output.0 == id);
        mine.map(|output| output.2.as_str()).collect()
    };
    assert_eq!(
        of(1),
        ["error: this is a fault of cooperage: by request 1\n"]
    );
    assert_eq!(of(2), [""]);
    let unknown = of(0);
    assert_eq!(unknown.len(), 4, "{unknown:?}");
    assert!(
        unknown[0].contains("a JSON object, found `n`"),
        "{unknown:?}"
    );
    assert!(
        unknown[1].contains("expected a work request"),
        "{unknown:?}"
    );
    assert!(unknown[3].contains("ends in its middle"), "{unknown:?}");
    assert!(
        outputs
            .iter()
            .all(|output| output.1 == i64::from(output.0 != 2))
    );
}

#[test]
fn long_objects_are_passed_over() {
    let long = format!("{{\"arguments\":[\"{}\"]}}", "x".repeat(100_000));
    let input = format!("{long}{{}}{long}{long}\n{{\"requestId\":7}}");
    let found: Vec<_> = Objects::new(BufReader::with_capacity(64, input.as_bytes()), 100)
        .map(|object| match object {
            Err(Fault::TooLong { limit, size }) => {
                assert_eq!(limit, 100);
                size
            }
            object => object.expect("nothing else is wrong").len(),
        })
        .collect();
    assert_eq!(found, [long.len(), 2, long.len(), long.len(), 15]);
}

/// Two requests that each wait for the other to begin, and one that is taken back while it runs.
#[test]
fn requests_run_together_and_are_taken_back() {
    let (begun, all) = (Mutex::new(0), Condvar::new());
    let handle = |work: &Work, cancel: &Cancel| -> Result<()> {
        let mut count = begun.lock().expect("no panic");
        *count += 1;
        all.notify_all();
        while *count < 3 {
            count = all.wait(count).expect("no panic");
        }
        drop(count);
        if work.request_id < 3 {
            return Ok(());
        }
        loop {
            cancel.check()?;
            std::thread::yield_now();
        }
    };
    let (reader, mut writer) = io::pipe().expect("a pipe");
    let (mut answers, output) = io::pipe().expect("a pipe");
    let text = std::thread::scope(|scope| {
        let server = scope.spawn(|| serve(BufReader::new(reader), output, &handle));
        for id in 1..=3 {
            writeln!(writer, "{{\"requestId\":{id}}}").expect("it listens");
        }
        let mut count = begun.lock().expect("no panic");
        while *count < 3 {
            count = all.wait(count).expect("no panic");
        }
        drop(count);
        // One that is not there is of no account.
        writeln!(writer, "{{\"requestId\":9,\"cancel\":true}}").expect("it listens");
        writeln!(writer, "{{\"requestId\":3,\"cancel\":true}}").expect("it listens");
        drop(writer);
        server.join().expect("no panic").expect("it serves");
        let mut text = String::new();
        answers.read_to_string(&mut text).expect("text");
        text
    });
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            r#"{"exitCode":0,"output":"","requestId":1}"#,
            r#"{"exitCode":0,"output":"","requestId":2}"#,
            r#"{"exitCode":0,"output":"","requestId":3,"wasCancelled":true}"#,
        ]
    );
}

#[test]
fn many_requests_take_a_bounded_number_of_threads() {
    let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let handle = |_: &Work, _: &Cancel| -> Result<()> {
        let now = running.fetch_add(1, Ordering::SeqCst) + 1;
        most.fetch_max(now, Ordering::SeqCst);
        std::thread::sleep(std::time::Duration::from_millis(1));
        running.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    };
    let requests: Vec<String> = (1..=1000)
        .map(|id| format!("{{\"requestId\":{id}}}"))
        .collect();
    let input = requests.concat();
    let answers = answers(&input, &handle);
    let ids: Vec<_> = answers
        .iter()
        .filter_map(|answer| answer["requestId"].as_i64())
        .collect();
    assert_eq!(ids, (1..=1000).collect::<Vec<_>>());
    let most = most.into_inner();
    assert!((2..=64).contains(&most), "{most} at once");
}
