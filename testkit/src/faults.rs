//! A proxy that does to a registry's clients what networks, proxies and liars do.
//!
//! It stands in front of a real server, on the loopback interface, and passes on what it is given,
//! but for the requests that its [`Rule`]s name. What it saw and did it tells by [`Proxy::seen`].
//!
//! The same rules do the same to the same requests. Which of several requests that are under way
//! at once comes first is the client's doing.
//!
//! ```
//! use cooperage_testkit::faults::{Fault, On, Proxy, Rule};
//! use cooperage_testkit::http::{self, Reply, Server};
//!
//! let server = Server::start(|_| Reply::new(200).with_body("text/plain", "well"));
//! let once = Rule::once(On::Any, Fault::Status { status: 503, retry_after: None });
//! let proxy = Proxy::start(server.address(), vec![once]);
//! let status = || http::request(proxy.address(), "GET", "/", &[], &[]).map(|it| it.status);
//! assert_eq!((status()?, status()?), (503, 200));
//! # Ok::<(), std::io::Error>(())
//! ```

mod lie;
mod proxy;
mod relay;
mod rule;
mod seeded;

pub use proxy::{Proxy, ProxyOptions, Seen};
pub use rule::{Fault, Link, On, Rule};
pub use seeded::seeded;
