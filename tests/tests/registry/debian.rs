//! A real Debian as a base in a registry: an image is built on it without its layer, pushed beside
//! it, pulled by Docker and run.

use cooperage_blob::{CopyOptions, Root, Sink, copy_blobs};
use cooperage_commit::{Base, Edit, PackOptions, Recipe, Step, form, pack, write};
use cooperage_compress::{Codec, Encoding};
use cooperage_image_spec::Platform;
use cooperage_tarball::{
    Attributes, AttributesFrom, Content, Entry, ScanOptions, Tree, TreePath, scan,
};
use cooperage_testkit::docker::{self, Store};
use cooperage_testkit::faults::Proxy;
use cooperage_testkit::peers;
use cooperage_testkit::registry::{self, Registry};

use crate::support::{client, options, reference, repository, resolve, words};

/// Packs the Debian root into the registry as it is read.
pub(crate) fn push_base(registry: &Registry) -> Option<()> {
    let debian = peers::debian()?;
    let options_of_scan = ScanOptions {
        attributes: AttributesFrom::Host,
        xattrs: true,
        root: true,
        ..ScanOptions::default()
    };
    let tree = scan(&debian.root, &options_of_scan).expect("it can be read");
    let client = client(options());
    let sink = repository(&client, registry.address(), "debian");
    let packing = PackOptions {
        encoding: Encoding::of(Codec::Gzip).with_level(1).expect("a level"),
        ..PackOptions::default()
    };
    let layer = pack(&tree, &packing, &sink).unwrap_or_else(|error| panic!("{}", words(&error)));
    let mut recipe = Recipe::default();
    recipe.steps.push(Step::layer(layer));
    recipe.config.cmd = Edit::Set(vec!["/bin/bash".to_owned()]);
    let image = form(None, &recipe).expect("an image");
    let descriptor = write(&image, &sink).expect("it takes documents");
    let name = reference(registry.address(), "debian:bookworm").to_string();
    sink.publish(&Root::named(name, descriptor))
        .expect("all of it is there");
    Some(())
}

/// A script on the base, packed into the base's registry.
fn push_app(registry: &Registry) {
    // All that is asked of the registry for it.
    let proxy = Proxy::start(registry.address(), Vec::new());
    let client = client(options());
    let source = repository(&client, proxy.address(), "debian");
    let descriptor = resolve(&client, proxy.address(), "debian:bookworm").expect("it is there");
    let base = Base::read(&source, &descriptor, &Platform::linux_amd64()).expect("an image");
    let sink = repository(&client, proxy.address(), "team/app");
    sink.mount_from(&reference(proxy.address(), "debian"));
    let mut tree = Tree::new();
    let script =
        &b"#!/bin/bash\nread -r version </etc/debian_version\necho \"app on $version\"\n"[..];
    let path = TreePath::parse("usr/local/bin/app").expect("a path");
    let entry = Entry::file(Content::bytes(script), Attributes::executable());
    tree.insert(path, entry).expect("the only one");
    let layer = pack(&tree, &PackOptions::default(), &sink).expect("it takes it");
    let mut recipe = Recipe::default();
    recipe.steps.push(Step::layer(layer));
    recipe.config.entrypoint = Edit::Set(vec!["/usr/local/bin/app".to_owned()]);
    let image = form(Some(&base), &recipe).expect("an image");
    let layers = &base.manifest.value().layers;
    let copied = copy_blobs(&source, layers, &sink, &CopyOptions::default());
    assert_eq!(copied.expect("they are mounted").blobs, 0);
    let descriptor = write(&image, &sink).expect("it takes documents");
    let name = reference(proxy.address(), "team/app:1").to_string();
    sink.publish(&Root::named(name, descriptor))
        .expect("all of it is there");
    let bytes: u64 = proxy.seen().iter().map(|it| it.sent + it.received).sum();
    assert!(bytes < 100_000, "{bytes} bytes travelled");
}

#[test]
fn a_debian_in_a_registry_is_built_on_and_runs() {
    let Some(registry) = registry::start(peers::Generation::Stable) else {
        return;
    };
    if push_base(&registry).is_none() {
        return;
    }
    push_app(&registry);
    assert_eq!(registry.missing("team/app", "1"), Vec::<String>::new());
    for store in [Store::Stable, Store::ModernContainerd] {
        let Some(docker) = docker::shared(store) else {
            continue;
        };
        let name = format!("{}/team/app:1", registry.address());
        docker
            .client()
            .run(["pull", "--quiet", &name])
            .expect("Docker pulls it");
        let said = docker.run(&name, &[]).expect("Docker runs it");
        assert!(said.starts_with("app on 12."), "{store}: {said}");
        docker.remove_image(&name).expect("it is there");
    }
}
