//! One image in every form of documents and layers, built once for all cells.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use cooperage_daemon_archive::{LayerForm, WriteOptions};
use cooperage_image_spec::Platform;
use cooperage_testkit::peers;

use crate::images::{Image, busybox};
use crate::matrix::{Here as _, Otherwise};
use crate::room::Shared;

/// Whose documents, which codec, and whether there is an index of two platforms.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Form {
    OciNone,
    OciGzip,
    OciZstd,
    DockerNone,
    DockerGzip,
    OciIndex,
    DockerIndex,
}

impl Form {
    /// Every family of media types with every codec that it has a media type for.
    pub(crate) const ALL: [Self; 7] = [
        Self::OciNone,
        Self::OciGzip,
        Self::OciZstd,
        Self::DockerNone,
        Self::DockerGzip,
        Self::OciIndex,
        Self::DockerIndex,
    ];

    /// Docker's documents.
    pub(crate) fn is_docker(self) -> bool {
        matches!(
            self,
            Self::DockerNone | Self::DockerGzip | Self::DockerIndex
        )
    }

    pub(crate) fn is_index(self) -> bool {
        matches!(self, Self::OciIndex | Self::DockerIndex)
    }

    fn media_types(self) -> &'static str {
        if self.is_docker() { "docker" } else { "oci" }
    }

    fn encoder(self) -> &'static str {
        match self {
            Self::OciNone | Self::DockerNone => "none-1",
            Self::OciZstd => "zstd-1",
            _ => "gzip-2",
        }
    }

    /// The image in this form.
    pub(crate) fn image(self) -> Result<Arc<Image>, Otherwise> {
        self.image_for("all")
    }

    /// One whose layers hold the words `purpose`: an engine that has a layer's contents already
    /// does not look at the layer again, however it is stored.
    pub(crate) fn image_for(self, purpose: &str) -> Result<Arc<Image>, Otherwise> {
        static IMAGES: Shared<(Form, String), Arc<Image>> = Shared::new();
        let busybox = busybox().here()?;
        let key = (self, purpose.to_owned());
        Ok(IMAGES.get(key, || Arc::new(build(self, purpose, &busybox))))
    }

    /// How it is written to a docker archive, which holds one platform.
    pub(crate) fn write_options(self) -> WriteOptions {
        let mut options = WriteOptions::default();
        if self.is_index() {
            options.platform = Some(Platform::linux_amd64());
        }
        options
    }

    /// The same with zstd layers as they are.
    pub(crate) fn keeping(self) -> WriteOptions {
        let mut options = self.write_options();
        options.layers = LayerForm::Keep;
        options
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OciNone => "oci-none",
            Self::OciGzip => "oci-gzip",
            Self::OciZstd => "oci-zstd",
            Self::DockerNone => "docker-none",
            Self::DockerGzip => "docker-gzip",
            Self::OciIndex => "oci-index",
            Self::DockerIndex => "docker-index",
        })
    }
}

/// What the image prints when it is run.
pub(crate) const SAYS: &str = "it runs\n";

/// What the run time gives, every kind of entry, a program that is there twice, a removal.
fn build(form: Form, purpose: &str, busybox: &str) -> Image {
    let program = peers::tool("busybox").expect("it was there before");
    let program = program.path().to_str().expect("it has a plain name");
    let encoder = form.encoder();
    let layer = |name: &str| format!(r#"{{"layer":{{"name":"{name}","encoder":"{encoder}"}}}}"#);
    let layers = format!(
        r#"{}
        {{"runtime":"users"}}
        {{"runtime":"nsswitch"}}
        {{"runtime":"tmp"}}
        {{"runtime":"ca-certificates"}}
        {{"path":"srv/old","text":"old"}}
        {{"path":"srv/system","text":"{purpose} {form}"}}
        {}
        {}
        {{"path":"bin/again","file":{program:?},"mode":"0755"}}
        {{"path":"srv/old","whiteout":true}}
        {{"path":"srv/new","text":"new","uid":65532}}
        {{"path":"srv/program","text":"{purpose} {form}"}}
        {busybox}"#,
        layer("system"),
        crate::kinds::lines("cases/kinds"),
        layer("program"),
    );
    let members = format!(
        r#""media_types":"{}","config":{{"cmd":["/bin/busybox","echo","it runs"],"env":{{"A":"b"}},"user":"65532"}}"#,
        form.media_types()
    );
    // An engine takes it under this name, and other cells' images have others.
    let name = form.to_string();
    let names = format!(r#""version":1,"names":["{name}"]"#);
    let text = if form.is_index() {
        let media_types = form.media_types();
        let images = ["linux/amd64", "linux/arm64"].map(|platform| {
            format!("{{\"image\":{{\"platform\":\"{platform}\",{members}}}}}\n{layers}\n")
        });
        format!(
            "{{\"plan\":\"index\",{names},\"media_types\":\"{media_types}\"}}\n{}",
            images.concat()
        )
    } else {
        format!("{{\"plan\":\"image\",{names},{members}}}\n{layers}")
    };
    Image::of_plan(&name, &text, Path::new(""))
}
