//! Sockets, waited for.
//!
//! The one module with calls that exist on one kind of host only. Where there is no `poll`, an
//! answer is not looked out for while something is sent.

#[cfg(not(unix))]
pub(super) use portable::Stream;
#[cfg(unix)]
pub(super) use unix::Stream;

/// What happened while something was to be sent.
#[derive(Debug)]
#[cfg_attr(not(unix), expect(dead_code, reason = "nothing is looked out for"))]
pub(super) enum Event {
    /// So many bytes are sent.
    Written(usize),
    /// Something came, and nothing was sent.
    Readable,
}

#[cfg(unix)]
mod unix {
    use std::io::{self, Read, Write};
    use std::net::TcpStream;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::net::UnixStream;
    use std::path::Path;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::Event;

    /// A connection that never blocks but where it is waited for.
    #[derive(Debug)]
    pub(crate) enum Stream {
        Unix(UnixStream),
        Tcp(TcpStream),
    }

    impl Stream {
        pub(crate) fn unix(path: &Path) -> io::Result<Self> {
            let stream = UnixStream::connect(path)?;
            stream.set_nonblocking(true)?;
            Ok(Self::Unix(stream))
        }

        pub(crate) fn tcp(stream: TcpStream) -> io::Result<Self> {
            stream.set_nonblocking(true)?;
            Ok(Self::Tcp(stream))
        }

        /// Sends as much as the peer takes at once. If it `listens`, what comes meanwhile is said
        /// first.
        pub(crate) fn write(
            &mut self,
            bytes: &[u8],
            listens: bool,
            limit: Option<Duration>,
        ) -> io::Result<Event> {
            loop {
                let input = if listens {
                    PollFlags::IN
                } else {
                    PollFlags::empty()
                };
                let ready = self.wait(PollFlags::OUT | input, limit)?;
                if ready.intersects(input) {
                    return Ok(Event::Readable);
                }
                let written = match self {
                    Self::Unix(stream) => stream.write(bytes),
                    Self::Tcp(stream) => stream.write(bytes),
                };
                match written {
                    Err(error) if is_passing(&error) => {}
                    written => return written.map(Event::Written),
                }
            }
        }

        /// Waits for bytes; none is the end.
        pub(crate) fn read(
            &mut self,
            buffer: &mut [u8],
            limit: Option<Duration>,
        ) -> io::Result<usize> {
            loop {
                match self.read_now(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.wait(PollFlags::IN, limit)?;
                    }
                    read => return read,
                }
            }
        }

        /// Takes what is there, or says `WouldBlock`.
        pub(crate) fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            loop {
                let read = match self {
                    Self::Unix(stream) => stream.read(buffer),
                    Self::Tcp(stream) => stream.read(buffer),
                };
                match read {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => return read,
                }
            }
        }

        fn wait(&self, events: PollFlags, limit: Option<Duration>) -> io::Result<PollFlags> {
            // A time that no clock can hold is no limit.
            let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
            let mut all = [PollFd::new(self, events)];
            let count = rustix::io::retry_on_intr(|| poll(&mut all, limit.as_ref()))?;
            if count == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Ok(all[0].revents())
        }
    }

    fn is_passing(error: &io::Error) -> bool {
        use io::ErrorKind::{Interrupted, WouldBlock};
        matches!(error.kind(), Interrupted | WouldBlock)
    }

    impl AsFd for Stream {
        fn as_fd(&self) -> BorrowedFd<'_> {
            match self {
                Self::Unix(stream) => stream.as_fd(),
                Self::Tcp(stream) => stream.as_fd(),
            }
        }
    }
}

#[cfg(not(unix))]
mod portable {
    use std::io::{self, Read, Write};
    use std::net::TcpStream;
    use std::path::Path;
    use std::time::Duration;

    use super::Event;

    /// A connection that blocks.
    #[derive(Debug)]
    pub(crate) struct Stream(TcpStream);

    impl Stream {
        pub(crate) fn unix(_: &Path) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(crate) fn tcp(stream: TcpStream) -> io::Result<Self> {
            Ok(Self(stream))
        }

        pub(crate) fn write(
            &mut self,
            bytes: &[u8],
            _listens: bool,
            limit: Option<Duration>,
        ) -> io::Result<Event> {
            self.0.set_write_timeout(limit)?;
            again(|| self.0.write(bytes)).map(Event::Written)
        }

        pub(crate) fn read(
            &mut self,
            buffer: &mut [u8],
            limit: Option<Duration>,
        ) -> io::Result<usize> {
            self.0.set_read_timeout(limit)?;
            again(|| self.0.read(buffer))
        }

        pub(crate) fn read_now(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }

    /// Once more after an interruption; a time that has run out has one name.
    fn again(mut work: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
        loop {
            match work() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                done => return done,
            }
        }
    }
}
