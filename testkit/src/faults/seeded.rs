//! Rules that look as if by chance.

use super::rule::{Fault, Link, On, Rule};
use crate::ragged::Numbers;

/// One to four rules that depend on `seed` alone. A client is sent to `elsewhere`, if to anywhere.
///
/// With an even seed each of them passes ([`Fault::passes`]) after three requests at most, so that
/// a client that tries again gets there; with an odd one anything may happen.
#[must_use]
pub fn seeded(seed: u64, elsewhere: &str) -> Vec<Rule> {
    // One more, or neighbouring seeds would begin with neighbouring numbers.
    let mut numbers = Numbers::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let count = 1 + numbers.below(4);
    (0..count)
        .map(|_| {
            let (on, fault) = if seed.is_multiple_of(2) || numbers.below(3) == 0 {
                passing(&mut numbers)
            } else {
                lasting(&mut numbers, elsewhere)
            };
            let times = match numbers.below(8) {
                0 if seed % 2 == 1 => usize::MAX,
                1 if fault != Fault::SessionLost => 2,
                _ => 1,
            };
            let skip = numbers.below(3);
            Rule {
                on,
                skip,
                times,
                fault,
            }
        })
        .collect()
}

/// Where a connection is cut: in the head, soon behind it, or anywhere in a body of some
/// megabytes.
fn place(numbers: &mut Numbers) -> u64 {
    let end = [200, 5_000, 100_000, 3_000_000];
    let end = end[numbers.below(end.len())];
    numbers.below(end) as u64
}

fn passing(numbers: &mut Numbers) -> (On, Fault) {
    const ALL: [On; 11] = [
        On::Any,
        On::Blob,
        On::Blob,
        On::BlobHead,
        On::Manifest,
        On::ManifestHead,
        On::ManifestPut,
        On::Begin,
        On::Upload,
        On::Upload,
        On::Commit,
    ];
    let on = ALL[numbers.below(ALL.len())];
    let fault = match numbers.below(8) {
        0 | 1 => Fault::CutAnswer {
            after: place(numbers),
        },
        2 | 3 => Fault::CutRequest {
            after: place(numbers),
        },
        4 => Fault::Status {
            status: [408, 429, 500, 502, 503, 504][numbers.below(6)],
            retry_after: (numbers.below(2) == 0).then(|| "0".to_owned()),
        },
        5 => Fault::Slow {
            pieces: 1 + numbers.below(8) as u64,
            pause: numbers.below(4) as u64,
        },
        6 => Fault::NoDigest,
        _ => return (On::Upload, Fault::SessionLost),
    };
    (on, fault)
}

fn lasting(numbers: &mut Numbers, elsewhere: &str) -> (On, Fault) {
    let reads = [On::Blob, On::Manifest, On::ManifestHead];
    let read = reads[numbers.below(reads.len())];
    let at = place(numbers);
    let by = if numbers.below(2) == 0 { 1 } else { -1 };
    match numbers.below(10) {
        0 => (read, Fault::FlipAnswer { at }),
        1 => (On::Upload, Fault::FlipRequest { at }),
        2 => {
            let by = by * (1 + i64::try_from(numbers.below(100_000)).unwrap_or(1));
            (read, Fault::Length { by })
        }
        3 => (On::ManifestHead, Fault::OtherDigest),
        4 => (On::Manifest, Fault::OtherDigest),
        5 => (read, Fault::Redirect(elsewhere.to_owned())),
        6 => (On::Blob, Fault::Endless),
        7 => (On::Manifest, Fault::Endless),
        8 => {
            let is_announced = numbers.below(2) == 0;
            let size = 100_000_000;
            (On::Manifest, Fault::Huge { size, is_announced })
        }
        _ => (On::Tags, Fault::Link(Link::Endless)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_decide() {
        let two_hundred = || (0..200).map(|seed| seeded(seed, "elsewhere"));
        assert!(two_hundred().eq(two_hundred()));
        let even: Vec<_> = two_hundred().step_by(2).flatten().collect();
        assert!(
            even.iter()
                .all(|rule| rule.fault.passes() && rule.times <= 2)
        );
        let all: Vec<_> = two_hundred().flatten().map(|rule| rule.fault).collect();
        let has = |is: fn(&Fault) -> bool| all.iter().any(is);
        assert!(has(|it| matches!(it, Fault::CutAnswer { after: 0..100 })));
        assert!(has(|it| matches!(
            it,
            Fault::CutAnswer { after: 100_000.. }
        )));
        assert!(has(|it| matches!(it, Fault::CutRequest { .. })));
        assert!(has(|it| matches!(it, Fault::Status { status: 429, .. })));
        assert!(has(|it| matches!(it, Fault::FlipAnswer { .. })));
        assert!(has(|it| matches!(it, Fault::FlipRequest { .. })));
        assert!(has(|it| matches!(it, Fault::Length { by: ..0 })));
        assert!(has(|it| matches!(it, Fault::Length { by: 1.. })));
        assert!(has(|it| matches!(it, Fault::OtherDigest)));
        assert!(has(|it| matches!(it, Fault::SessionLost)));
        assert!(has(|it| matches!(it, Fault::Redirect(_))));
        assert!(has(|it| matches!(it, Fault::Endless)));
        assert!(has(|it| matches!(it, Fault::Huge { .. })));
    }
}
