//! The certificate authorities that Mozilla trusts, as one PEM file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Where programs of most distributions look for the bundle; the others get links to it.
pub const CA_BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";

/// Further names of the bundle, and where each leads: OpenSSL's own default, Fedora's and Alpine's.
pub const CA_BUNDLE_LINKS: [(&str, &str); 2] = [
    (
        "etc/pki/tls/certs/ca-bundle.crt",
        "../../../ssl/certs/ca-certificates.crt",
    ),
    ("etc/ssl/cert.pem", "certs/ca-certificates.crt"),
];

/// The bundle: PEM, each certificate after a comment with its name, sorted by that name.
///
/// It depends on nothing but the version of `webpki-root-certs`.
#[must_use]
pub fn ca_bundle() -> String {
    let mut certificates: Vec<(String, &[u8])> = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|certificate| (label(certificate), certificate.as_ref()))
        .collect();
    certificates.sort();
    certificates.dedup();
    let mut text = String::new();
    for (label, certificate) in certificates {
        text.push_str("# ");
        text.push_str(&label);
        text.push_str("\n-----BEGIN CERTIFICATE-----\n");
        let encoded = STANDARD.encode(certificate);
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(64));
            text.push_str(line);
            text.push('\n');
            rest = after;
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

/// The subject's common name, else its unit or organisation, in printable ASCII.
fn label(certificate: &[u8]) -> String {
    let subject = subject(certificate).unwrap_or_default();
    // Object identifiers 2.5.4.3, 2.5.4.11 and 2.5.4.10.
    let name = [3, 11, 10]
        .into_iter()
        .find_map(|kind| attribute(subject, kind));
    let name = name.map_or_else(
        || "unnamed".to_owned(),
        |name| String::from_utf8_lossy(name).into_owned(),
    );
    name.chars()
        .map(|c| {
            if c == ' ' || c.is_ascii_graphic() {
                c
            } else {
                '?'
            }
        })
        .collect()
}

/// The subject of an X.509 certificate (RFC 5280, 4.1): the sixth field, after an optional version.
fn subject(certificate: &[u8]) -> Option<&[u8]> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    let (tag, _, rest) = element(fields)?;
    if tag == 0xa0 {
        fields = rest;
    }
    // Serial number, signature algorithm, issuer, validity.
    for _ in 0..4 {
        fields = element(fields)?.2;
    }
    Some(element(fields)?.1)
}

/// The last value of attribute 2.5.4.`kind` in a name: sets of sequences of identifier and value.
fn attribute(mut name: &[u8], kind: u8) -> Option<&[u8]> {
    let mut found = None;
    while let Some((_, set, rest)) = element(name) {
        name = rest;
        let pair = element(set).and_then(|(_, pair, _)| element(pair));
        if let Some((_, identifier, value)) = pair
            && identifier == [0x55, 4, kind]
        {
            found = element(value).map(|(_, value, _)| value);
        }
    }
    found
}

/// Splits DER into the tag and content of its first element, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut len = usize::from(first);
    if first >= 0x80 {
        let (bytes, after) = rest.split_at_checked(usize::from(first & 0x7f).min(4))?;
        len = bytes
            .iter()
            .fold(0, |len, byte| (len << 8) | usize::from(*byte));
        rest = after;
    }
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        let bundle = ca_bundle();
        assert!(bundle.is_ascii());
        assert!(
            bundle.contains("\n# ISRG Root X1\n-----BEGIN CERTIFICATE-----\n"),
            "{bundle}"
        );
        assert!(!bundle.contains("# unnamed"), "{bundle}");
        let count = webpki_root_certs::TLS_SERVER_ROOT_CERTS.len();
        assert_eq!(bundle.matches("-----BEGIN").count(), count);
    }

    #[test]
    fn cut_certificates_have_no_name() {
        let certificate: &[u8] = &webpki_root_certs::TLS_SERVER_ROOT_CERTS[0];
        for len in 0..certificate.len().min(200) {
            label(&certificate[..len]);
        }
        assert_eq!(label(b"\x30\xff\xff"), "unnamed");
    }
}
