//! The proxy itself.

use std::fmt;
use std::io::{self, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::lie;
use super::relay::{Exchange, Outcome};
use super::rule::{self, Fault, Rule};
use crate::http::{Head, Listener, go_on};

/// A request that came by, and what became of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// The request's head, as the client sent it.
    pub head: Head,
    /// What was done to it.
    pub fault: Option<Fault>,
    /// The status of the answer, whoever gave it; `None` when there was none, or it has not come yet.
    pub status: Option<u16>,
    /// Bytes of the request's body that the client sent and the proxy took.
    pub received: u64,
    /// Bytes of the answer's body that were handed to the client's connection.
    pub sent: u64,
}

impl Seen {
    /// Its method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.head.request().0
    }

    /// Its target: the path, and what stands behind a question mark.
    #[must_use]
    pub fn target(&self) -> &str {
        self.head.request().1
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method(), self.target())?;
        if let Some(range) = self.head.field("Range") {
            write!(f, " ({range})")?;
        }
        match self.status {
            Some(status) => write!(f, ": {status}")?,
            None => write!(f, ": no answer")?,
        }
        write!(f, ", {} in, {} out", self.received, self.sent)?;
        match &self.fault {
            Some(fault) => write!(f, ", {fault:?}"),
            None => Ok(()),
        }
    }
}

/// How a proxy goes about it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ProxyOptions {
    /// What it says in `Authorization` to the server, whatever the client says: so a place that a
    /// registry redirects to needs no login.
    pub authorization: Option<String>,
}

/// A proxy in front of a server. Dropping it ends all its connections.
#[derive(Debug)]
pub struct Proxy {
    listener: Listener,
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) server: String,
    pub(super) options: ProxyOptions,
    rules: Mutex<Vec<Rule>>,
    record: Mutex<Record>,
    /// Told when a request is over.
    over: Condvar,
}

#[derive(Debug, Default)]
struct Record {
    seen: Vec<Seen>,
    /// How many of them are not over.
    under_way: usize,
    /// How many were taken out before those in the list.
    taken: usize,
}

/// A test that failed meanwhile says nothing about what was seen.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// One on a free port, in front of the server at `address`, which speaks plain HTTP.
    #[must_use]
    pub fn start(address: &str, rules: Vec<Rule>) -> Self {
        Self::start_with(address, rules, ProxyOptions::default())
    }

    /// As [`Proxy::start`].
    #[must_use]
    pub fn start_with(address: &str, rules: Vec<Rule>, options: ProxyOptions) -> Self {
        let shared = Arc::new(Shared {
            server: address.to_owned(),
            options,
            rules: Mutex::new(rules),
            record: Mutex::default(),
            over: Condvar::new(),
        });
        let listener = Listener::start({
            let shared = Arc::clone(&shared);
            move |client| {
                // Either side going away is what it is for.
                drop(serve(&client, &shared));
            }
        });
        Self { listener, shared }
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        self.listener.address()
    }

    /// Other rules from now on.
    pub fn set_rules(&self, rules: Vec<Rule>) {
        *locked(&self.shared.rules) = rules;
    }

    /// All requests so far, in the order in which they came. Those that are under way are waited
    /// for: a client has its answer a moment before that is written down here.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.quiet().seen.clone()
    }

    /// The same, and none of them again.
    #[must_use]
    pub fn take_seen(&self) -> Vec<Seen> {
        let mut record = self.shared.quiet();
        record.taken += record.seen.len();
        std::mem::take(&mut record.seen)
    }

    /// How many requests have come so far, those that are under way among them.
    #[must_use]
    pub fn count(&self) -> usize {
        let record = locked(&self.shared.record);
        record.taken + record.seen.len()
    }
}

impl Shared {
    /// The record, once nothing is under way; or after a while, since a client may never end.
    fn quiet(&self) -> MutexGuard<'_, Record> {
        let record = locked(&self.record);
        let patience = Duration::from_secs(5);
        let busy = |record: &mut Record| record.under_way > 0;
        let waited = self.over.wait_timeout_while(record, patience, busy);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn begin(&self, head: &Head, fault: Option<&Fault>) -> usize {
        let mut record = locked(&self.record);
        record.under_way += 1;
        record.seen.push(Seen {
            head: head.clone(),
            fault: fault.cloned(),
            status: None,
            received: 0,
            sent: 0,
        });
        record.taken + record.seen.len() - 1
    }

    fn end(&self, number: usize, outcome: Outcome) {
        let mut record = locked(&self.record);
        record.under_way -= 1;
        // Unless it was taken meanwhile.
        let at = number.checked_sub(record.taken);
        if let Some(seen) = at.and_then(|at| record.seen.get_mut(at)) {
            seen.status = outcome.status;
            seen.received = outcome.received;
            seen.sent = outcome.sent;
        }
        self.over.notify_all();
    }
}

fn serve(client: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 16, client);
    while let Some(head) = Head::read(&mut reader)? {
        let (method, target) = head.request();
        let fault = rule::next(&mut locked(&shared.rules), method, target);
        let number = shared.begin(&head, fault.as_ref());
        let mut writer = client;
        let mut exchange = Exchange {
            head: &head,
            client: &mut reader,
            writer: &mut writer,
            shared,
            outcome: Outcome::default(),
        };
        let result = go_on(&head, &mut exchange.writer).and_then(|()| match fault {
            Some(fault) => lie::befall(&mut exchange, &fault),
            None => exchange.pass(),
        });
        let outcome = exchange.outcome;
        shared.end(number, outcome);
        result?;
        writer.flush()?;
        if outcome.is_last {
            return Ok(());
        }
    }
    Ok(())
}
