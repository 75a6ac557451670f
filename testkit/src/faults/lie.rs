//! Each fault, done.

use std::io::{self, Write as _};
use std::time::Duration;

use super::relay::{Changes, Exchange};
use super::rule::{Fault, Link};
use crate::http::{self, Head, reason};

/// As much as nobody takes.
const ENDLESS: u64 = 256 << 20;
/// The digest of no bytes at all.
const OTHER: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

pub(super) fn befall(exchange: &mut Exchange<'_, '_>, fault: &Fault) -> io::Result<()> {
    match fault {
        Fault::CutRequest { after } => exchange.pass_with(&Changes {
            cut_request: Some(*after),
            ..Changes::default()
        })?,
        Fault::CutAnswer { after } => exchange.pass_with(&Changes {
            cut_answer: Some(*after),
            ..Changes::default()
        })?,
        Fault::Slow { pieces, pause } => exchange.pass_with(&Changes {
            slow: Some((*pieces, Duration::from_millis(*pause))),
            ..Changes::default()
        })?,
        Fault::FlipAnswer { at } => exchange.pass_with(&Changes {
            flip_answer: Some(*at),
            ..Changes::default()
        })?,
        Fault::FlipRequest { at } => exchange.pass_with(&Changes {
            flip_request: Some(*at),
            ..Changes::default()
        })?,
        Fault::Length { by } => exchange.pass_with(&Changes {
            head: Some(&|head| lengthen(head, *by)),
            is_last: true,
            ..Changes::default()
        })?,
        Fault::NoDigest => change(exchange, &|head| head.remove("Docker-Content-Digest"))?,
        Fault::OtherDigest => change(exchange, &|head| head.set("Docker-Content-Digest", OTHER))?,
        Fault::Status {
            status,
            retry_after,
        } => {
            let mut head = answer(*status);
            if let Some(after) = retry_after {
                head.set("Retry-After", after);
            }
            refuse(exchange, head)?;
        }
        Fault::Challenge(challenge) => {
            let mut head = answer(401);
            head.set("WWW-Authenticate", challenge);
            refuse(exchange, head)?;
        }
        Fault::Redirect(to) => {
            let mut head = answer(307);
            let target = exchange.head.request().1;
            head.set("Location", format!("http://{to}{target}"));
            head.set("Content-Length", "0");
            exchange.reply(&head, &[])?;
        }
        Fault::Elsewhere(to) => change(exchange, &|head| move_to(head, to))?,
        Fault::SessionLost => lose(exchange)?,
        Fault::Endless => endless(exchange)?,
        Fault::Huge { size, is_announced } => huge(exchange, *size, *is_announced)?,
        Fault::Link(link) => linked(exchange, link)?,
    }
    Ok(())
}

fn change(exchange: &mut Exchange<'_, '_>, change: &dyn Fn(&mut Head)) -> io::Result<()> {
    exchange.pass_with(&Changes {
        head: Some(change),
        ..Changes::default()
    })
}

fn answer(status: u16) -> Head {
    Head {
        first: format!("HTTP/1.1 {status} {}", reason(status)),
        fields: Vec::new(),
    }
}

/// With words of the form that registries use.
fn refuse(exchange: &mut Exchange<'_, '_>, mut head: Head) -> io::Result<()> {
    let body = r#"{"errors":[{"code":"UNAVAILABLE","message":"made to fail by the test kit"}]}"#;
    head.set("Content-Type", "application/json");
    head.set("Content-Length", body.len().to_string());
    exchange.reply(&head, body.as_bytes())
}

fn lengthen(head: &mut Head, by: i64) {
    let length = head.field("Content-Length");
    if let Some(length) = length.and_then(|text| text.parse::<u64>().ok()) {
        head.set(
            "Content-Length",
            length.saturating_add_signed(by).to_string(),
        );
    }
}

fn move_to(head: &mut Head, address: &str) {
    let path = head.field("Location").map(|location| {
        let behind = location.split_once("://").map_or(location, |it| it.1);
        let from = behind.find('/').unwrap_or(behind.len());
        behind[from..].to_owned()
    });
    if let Some(path) = path {
        head.set("Location", format!("http://{address}{path}"));
    }
}

fn lose(exchange: &mut Exchange<'_, '_>) -> io::Result<()> {
    let target = exchange.head.request().1;
    let authorization = exchange.head.field("Authorization");
    let host = exchange.head.field("Host").unwrap_or_default();
    let mut fields = vec![("Host", host)];
    fields.extend(authorization.map(|it| ("Authorization", it)));
    http::request(&exchange.shared.server, "DELETE", target, &fields, &[])?;
    exchange.pass()
}

fn endless(exchange: &mut Exchange<'_, '_>) -> io::Result<()> {
    exchange.discard()?;
    let mut head = answer(200);
    head.set("Content-Type", "application/octet-stream");
    head.set("Transfer-Encoding", "chunked");
    exchange.outcome.status = Some(200);
    exchange.outcome.is_last = true;
    exchange.writer.write_all(&head.bytes())?;
    let mut piece = b"10000\r\n".to_vec();
    piece.resize(7 + 0x10000, b' ');
    piece.extend_from_slice(b"\r\n");
    while exchange.outcome.sent < ENDLESS {
        exchange.writer.write_all(&piece)?;
        exchange.outcome.sent += 0x10000;
    }
    Ok(())
}

fn huge(exchange: &mut Exchange<'_, '_>, size: u64, is_announced: bool) -> io::Result<()> {
    const BEGIN: &[u8] = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":["#;
    const END: &[u8] = b"]}";
    exchange.discard()?;
    let mut head = answer(200);
    head.set("Content-Type", "application/vnd.oci.image.index.v1+json");
    head.set("Connection", "close");
    if is_announced {
        head.set("Content-Length", size.to_string());
    }
    exchange.outcome.status = Some(200);
    exchange.outcome.is_last = true;
    exchange.writer.write_all(&head.bytes())?;
    if exchange.head.request().0 == "HEAD" {
        return Ok(());
    }
    exchange.writer.write_all(BEGIN)?;
    let mut left = size.saturating_sub((BEGIN.len() + END.len()) as u64);
    let blanks = vec![b' '; 1 << 16];
    while left > 0 {
        let piece = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(blanks.len());
        exchange.writer.write_all(&blanks[..piece])?;
        exchange.outcome.sent += piece as u64;
        left -= piece as u64;
    }
    exchange.writer.write_all(END)
}

/// The server's own answer with another field; of [`Link::Endless`] all pages but the first are
/// made up.
fn linked(exchange: &mut Exchange<'_, '_>, link: &Link) -> io::Result<()> {
    let target = exchange.head.request().1.to_owned();
    let path = target.split('?').next().unwrap_or_default();
    let next = match link {
        Link::Same => format!("<{target}>; rel=\"next\""),
        Link::Elsewhere(address) => format!("<http://{address}{path}?last=z>; rel=\"next\""),
        Link::Words(words) => words.clone(),
        Link::Endless => {
            let page = target.split_once("last=").map_or(0, |(_, number)| {
                number.parse::<u64>().map_or(0, |number| number + 1)
            });
            let body = format!(r#"{{"name":"endless","tags":["tag{page}"]}}"#);
            let mut head = answer(200);
            head.set("Content-Type", "application/json");
            head.set("Content-Length", body.len().to_string());
            head.set("Link", format!("<{path}?n=1&last={page}>; rel=\"next\""));
            return exchange.reply(&head, body.as_bytes());
        }
    };
    change(exchange, &|head| head.set("Link", next.clone()))
}
