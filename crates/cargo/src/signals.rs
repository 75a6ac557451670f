//! Signals that would end a program in the middle of its work.

/// Has a write beyond the limit on the size of files (`ulimit -f`) fail with an error that names
/// the file, instead of ending the program on the spot.
///
/// For programs; call it once, first. What the program starts is not affected.
pub fn report_file_size_limit() {
    #[cfg(unix)]
    {
        let seen = std::sync::Arc::default();
        // A handler that does nothing is enough, and unlike an ignored signal it is not handed on
        // to other programs. It can only fail for signals that nobody may handle.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, seen);
    }
}
