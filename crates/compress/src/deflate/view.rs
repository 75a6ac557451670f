//! Bytes at any position, without a check that it is one.

/// How many positions there are in a [`View`].
pub(super) const SPAN: usize = 1 << 17;

/// Part of a piece. Its length is known when this is compiled, and a power of two, so that an index
/// needs to be cut but not to be checked.
pub(super) type View = [u8; SPAN + 8];

#[inline(always)]
pub(super) fn load8(view: &View, at: usize) -> u64 {
    let bytes = view[at & (SPAN - 1)..].first_chunk();
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[inline(always)]
pub(super) fn load4(view: &View, at: usize) -> u32 {
    let bytes = view[at & (SPAN - 1)..].first_chunk();
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

#[inline(always)]
pub(super) fn byte(view: &View, at: usize) -> u8 {
    view[at & (SPAN - 1)]
}

/// How many of the first bytes are the same.
#[inline(always)]
pub(super) const fn same(one: u64, other: u64) -> usize {
    ((one ^ other).trailing_zeros() >> 3) as usize
}

/// How many bytes at `at` and `before` are the same, up to `most`, of which eight are.
#[inline(always)]
pub(super) fn extend(view: &View, before: usize, at: usize, most: usize) -> usize {
    let mut length = 8;
    while length < most {
        let here = same(load8(view, before + length), load8(view, at + length));
        if here < 8 {
            return (length + here).min(most);
        }
        length += 8;
    }
    most
}
