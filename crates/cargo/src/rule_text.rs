//! Rules as one flag writes them.

use cooperage_image_spec::Healthcheck;

use crate::settings::{FileRule, UserRule};
use crate::{metadata, value};

pub(crate) fn healthcheck(text: &str) -> Result<Healthcheck, String> {
    if text.trim_start().starts_with('[') {
        let words: Vec<String> = serde_json::from_str(text)
            .map_err(|_| "expected an array of strings in JSON, or a line for the shell")?;
        return Ok(metadata::command(words));
    }
    Ok(Healthcheck {
        test: vec!["CMD-SHELL".to_owned(), text.to_owned()],
        ..Healthcheck::default()
    })
}

pub(crate) fn file(text: &str) -> Result<FileRule, String> {
    let mut rule = FileRule {
        origin: format!("`--file {text}`"),
        ..FileRule::default()
    };
    if !text.starts_with("from=") {
        let mut parts = text.splitn(3, ':');
        parts.next().unwrap_or_default().clone_into(&mut rule.from);
        rule.to = value::image_path(parts.next().ok_or("expected `FROM:TO[:MODE]`")?)?;
        rule.mode = parts.next().map(value::mode).transpose()?;
        return Ok(rule);
    }
    for pair in text.split(',') {
        let (key, text) = value::assignment(pair)?;
        let number = || {
            text.parse::<u32>()
                .map(u64::from)
                .map_err(|_| "expected a number")
        };
        match &key[..] {
            "from" => rule.from = text,
            "to" => rule.to = value::image_path(&text)?,
            "mode" => rule.mode = Some(value::mode(&text)?),
            "dir-mode" => rule.dir_mode = Some(value::mode(&text)?),
            "uid" => rule.uid = Some(number()?),
            "gid" => rule.gid = Some(number()?),
            "layer" => rule.layer = Some(text),
            "exclude" => rule.exclude.push(text),
            _ => return Err(format!("there is no option `{key}` of a file")),
        }
    }
    if rule.to.is_empty() {
        return Err("expected `to=PATH`".to_owned());
    }
    Ok(rule)
}

pub(crate) fn user(text: &str) -> Result<UserRule, String> {
    const EXPECTED: &str = "expected `NAME:UID[:GID[:HOME[:SHELL]]]`";
    let mut parts = text.split(':');
    let name = value::account_name(parts.next().unwrap_or_default())?;
    let uid = parts
        .next()
        .and_then(|part| part.parse().ok())
        .ok_or(EXPECTED)?;
    let rule = UserRule {
        name,
        uid,
        gid: match parts.next() {
            None | Some("") => uid,
            Some(gid) => gid.parse().map_err(|_| EXPECTED)?,
        },
        home: parts
            .next()
            .filter(|part| !part.is_empty())
            .map(value::image_path)
            .transpose()?,
        shell: parts
            .next()
            .filter(|part| !part.is_empty())
            .map(value::image_path)
            .transpose()?,
    };
    if parts.next().is_some() {
        Err(EXPECTED.to_owned())
    } else {
        Ok(rule)
    }
}
