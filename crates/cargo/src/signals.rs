//! Signals that would end a program in the middle of its work.

/// Has signals end the program in good order: what was there before is there, and no temporary
/// files are left.
///
/// - A write beyond the limit on the size of files (`ulimit -f`) fails with an error that names the
///   file (`SIGXFSZ`).
/// - `SIGHUP`, `SIGINT` and `SIGTERM` have the program's temporary files and directories removed,
///   and then end it as they do without a handler, so that who started it sees which signal it was:
///   a shell makes that 128 and its number. One that is ignored, as `nohup` and a shell's background
///   have it, stays ignored. A layout that was begun may be left behind, without the image.
///
/// For programs; call it once, first. What the program starts is not affected.
pub fn handle() {
    #[cfg(unix)]
    unix::handle();
}

#[cfg(unix)]
mod unix {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    pub(super) fn handle() {
        let seen = std::sync::Arc::default();
        // A handler that does nothing is enough, and unlike an ignored signal it is not handed on
        // to other programs. It can only fail for signals that nobody may handle.
        let _ = signal_hook::flag::register(SIGXFSZ, seen);
        // A thread takes a good part of the time in which a small command is done.
        cooperage_staging::before_the_first(end_in_order);
    }

    fn end_in_order() {
        let ignored = ignored();
        // The first signal has the lowest bit.
        let ends = [SIGHUP, SIGINT, SIGTERM];
        let ends = ends
            .into_iter()
            .filter(|signal| ignored >> (signal - 1) & 1 == 0);
        let Ok(mut signals) = Signals::new(ends) else {
            return;
        };
        // Without another thread signals do what they do without a handler.
        let handle = signals.handle();
        let wait = move || {
            for signal in &mut signals {
                cooperage_staging::abandon();
                let _ = emulate_default_handler(signal);
            }
        };
        let thread = std::thread::Builder::new().name("signals".into());
        if thread.spawn(wait).is_err() {
            handle.close();
        }
    }

    /// The signals that who started this program has it ignore, as bits. Where the system does not
    /// say so in a file, none is.
    fn ignored() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = |line: &str| {
            line.strip_prefix("SigIgn:")
                .map(|set| set.trim().to_owned())
        };
        let set = status.lines().find_map(line);
        let set = set.and_then(|set| u64::from_str_radix(&set, 16).ok());
        set.unwrap_or(0)
    }
}
