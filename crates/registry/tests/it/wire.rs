//! Headers and small documents, of honest servers and of others.

use std::time::Duration;

use cooperage_registry::wire::{
    Challenge, ContentRange, ServerError, Token, next_page, retry_after, stored,
};

#[test]
fn challenges() {
    let read = |header: &str| -> Vec<String> {
        Challenge::parse_all(header)
            .iter()
            .map(|it| {
                let scheme = ["basic", "bearer", "negotiate", "digest"];
                let scheme = scheme.iter().find(|name| it.is(name)).unwrap();
                let value = |name| it.get(name).unwrap_or("-").to_owned();
                format!(
                    "{scheme} {} {} {}",
                    value("realm"),
                    value("service"),
                    value("scope")
                )
            })
            .collect()
    };
    for (header, expected) in [
        ("", &[][..]),
        ("Basic realm=\"a b\"", &["basic a b - -"]),
        (
            "BEARER Realm=\"https://a/t\",Service=s",
            &["bearer https://a/t s -"],
        ),
        (
            "Bearer realm=\"r\",service=\"s\",scope=\"repository:a/b:pull,push\"",
            &["bearer r s repository:a/b:pull,push"],
        ),
        (
            "Basic realm=x, Bearer realm = \"y\" , scope=\"z\"",
            &["basic x - -", "bearer y - z"],
        ),
        ("Basic realm=\"a\\\"b\\\\c\"", &["basic a\"b\\c - -"]),
        (
            "Negotiate, Basic realm=x",
            &["negotiate - - -", "basic x - -"],
        ),
        // The first of two counts; what is not closed, or begins with a parameter, is none.
        ("Bearer realm=a,realm=b", &["bearer a - -"]),
        ("Bearer realm=\"open", &["bearer - - -"]),
        ("realm=x", &[]),
        ("\u{7f}", &[]),
        (", ,Digest", &["digest - - -"]),
    ] {
        assert_eq!(read(header), expected, "{header}");
    }
    let many = "Basic realm=x, ".repeat(1000);
    assert_eq!(Challenge::parse_all(&many).len(), 8);
}

#[test]
fn links() {
    for (header, expected) in [
        (
            "</v2/a/tags/list?last=x&n=2>; rel=\"next\"",
            Some("/v2/a/tags/list?last=x&n=2"),
        ),
        ("<a>; rel=prev, <b>; rel=next", Some("b")),
        ("<a>; rel=\"last next\"", Some("a")),
        ("<a>;REL = NEXT", Some("a")),
        ("<a>; title=\"next\"", None),
        ("<a", None),
        ("a>; rel=next", None),
        ("", None),
    ] {
        assert_eq!(next_page(header), expected, "{header}");
    }
}

#[test]
fn ranges() {
    for (header, expected) in [
        ("0-1023", Some(1024)),
        ("bytes=0-5", Some(6)),
        ("0-0", None),
        ("1-5", None),
        ("0--5", None),
        ("0-+5", None),
        ("0-18446744073709551615", None),
        ("5", None),
    ] {
        assert_eq!(stored(header), expected, "{header}");
    }
    let range = |first, last, whole| Some(ContentRange { first, last, whole });
    for (header, expected) in [
        ("bytes 0-9/10", range(0, 9, Some(10))),
        ("bytes 5-9/*", range(5, 9, None)),
        ("bytes 5-4/10", None),
        ("bytes 0-10/10", None),
        ("bytes */10", None),
        ("items 0-9/10", None),
    ] {
        assert_eq!(ContentRange::parse(header), expected, "{header}");
    }
}

#[test]
fn waits() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (header, date, expected) in [
        ("0", None, Some(0)),
        (" 7 ", None, Some(7)),
        ("99999999999999999999", None, Some(u64::MAX)),
        ("-1", None, None),
        ("1.5", None, None),
        ("Sun, 06 Nov 1994 08:50:07 GMT", Some(date), Some(30)),
        ("Mon, 07 Nov 1994 08:49:37 GMT", Some(date), Some(86_400)),
        ("Sun, 06 Nov 1994 08:49:00 GMT", Some(date), Some(0)),
        ("Sun, 06 Nov 1994 08:50:07 GMT", None, None),
        (
            "Tue, 29 Feb 2000 00:00:00 GMT",
            Some("Mon, 28 Feb 2000 00:00:00 GMT"),
            Some(86_400),
        ),
        (
            "Thu, 01 Mar 2001 00:00:00 GMT",
            Some("Wed, 28 Feb 2001 00:00:00 GMT"),
            Some(86_400),
        ),
        (
            "Mon, 01 Jan 2001 00:00:00 GMT",
            Some("Sun, 31 Dec 2000 23:59:59 GMT"),
            Some(1),
        ),
        ("Sun, 06 Nov 1994 25:50:07 GMT", Some(date), None),
        ("Sun, 06 anF 1994 08:50:07 GMT", Some(date), None),
        ("Sunday, 06-Nov-94 08:49:37 GMT", Some(date), None),
    ] {
        let expected = expected.map(Duration::from_secs);
        assert_eq!(retry_after(header, date), expected, "{header}");
    }
}

#[test]
fn tokens() {
    let read =
        |body: &str| Token::parse(body.as_bytes()).map(|it| (it.value, it.lifetime.as_secs()));
    for (body, expected) in [
        (r#"{"token":"a"}"#, Some(("a", 60))),
        (r#"{"access_token":"b","expires_in":300}"#, Some(("b", 300))),
        (
            r#"{"token":"a","access_token":"b","expires_in":1}"#,
            Some(("a", 1)),
        ),
        (
            r#"{"token":"a","expires_in":999999999}"#,
            Some(("a", 86_400)),
        ),
        (r#"{"token":"","access_token":"b"}"#, Some(("b", 60))),
        (r#"{"token":"a","expires_in":-5}"#, Some(("a", 60))),
        (r#"{"token":"a\r\nX: y"}"#, None),
        (r#"{"token":7}"#, None),
        ("[]", None),
        ("", None),
    ] {
        let expected = expected.map(|(token, lifetime)| (token.to_owned(), lifetime));
        assert_eq!(read(body), expected, "{body}");
    }
    let token = Token::parse(br#"{"token":"hush"}"#).unwrap();
    assert!(!format!("{token:?}").contains("hush"));
}

#[test]
fn errors_of_servers() {
    let read = |body: &str| -> Vec<String> {
        let errors = ServerError::parse_all(body.as_bytes());
        errors.iter().map(ToString::to_string).collect()
    };
    for (body, expected) in [
        (
            r#"{"errors":[{"code":"DENIED","message":"no"},{"code":"X"},{"message":"y"},{}]}"#,
            &["DENIED `no`", "X", "`y`", "no reason given"][..],
        ),
        (
            r#"{"details":"incorrect username or password"}"#,
            &["`incorrect username or password`"],
        ),
        (
            r#"{"error":"invalid_grant","error_description":"used up"}"#,
            &["`used up`"],
        ),
        ("upstream timed out\nmore", &["`upstream timed out`"]),
        ("<html><body>502</body></html>", &[]),
        ("", &[]),
        ("{}", &[]),
        (
            r#"{"errors":[{"code":"A\u001b[2J","message":"b\nc"}]}"#,
            &["A [2J `b c`"],
        ),
    ] {
        assert_eq!(read(body), expected, "{body}");
    }
    let long = format!(r#"{{"errors":[{{"message":"{}"}}]}}"#, "x".repeat(10_000));
    assert!(read(&long)[0].len() < 400);
}
