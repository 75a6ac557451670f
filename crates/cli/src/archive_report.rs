//! What became of images in an archive.

use std::fmt::Write as _;

use cooperage_daemon_archive::{Detail, Report, WrittenImage};
use serde_json::{Value, json};

use crate::text::printable;

/// Lines about what is not in the archive as it was.
pub(crate) fn text(report: &Report) -> String {
    let mut out = String::new();
    for image in &report.images {
        for layer in &image.recompressed {
            let (from, to) = (&layer.from, &layer.to);
            let _ = writeln!(
                out,
                "  recompressed to gzip: layer {} is {} there",
                from.digest, to.digest
            );
        }
        if image.manifest.digest != image.source.digest && !image.recompressed.is_empty() {
            let _ = writeln!(
                out,
                "  the manifest is {} there; the image ID stays {}",
                image.manifest.digest, image.config_digest
            );
        }
        for detail in &image.dropped {
            let _ = writeln!(out, "  dropped: {}", printable(&detail.to_string()));
        }
        for detail in &image.oci_only {
            let text = printable(&detail.to_string());
            let _ = writeln!(out, "  not seen by readers of manifest.json: {text}");
        }
    }
    out
}

pub(crate) fn json(report: &Report) -> Value {
    json!({
        "size": report.size,
        "images": report.images.iter().map(image).collect::<Vec<_>>(),
    })
}

fn image(image: &WrittenImage) -> Value {
    let details =
        |details: &[Detail]| -> Vec<String> { details.iter().map(ToString::to_string).collect() };
    let recompressed: Vec<Value> = image
        .recompressed
        .iter()
        .map(|layer| json!({"from": layer.from.digest.as_str(), "to": layer.to.digest.as_str()}))
        .collect();
    json!({
        "names": image.names,
        "source": image.source.digest.as_str(),
        "manifest": image.manifest.digest.as_str(),
        "config_digest": image.config_digest.as_str(),
        "recompressed": recompressed,
        "dropped": details(&image.dropped),
        "oci_only": details(&image.oci_only),
    })
}
