//! What registries write in headers and in small documents, read with limits.
//!
//! Each of these comes from a server that may be anybody's. Nothing here fails: what cannot be read
//! is as if it were not there.

mod challenge;
mod failure;
mod link;
mod range;
mod token;
mod wait;

pub use challenge::Challenge;
pub use failure::ServerError;
pub use link::next_page;
pub use range::{ContentRange, stored};
pub use token::Token;
pub use wait::retry_after;

/// At most `most` characters of a text, on one line and without control characters: what a server
/// says is not to fill or to steer a terminal.
pub(crate) fn printable(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for (at, c) in text.trim().chars().enumerate() {
        if at == most {
            shown.push('…');
            break;
        }
        shown.push(if c.is_control() { ' ' } else { c });
    }
    shown
}
