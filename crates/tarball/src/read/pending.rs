//! What was said of an entry before its own header.

use super::TarError;
use super::records::Records;

/// What headers before an entry say of it.
#[derive(Default)]
pub(super) struct Pending {
    /// Where the first of them begins.
    pub(super) start: Option<u64>,
    pub(super) records: Option<Records>,
    pub(super) name: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
}

impl Pending {
    pub(super) fn put<T>(
        &mut self,
        offset: u64,
        slot: impl Fn(&mut Self) -> &mut Option<T>,
        value: T,
    ) -> Result<(), TarError> {
        self.start.get_or_insert(offset);
        match slot(self).replace(value) {
            None => Ok(()),
            Some(_) => Err(TarError::SaidTwice { offset }),
        }
    }
}

/// What GNU and PAX say of the same thing: readers differ in whom they believe.
pub(super) fn one_of(
    gnu: Option<Vec<u8>>,
    pax: Option<Vec<u8>>,
    offset: u64,
) -> Result<Option<Vec<u8>>, TarError> {
    match (gnu, pax) {
        (Some(gnu), Some(pax)) if gnu != pax => Err(TarError::SaidTwice { offset }),
        (gnu, pax) => Ok(gnu.or(pax)),
    }
}

pub(super) fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let len = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    bytes.truncate(len);
    bytes
}
