//! Medians, and ratios pair by pair.

use serde::Serialize;

use super::measure::Sample;

/// What one tool took for one workload, run after run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) tool: String,
    pub(super) version: String,
    pub(super) is_ours: bool,
    pub(super) runs: Vec<Sample>,
}

/// How many times as fast one tool is as another.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Ratio {
    pub(super) wall: f64,
    pub(super) cpu: f64,
    pub(super) size: f64,
}

/// A number of bytes or files as one to reckon with.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to nine petabytes, and shown in megabytes"
)]
pub(super) fn count(number: u64) -> f64 {
    number as f64
}

/// The middle one; of an even number, the mean of the middle two.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        even if even % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

impl Row {
    /// The median of one figure.
    pub(super) fn median(&self, figure: impl Fn(&Sample) -> f64) -> f64 {
        median(self.runs.iter().map(figure).collect())
    }

    /// What `other` took over what this one took, as the median of the ratios in each round: what
    /// disturbs a round disturbs both.
    pub(super) fn against(&self, other: &Self) -> Ratio {
        let ratio = |figure: fn(&Sample) -> f64| {
            let pairs = self.runs.iter().zip(&other.runs);
            median(
                pairs
                    .map(|(ours, theirs)| figure(theirs) / figure(ours))
                    .collect(),
            )
        };
        Ratio {
            wall: ratio(|sample| sample.wall),
            cpu: ratio(|sample| sample.cpu),
            size: ratio(|sample| count(sample.size)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        let check = |values: &[f64], expect: f64| {
            assert!(
                (median(values.to_vec()) - expect).abs() < 1e-9,
                "{values:?}"
            );
        };
        check(&[3.0], 3.0);
        check(&[9.0, 1.0, 2.0], 2.0);
        check(&[4.0, 1.0, 2.0, 9.0], 3.0);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn ratios_are_taken_in_each_round() {
        let row = |walls: &[f64]| Row {
            tool: String::new(),
            version: String::new(),
            is_ours: false,
            runs: walls
                .iter()
                .map(|wall| Sample {
                    wall: *wall,
                    cpu: *wall,
                    system: 0.0,
                    memory: 1,
                    size: 1,
                })
                .collect(),
        };
        // The second round was slow for both.
        let ratio = row(&[1.0, 10.0, 1.0]).against(&row(&[2.0, 20.0, 2.0]));
        assert!((ratio.wall - 2.0).abs() < 1e-9);
    }
}
