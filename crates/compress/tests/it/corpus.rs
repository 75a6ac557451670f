//! Blocks of every nature, the same on every machine; `tests/features` uses this file too.

/// xorshift64*, so that the corpus stands on nobody's generator.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() >> 56) as u8).collect()
    }
}

/// Words of a made language, the short ones often, with line ends.
fn text(numbers: &mut Numbers, len: usize) -> Vec<u8> {
    let words: Vec<Vec<u8>> = (0..2000)
        .map(|rank| {
            let letters = 2 + numbers.next() as usize % (3 + rank / 200);
            (0..letters)
                .map(|_| b"etaoinshrdlucmfwypvbgkqjxz"[numbers.next() as usize % 26])
                .collect()
        })
        .collect();
    let mut out = Vec::with_capacity(len + 16);
    while out.len() < len {
        let span = 1 << (numbers.next() % 11);
        out.extend_from_slice(&words[numbers.next() as usize % span]);
        out.push(if numbers.next().is_multiple_of(12) {
            b'\n'
        } else {
            b' '
        });
    }
    out.truncate(len);
    out
}

/// Records as machine code and tables have them: some fields count, some repeat, some are random.
fn records(numbers: &mut Numbers, len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len + 32);
    let mut address = 0x0040_1000_u32;
    while out.len() < len {
        address = address.wrapping_add((numbers.next() % 64) as u32 * 4);
        out.extend_from_slice(&[0x48, 0x8b, (numbers.next() % 8) as u8]);
        out.extend_from_slice(&address.to_le_bytes());
        if numbers.next().is_multiple_of(4) {
            out.extend_from_slice(&(numbers.next() as u16).to_be_bytes());
        }
        out.extend_from_slice(&[0xe8, 0, 0, 0, 0, 0x0f, 0x1f, 0x44]);
    }
    out.truncate(len);
    out
}

/// The blocks: 1.6 MB in all.
pub(crate) fn blocks() -> Vec<Vec<u8>> {
    let numbers = &mut Numbers(0x9e37_79b9_7f4a_7c15);
    let far = numbers.bytes(40_000);
    let mixed = (0..12).flat_map(|_| {
        let mut piece = text(numbers, 9_000);
        piece.extend(numbers.bytes(1_000));
        piece
    });
    let mixed = mixed.collect();
    let headers = (0..300).flat_map(|n: u32| {
        let mut header = format!("usr/lib/python3/{}/module_{n:04}.py", n % 7).into_bytes();
        header.resize(100, 0);
        header
            .extend_from_slice(format!("0000644\x000000000\x000000000\x00{n:011o}\x00").as_bytes());
        header.resize(512, 0);
        header
    });
    let headers = headers.collect();
    vec![
        text(numbers, 300_000),
        Vec::new(),
        vec![b'x'],
        numbers.bytes(70_000),
        vec![0; 200_000],
        records(numbers, 500_000),
        // Repeats from beyond the window of DEFLATE, and from within that of zstd.
        [&far[..], &far, &far].concat(),
        mixed,
        headers,
        vec![0, 1],
        text(numbers, 65_536),
        (0..=255).cycle().take(65_537).collect(),
    ]
}
