//! An image from scratch that serves.

use std::path::Path;
use std::time::Duration;

use cooperage_testkit::http;

use crate::images::{Image, busybox};
use crate::matrix::{Here as _, Rows, Seen};
use crate::unpackers::Unpacker;

/// What a small service is: the run time, its files, and its program last.
fn service(busybox: &str, port: u16) -> Image {
    let plan = format!(
        r#"{{"layer":{{"name":"system"}}}}
        {{"runtime":"users"}}
        {{"runtime":"nsswitch"}}
        {{"runtime":"tmp"}}
        {{"runtime":"ca-certificates"}}
        {{"layer":{{"name":"site"}}}}
        {{"path":"srv/www/index.html","text":"<p>served from scratch</p>\n"}}
        {{"layer":{{"name":"server"}}}}
        {busybox}"#
    );
    let head = format!(
        r#","config":{{"entrypoint":["/bin/busybox","httpd","-f","-v"],
           "cmd":["-p","127.0.0.1:{port}","-h","/srv/www"],
           "user":"65532:65532","working_dir":"/srv/www","exposed_ports":["{port}/tcp"]}}"#
    )
    .replace('\n', "");
    Image::build("serves", &head, &plan, Path::new(""))
}

fn answers(unpacker: Unpacker) -> Seen {
    let docker = unpacker.docker()?;
    let busybox = busybox().here()?;
    let port = http::free_port();
    let image = service(&busybox, port);
    let names = docker.load(&image.docker_archive()).unwrap();
    let container = docker.run_detached(&[], &names[0], &[]).unwrap();
    let address = format!("127.0.0.1:{port}");
    let get = |path| http::get(&address, path, Duration::from_secs(20));
    let answer = get("/").unwrap_or_else(|error| panic!("{error}\n{}", container.logs()));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, b"<p>served from scratch</p>\n");
    assert_eq!(get("/no-such").unwrap().status, 404);
    // The users are in the image, so the program's user has a name.
    let who = docker
        .client()
        .run(["exec", container.id(), "/bin/busybox", "id"])
        .unwrap();
    assert!(who.starts_with("uid=65532("), "{who}");
    Ok(())
}

pub(crate) fn rows(rows: &mut Rows<Unpacker>) {
    rows.row("from-scratch/a-service-answers-http", answers);
}
