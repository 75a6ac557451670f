//! What is tried again, how often, and after how long.

use std::io;
use std::time::Duration;

use crate::error::Reason;
use crate::options::Retry;
use crate::pace::Pace;
use crate::wire::ServerError;

/// Why one attempt did not succeed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The connection did not come about, or was lost.
    Lost(io::Error),
    /// The server said no.
    Status {
        status: u16,
        errors: Vec<ServerError>,
        /// How long it wants to be left alone.
        wait: Option<Duration>,
    },
    /// A token ran out just then; there is another one now.
    Expired { errors: Vec<ServerError> },
    /// The server does not know of the upload any more.
    Gone {
        status: u16,
        errors: Vec<ServerError>,
    },
    /// It will not become better.
    Final(Reason),
}

impl Fault {
    pub(crate) fn malformed(text: impl Into<String>) -> Self {
        Self::Final(Reason::Malformed(text.into()))
    }

    fn is_passing(&self) -> bool {
        match self {
            Self::Lost(_) | Self::Expired { .. } | Self::Gone { .. } => true,
            Self::Status { status, .. } => {
                matches!(status, 408 | 429 | 500 | 502..=504 | 506..=599)
            }
            Self::Final(_) => false,
        }
    }
}

/// Counts attempts.
#[derive(Debug)]
pub(crate) struct Tries<'a> {
    retry: Retry,
    pace: &'a dyn Pace,
    used: u32,
}

impl<'a> Tries<'a> {
    pub(crate) fn new(retry: Retry, pace: &'a dyn Pace) -> Self {
        let used = 0;
        Self { retry, pace, used }
    }

    /// Whether something failed since it last went on.
    pub(crate) fn have_failed(&self) -> bool {
        self.used > 0
    }

    /// It went on: what comes now is another attempt at something else.
    pub(crate) fn went_on(&mut self) {
        self.used = 0;
    }

    /// Returns after the wait before the next attempt.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub(crate) fn again(&mut self, fault: Fault) -> Result<(), Reason> {
        self.used += 1;
        if !fault.is_passing() || self.used >= self.retry.attempts.get() {
            return Err(self.reason(fault));
        }
        let asked = match &fault {
            Fault::Status { wait, .. } => wait.unwrap_or_default(),
            Fault::Expired { .. } => return Ok(()),
            Fault::Lost(_) | Fault::Gone { .. } | Fault::Final(_) => Duration::ZERO,
        };
        let doubled = 1 << (self.used - 1).min(16);
        let most = self
            .retry
            .first
            .saturating_mul(doubled)
            .min(self.retry.most);
        let own = most / 2 + self.pace.spread(most / 2);
        let wait = own.max(asked.min(self.retry.most));
        if !wait.is_zero() {
            self.pace.sleep(wait);
        }
        Ok(())
    }

    fn reason(&self, fault: Fault) -> Reason {
        let attempts = self.used;
        match fault {
            Fault::Lost(source) => Reason::Connection { attempts, source },
            Fault::Expired { errors } => Reason::Denied {
                status: 401,
                errors,
                login: true,
            },
            Fault::Status {
                status: 404,
                errors,
                ..
            } => Reason::NotFound { errors },
            Fault::Status {
                status: status @ (401 | 403),
                errors,
                ..
            } => Reason::Denied {
                status,
                errors,
                login: true,
            },
            Fault::Gone { status, errors } | Fault::Status { status, errors, .. } => {
                Reason::Refused {
                    status,
                    errors,
                    attempts,
                }
            }
            Fault::Final(reason) => reason,
        }
    }
}
