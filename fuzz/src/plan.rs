//! Plan files.

use cooperage_plan::{PlanError, PlanFile};

use crate::memory;

pub(crate) fn run(bytes: &[u8]) {
    let limit = (1 << 20) + 1024 * bytes.len();
    let Ok(plan) = memory::within(limit, || PlanFile::parse(bytes)) else {
        return;
    };
    let written = write(&plan);
    let again = PlanFile::parse(written.as_slice());
    let again = again.unwrap_or_else(|error: PlanError| {
        panic!("{error}: {}", String::from_utf8_lossy(&written))
    });
    assert_eq!(
        String::from_utf8_lossy(&write(&again)),
        String::from_utf8_lossy(&written)
    );
}

fn write(plan: &PlanFile) -> Vec<u8> {
    let mut out = Vec::new();
    match plan {
        PlanFile::Plan(plan) => plan.write_to(&mut out),
        PlanFile::Layer(layer) => layer.write_to(&mut out),
    }
    .expect("memory takes everything");
    out
}
