//! Parsing and the canonical form.

use cooperage_image_spec::json::{MAX_DEPTH, MAX_VALUES, ParseError};
use cooperage_image_spec::{Json, MAX_DOCUMENT_SIZE};
use proptest::prelude::*;

use crate::strategies;

#[track_caller]
fn canonical(input: &str, expected: &str) {
    let json = Json::parse(input.as_bytes()).unwrap_or_else(|error| panic!("{input}: {error}"));
    assert_eq!(String::from_utf8(json.to_canonical()).unwrap(), expected);
}

#[track_caller]
fn refused(input: &[u8], expected: &str) {
    match Json::parse(input) {
        Err(error) => assert_eq!(error.to_string(), expected),
        Ok(json) => panic!("taken as {json:?}"),
    }
}

/// RFC 8785 § 3.2.2 (its sample, with the numbers as they were written) and § 3.2.3.
#[test]
fn rfc_8785() {
    canonical(
        r#"{
          "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
          "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
          "literals": [null, true, false]
        }"#,
        concat!(
            r#"{"literals":[null,true,false],"#,
            r#""numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"#,
            r#""string":"€$\u000f\nA'B\"\\\\\"/"}"#
        ),
    );
    canonical(
        r#"{
          "\u20ac": "Euro Sign", "\r": "Carriage Return",
          "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
          "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control",
          "\u00f6": "Latin Small Letter O With Diaeresis"
        }"#,
        concat!(
            r#"{"\r":"Carriage Return","1":"One","#,
            "\"\u{80}\":\"Control\",",
            r#""ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign","#,
            r#""😀":"Emoji: Grinning Face","#,
            "\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}"
        ),
    );
}

#[test]
fn keys_sort_by_utf_16_and_not_by_code_point() {
    // U+FFFD is one unit, fffd; U+10000 is two, d800 dc00, and comes first.
    canonical(
        r#"{"\ufffd":1,"\ud800\udc00":2,"a":3,"":4}"#,
        "{\"\":4,\"a\":3,\"𐀀\":2,\"\u{fffd}\":1}",
    );
    canonical(
        r#"{"aa":1,"a":2,"a\u0000":3}"#,
        r#"{"a":2,"a\u0000":3,"aa":1}"#,
    );
}

#[test]
fn every_control_character_is_escaped_in_its_one_way() {
    let all: String = (0..0x20u8).map(char::from).collect();
    let written = String::from_utf8(Json::from(&all).to_canonical()).unwrap();
    assert_eq!(
        written,
        concat!(
            r#""\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f"#,
            r#"\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c"#,
            r#"\u001d\u001e\u001f""#
        )
    );
    assert_eq!(
        Json::parse(written.as_bytes()).unwrap().as_str(),
        Some(all.as_str())
    );
    // Nothing else is: not what Go escapes, nor DEL, nor line separators.
    canonical(
        "\"\\u003c\\u003e\\u0026\\u2028\\u007f\\/\"",
        "\"<>&\u{2028}\u{7f}/\"",
    );
}

#[test]
fn strings_are_not_normalised() {
    canonical(
        r#"["e\u0301","\u00e9","\ufb01","\u212b"]"#,
        "[\"e\u{301}\",\"é\",\"\u{fb01}\",\"\u{212b}\"]",
    );
}

#[test]
fn numbers_stay_as_they_are_written() {
    for number in [
        "0",
        "-0",
        "-0.0",
        "1e5",
        "1E+5",
        "1.0",
        "0.10",
        "-12.5e-7",
        "9007199254740993",
        "18446744073709551616",
        "123456789012345678901234567890.5",
        "1e400",
    ] {
        canonical(&format!("[ {number} ]"), &format!("[{number}]"));
    }
    assert_eq!(Json::from(u64::MAX).to_canonical(), b"18446744073709551615");
    assert_eq!(Json::from(i64::MIN).to_canonical(), b"-9223372036854775808");
    assert_eq!(Json::parse(b"1.0").unwrap().as_u64(), None);
    assert_eq!(
        Json::parse(b"18446744073709551615").unwrap().as_u64(),
        Some(u64::MAX)
    );
    assert_eq!(Json::parse(b"18446744073709551616").unwrap().as_u64(), None);
    assert_eq!(Json::parse(b"-3").unwrap().as_i64(), Some(-3));
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    for (input, expected) in [
        (
            "",
            "line 1, column 1: expected a value, found the end of the document",
        ),
        (
            "\u{feff}{}",
            "line 1, column 1: expected a value, found `\\u{feff}`",
        ),
        (
            "{\n  \"é\": 1,\n  \"ü\": tru\n}",
            "line 3, column 8: expected a value, found `t`",
        ),
        ("[1 2]", "line 1, column 4: expected `,` or `]`, found `2`"),
        ("[1,]", "line 1, column 4: expected a value, found `]`"),
        ("{\"a\":1,}", "line 1, column 8: expected a key, found `}`"),
        ("{a:1}", "line 1, column 2: expected a key, found `a`"),
        ("{\"a\" 1}", "line 1, column 6: expected `:`, found `1`"),
        (
            "{\"a\":1 \"b\":2}",
            "line 1, column 8: expected `,` or `}`, found `\"`",
        ),
        (
            "{} x",
            "line 1, column 4: expected the end of the document, found `x`",
        ),
        (
            "{}\0",
            "line 1, column 3: expected the end of the document, found `\\0`",
        ),
        (
            "01",
            "line 1, column 2: expected the end of the document, found `1`",
        ),
        ("+1", "line 1, column 1: expected a value, found `+`"),
        (
            "1.",
            "line 1, column 3: expected a digit, found the end of the document",
        ),
        (".5", "line 1, column 1: expected a value, found `.`"),
        (
            "-",
            "line 1, column 2: expected a digit, found the end of the document",
        ),
        (
            "1e+",
            "line 1, column 4: expected a digit, found the end of the document",
        ),
        ("NaN", "line 1, column 1: expected a value, found `N`"),
        ("'a'", "line 1, column 1: expected a value, found `'`"),
        (
            "\"a",
            "line 1, column 3: expected `\"`, found the end of the document",
        ),
        (
            "\"a\nb\"",
            "line 1, column 3: expected a string without bare control characters, found `\\n`",
        ),
        (
            "\"\\x\"",
            "line 1, column 3: expected one of `\"\\/bfnrtu`, found `x`",
        ),
        (
            "\"\\u12g4\"",
            "line 1, column 6: expected four hex digits, found `g`",
        ),
        (
            "\"\\ud800\"",
            "line 1, column 2: expected a whole surrogate pair, found `\\ud800`",
        ),
        (
            "\"\\ud800\\u0041\"",
            "line 1, column 2: expected a whole surrogate pair, found `\\ud800\\u0041`",
        ),
        (
            "\"\\udc00\\ud800\"",
            "line 1, column 2: expected a whole surrogate pair, found `\\udc00`",
        ),
        ("// c\n{}", "line 1, column 1: expected a value, found `/`"),
    ] {
        refused(input.as_bytes(), expected);
    }
    refused(b"{\"a\":\n\"\xff\"}", "line 2, column 2: not UTF-8");
}

#[test]
fn a_key_that_stands_twice_is_refused_at_every_depth() {
    refused(
        br#"{"layers": [], "x": [{"size": 1, "size": 2}]}"#,
        "line 1, column 34: the key `size` is there twice",
    );
    // However it is escaped.
    refused(
        br#"{"a":1,"\u0061":1}"#,
        "line 1, column 8: the key `a` is there twice",
    );
    canonical(r#"{"a":{"a":1},"A":2}"#, r#"{"A":2,"a":{"a":1}}"#);
}

#[test]
fn limits() {
    let nested = |depth: usize| [vec![b'['; depth], vec![b']'; depth]].concat();
    assert!(Json::parse(&nested(MAX_DEPTH)).is_ok());
    refused(
        &nested(MAX_DEPTH + 1),
        "line 1, column 65: nested deeper than 64 levels",
    );
    // Far deeper than any stack.
    refused(
        &vec![b'['; 8 << 20],
        "line 1, column 65: nested deeper than 64 levels",
    );
    refused(
        &b"{\"a\":".repeat(1 << 20),
        "line 1, column 321: nested deeper than 64 levels",
    );

    let values = |count: usize| format!("[{}0]", "0,".repeat(count - 2)).into_bytes();
    assert!(Json::parse(&values(MAX_VALUES)).is_ok());
    let error = Json::parse(&values(MAX_VALUES + 1)).unwrap_err();
    assert!(matches!(error, ParseError::TooManyValues { .. }), "{error}");

    let limit = usize::try_from(MAX_DOCUMENT_SIZE).unwrap();
    let mut large = vec![b' '; limit];
    large[0] = b'1';
    assert!(Json::parse(&large).is_ok());
    large.push(b' ');
    refused(
        &large,
        "the document has 16777217 bytes: at most 16777216 are read",
    );
}

#[test]
fn an_error_does_not_repeat_a_long_key() {
    let key = "k".repeat(100_000);
    let error = Json::parse(format!(r#"{{"{key}":1,"{key}":2}}"#).as_bytes()).unwrap_err();
    assert!(error.to_string().len() < 200, "{}", error.to_string().len());
}

#[test]
fn serde_writes_the_same_value() {
    let json = Json::parse(br#"{"a":[1,-2,1.5,true,null,"x"],"b":18446744073709551615}"#).unwrap();
    assert_eq!(serde_json::to_vec(&json).unwrap(), json.to_canonical());
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(json in strategies::json()) {
        let bytes = json.to_canonical();
        let again = Json::parse(&bytes).unwrap();
        prop_assert_eq!(&again, &json);
        prop_assert_eq!(again.to_canonical(), bytes);
    }

    /// `serde_json` is the second opinion: both take a text or neither does, but for what is
    /// refused here on purpose.
    #[test]
    fn serde_json_agrees(text in strategies::nearly_json()) {
        let ours = Json::parse(text.as_bytes());
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => {
                // Through its own reading of numbers, which is not exact.
                let ours: serde_json::Value =
                    serde_json::from_slice(&ours.to_canonical()).unwrap();
                prop_assert_eq!(&ours, theirs);
            }
            (Err(ParseError::DuplicateKey { .. }), _) => {}
            // A number beyond a double's range.
            (Ok(_), Err(error)) if error.to_string().starts_with("number out of range") => {}
            _ => prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} / {:?}", ours, theirs),
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Json::parse(&bytes);
    }
}
