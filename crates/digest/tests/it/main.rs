//! The grammar of digests, and what streams do with right and wrong bytes.

use std::io::{self, Read, Write};

use cooperage_digest::{Algorithm, Digest, Hasher, HashingWriter, VerifyError, VerifyingReader};
use proptest::prelude::*;

const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn check_refused(text: &str, reason: &str) {
    let error = text.parse::<Digest>().expect_err(text).to_string();
    assert!(
        error.contains(reason),
        "`{text}` was refused with `{error}`, expected `{reason}`"
    );
}

#[test]
fn what_is_not_a_digest_is_refused_with_the_reason() {
    check_refused("", "expected `algorithm:encoded`");
    check_refused("sha256", "expected `algorithm:encoded`");
    check_refused("sha256:", "`nothing` may not stand");
    check_refused("sha256:abc", "64 hex digits, found 3");
    check_refused(&EMPTY.to_uppercase(), "lower-case");
    check_refused(&EMPTY.replace('e', "E"), "`E` may not stand");
    check_refused(
        &format!("sha512:{}", &EMPTY[7..]),
        "128 hex digits, found 64",
    );
    check_refused("sha256+:aa", "lower-case letters");
    check_refused(":aa", "lower-case letters");
    check_refused("x:../../etc/passwd", "`.` may not stand");
    check_refused("a/b:cc", "lower-case letters");
    check_refused(&format!("x:{}", "a".repeat(300)), "302 bytes is too long");
}

#[test]
fn unknown_algorithms_are_carried() {
    for text in [
        "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8",
        "b3:a_-=",
    ] {
        let digest: Digest = text.parse().unwrap();
        assert_eq!(
            (digest.to_string().as_str(), digest.algorithm()),
            (text, None)
        );
        let mut reader = VerifyingReader::new(&b"x"[..], digest, 1);
        let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("cannot be verified"), "{error}");
    }
}

#[test]
fn known_values() {
    assert_eq!(Digest::of(b"").as_str(), EMPTY);
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(b"abc");
    assert_eq!(
        hasher.finish().encoded(),
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
         2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
    );
    assert_eq!(Digest::of(b"").short(), "e3b0c44298fc");
    let json = serde_json::to_string(&Digest::of(b"")).unwrap();
    assert_eq!(
        serde_json::from_str::<Digest>(&json).unwrap().as_str(),
        EMPTY
    );
    assert!(serde_json::from_str::<Digest>("\"nonsense\"").is_err());
}

/// Hands out at most `step` bytes a call.
struct Steps<'a>(&'a [u8], usize);

impl Read for Steps<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.1.min(buffer.len());
        self.0.read(&mut buffer[..n])
    }
}

fn verify(bytes: &[u8], digest: Digest, size: u64, step: usize) -> Result<Vec<u8>, VerifyError> {
    let mut out = Vec::new();
    let mut reader = VerifyingReader::new(Steps(bytes, step), digest, size);
    match reader.read_to_end(&mut out) {
        Ok(_) => Ok(out),
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(reader.read(&mut [0; 8]).is_err(), "an error must last");
            let source = error.into_inner().expect("carries its reason");
            Err(*source.downcast::<VerifyError>().expect("a VerifyError"))
        }
    }
}

#[test]
fn the_error_says_expected_actual_and_count() {
    let (right, wrong) = (Digest::of(b"right"), Digest::of(b"wrong"));
    assert_eq!(
        verify(b"wrong", right.clone(), 5, 2),
        Err(VerifyError::Digest {
            expected: right.clone(),
            actual: wrong,
            size: 5
        })
    );
    let short = VerifyError::Size {
        digest: right.clone(),
        expected: 5,
        actual: 3,
    };
    assert_eq!(verify(b"rig", right.clone(), 5, 2), Err(short.clone()));
    assert_eq!(
        short.to_string(),
        format!("expected 5 bytes of {right}, found 3")
    );
    let long = verify(b"right and more", right.clone(), 5, 64).unwrap_err();
    assert_eq!(
        long.to_string(),
        format!("expected 5 bytes of {right}, found at least 6")
    );
}

#[test]
fn a_huge_size_is_not_believed() {
    assert!(verify(b"x", Digest::of(b"x"), u64::MAX, 1).is_err());
}

/// Takes at most three bytes a call, as a pipe may.
struct Short(Vec<u8>);

impl Write for Short {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..bytes.len().min(3)])
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn only_what_was_taken_is_hashed() {
    let mut writer = HashingWriter::new(Short(Vec::new()), Algorithm::Sha256);
    assert_eq!(writer.write(b"abcdef").unwrap(), 3);
    let (inner, digest, size) = writer.finish();
    assert_eq!(
        (inner.0.as_slice(), digest, size),
        (&b"abc"[..], Digest::of(b"abc"), 3)
    );
}

proptest! {
    #[test]
    fn text_round_trips(text in "[a-z0-9]{1,5}([+._-][a-z0-9]{1,4}){0,2}:[a-zA-Z0-9=_-]{1,80}") {
        if let Ok(digest) = text.parse::<Digest>() {
            prop_assert_eq!(digest.to_string(), text);
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC*") {
        let _ = text.parse::<Digest>();
    }

    #[test]
    fn read_sizes_do_not_matter(bytes: Vec<u8>, step in 1usize..70, flip: Option<usize>) {
        let digest = Digest::of(&bytes);
        prop_assert_eq!(verify(&bytes, digest.clone(), bytes.len() as u64, step), Ok(bytes.clone()));
        if let (Some(at), false) = (flip, bytes.is_empty()) {
            let mut other = bytes.clone();
            other[at % bytes.len()] ^= 1;
            prop_assert!(verify(&other, digest, bytes.len() as u64, step).is_err());
        }
    }
}
