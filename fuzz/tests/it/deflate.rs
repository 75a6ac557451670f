//! What the encoder `gzip-2` writes, read by everyone: zlib, libdeflate, igzip and Go's reader, in
//! processes of their own, beside zlib-rs, `miniz_oxide` and the plain program, which the fuzz target
//! `deflate` asks.

use cooperage_compress::MIN_BLOCK_SIZE;
use cooperage_digest::Digest;
use cooperage_fuzz::{encode_deflate, find};
use cooperage_testkit::ragged::Numbers;

use crate::others::{Effort, Others, keep};

/// The longest input, which the readers have room for.
const LONGEST: usize = 1 << 20;

/// Pieces of every nature, copies among them from far and near.
fn input(numbers: &mut Numbers) -> Vec<u8> {
    // Most are short, since the plain program and the slow levels are asked as well.
    let most = match numbers.below(40) {
        0 => LONGEST,
        1..8 => 160 << 10,
        _ => 20 << 10,
    };
    let mut bytes = Vec::new();
    for _ in 0..numbers.below(9) {
        let len = 1 + numbers.below(most);
        match numbers.below(6) {
            0 => bytes.extend(numbers.bytes(len)),
            1 => bytes.extend(numbers.text(len)),
            2 => bytes.extend(numbers.bytes(len).iter().map(|byte| byte & 3)),
            3 => bytes.resize(bytes.len() + len, numbers.bytes(1)[0]),
            4 => {
                let period = numbers.bytes(1 + len % 600);
                bytes.extend(period.iter().cycle().take(len));
            }
            _ if bytes.is_empty() => {}
            _ => {
                // Within the window, at its border, and beyond it.
                let back = match numbers.below(4) {
                    0 => 32_768,
                    1 => 32_766 + numbers.below(6),
                    _ => 1 + numbers.below(bytes.len()),
                };
                let from = bytes.len().saturating_sub(back);
                let to = bytes.len().min(from + 1 + len % 700);
                bytes.extend_from_within(from..to);
            }
        }
    }
    bytes.truncate(most.min(LONGEST));
    bytes
}

#[test]
fn differential_deflate() {
    let directory = tempfile::tempdir().expect("room for a directory");
    let (Some(python), Some(go)) = (Others::start(), Others::start_go(directory.path())) else {
        return;
    };
    let mut others = [python, go];
    let target = find("deflate").expect("there is such a target");
    let effort = Effort::new(400);
    let (mut layers, mut longest) = (0_u64, 0);
    for case in effort.first.. {
        if effort.is_over(case) {
            break;
        }
        let mut numbers = Numbers::new(case);
        let bytes = input(&mut numbers);
        let level = 1 + u8::try_from(case % 9).expect("one of nine");
        let block_size = [1 << 20, MIN_BLOCK_SIZE][usize::from(case % 4 == 3)];
        let layer = encode_deflate(&bytes, level, block_size);
        let digest = Digest::of(&bytes);
        let answers = others
            .iter_mut()
            .flat_map(|others| others.ask(b'd', &layer));
        let mut readers = 0;
        for (reader, answer) in answers {
            assert_eq!(
                answer["digest"],
                digest.encoded(),
                "case {case}, level {level}, by {reader}: {answer}: `{}`",
                keep(&layer)
            );
            readers += 1;
        }
        assert_eq!(readers, 4);
        if bytes.len() <= target.max_len {
            (target.run)(&bytes);
        }
        layers += 1;
        longest = longest.max(bytes.len());
    }
    assert!(longest >= 160 << 10, "only short ones were tried");
    println!("deflate: {layers} layers read as they were by zlib, libdeflate, igzip and Go");
}
