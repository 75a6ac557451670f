//! Docker pulls and runs what we push, and we pull what it pushes.

use cooperage_blob::Memory;
use cooperage_testkit::docker::{self, Store};

use crate::images::runnable;
use crate::support::{blobs, client, options, pull, push, shared};

fn pulls_runs_and_pushes(store: Store) {
    let (Some(docker), Some(registry)) = (docker::shared(store), shared(store.generation())) else {
        return;
    };
    let Some(image) = runnable("from a registry") else {
        return;
    };
    let address = registry.address();
    push(&image, &client(options()), address, "engines/app:1").expect("it takes it");
    let name = format!("{address}/engines/app:1");
    docker
        .client()
        .run(["pull", "--quiet", &name])
        .expect("Docker pulls it");
    let said = docker.run(&name, &[]).expect("Docker runs it");
    assert_eq!(said, "from a registry\n", "{store}");
    let digests = docker.inspect(&name).expect("it is there")["RepoDigests"].to_string();
    assert!(digests.contains(&image.digest()), "{store}: {digests}");

    let pushed = format!("engines/pushed-{store:?}").to_lowercase();
    let goal = format!("{address}/{pushed}:1");
    docker
        .client()
        .run(["tag", &name, &goal])
        .expect("Docker tags it");
    docker
        .client()
        .run(["push", "--quiet", &goal])
        .expect("Docker pushes it");
    let memory = Memory::new();
    let pulled = pull(&client(options()), address, &format!("{pushed}:1"), &memory);
    let pulled = pulled.expect("we pull it");
    let (digest, _) = registry.manifest(&pushed, "1").expect("it was pushed");
    assert_eq!(pulled.digest.to_string(), digest, "{store}");
    assert!(!blobs(&memory, &pulled).is_empty());
    docker.remove_image(&name).expect("it is there");
    docker.remove_image(&goal).expect("it is there");
}

#[test]
fn docker_20_with_the_graph_driver() {
    pulls_runs_and_pushes(Store::Stable);
}

#[test]
fn docker_28_with_the_graph_driver() {
    pulls_runs_and_pushes(Store::ModernGraph);
}

#[test]
fn docker_28_with_the_containerd_store() {
    pulls_runs_and_pushes(Store::ModernContainerd);
}
