//! Reading on one thread while another hashes and writes.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// The length of a buffer, in bytes.
pub(crate) const BUFFER: usize = 256 << 10;
/// How many buffers there are: one is filled, one is emptied, and as many wait as the thread that
/// fills or empties them may stand still for. With three, a pull of a large layer takes 9 % longer.
const BUFFERS: usize = 6;

/// A buffer, and how many bytes of it count.
type Filled = (Vec<u8>, usize);

/// Hands all that `reader` gives to `take`, in order, at most 256 KiB at a time; meanwhile what
/// comes next is read on a thread of its own.
///
/// Ends with the first error of either: the outer one is the reader's. What was read before that
/// is taken first.
pub(crate) fn pump<E>(
    reader: &mut (dyn Read + Send),
    take: &mut dyn FnMut(&[u8]) -> Result<(), E>,
) -> io::Result<Result<(), E>> {
    let (full, filled) = sync_channel(BUFFERS);
    let (empty, emptied) = channel();
    thread::scope(move |scope| {
        let read = move || fill(reader, &emptied, &full);
        thread::Builder::new().spawn_scoped(scope, read)?;
        drain(&filled, &empty, take)
        // Here both ends are dropped, which ends the thread at its next buffer.
    })
}

fn fill(
    reader: &mut (dyn Read + Send),
    emptied: &Receiver<Vec<u8>>,
    full: &SyncSender<io::Result<Filled>>,
) {
    for mut buffer in emptied {
        let mut length = 0;
        while length < buffer.len() {
            match reader.read(&mut buffer[length..]) {
                Ok(0) => {
                    let _ = full.send(Ok((buffer, length)));
                    return;
                }
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let _ = full.send(Ok((buffer, length)));
                    let _ = full.send(Err(error));
                    return;
                }
            }
        }
        if full.send(Ok((buffer, length))).is_err() {
            return;
        }
    }
}

fn drain<E>(
    filled: &Receiver<io::Result<Filled>>,
    empty: &Sender<Vec<u8>>,
    take: &mut dyn FnMut(&[u8]) -> Result<(), E>,
) -> io::Result<Result<(), E>> {
    for _ in 0..BUFFERS {
        let _ = empty.send(vec![0; BUFFER]);
    }
    for message in filled {
        let (buffer, length) = message?;
        if let Err(error) = take(&buffer[..length]) {
            return Ok(Err(error));
        }
        // Nobody wants it any more once all was read.
        let _ = empty.send(buffer);
    }
    Ok(Ok(()))
}
