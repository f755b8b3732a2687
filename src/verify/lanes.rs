//! Fills the lanes of a vector with the signatures of a batch, across tokens and keys.

use crate::keys::LaneJob;
use crate::keys::LaneKernel;
use crate::keys::Width;

/// Filled lanes from which on asking pays: all lanes take as long as one, which is as long as the library takes for one
/// and a half signatures at most (`benches/verify.rs`).
const FILLED_MIN: usize = 2;

/// Signatures on their way into the lanes, each with a name by which it is known again.
pub(super) struct Lanes<'a, N> {
    kernel: LaneKernel,
    /// Those that wait, by the width of their keys.
    waiting: [Vec<(N, LaneJob<'a>)>; Width::ALL.len()],
    accepted: Vec<N>,
}

impl<'a, N: Copy> Lanes<'a, N> {
    pub(super) fn new(kernel: LaneKernel) -> Self {
        Self { kernel, waiting: Default::default(), accepted: Vec::new() }
    }

    /// Lets a signature wait until the lanes are full.
    pub(super) fn offer(&mut self, name: N, job: LaneJob<'a>) {
        let place = Width::ALL.iter().position(|width| *width == job.key.width());
        let Some(waiting) = place.and_then(|place| self.waiting.get_mut(place)) else { return };
        waiting.push((name, job));
        if waiting.len() == self.kernel.lanes() {
            ask(self.kernel, waiting, &mut self.accepted);
        }
    }

    /// The names of those that are good. Of the others nothing is known.
    pub(super) fn accepted(mut self) -> Vec<N> {
        for waiting in &mut self.waiting {
            if waiting.len() >= FILLED_MIN {
                ask(self.kernel, waiting, &mut self.accepted);
            }
        }
        self.accepted
    }
}

fn ask<N: Copy>(kernel: LaneKernel, waiting: &mut Vec<(N, LaneJob<'_>)>, good: &mut Vec<N>) {
    let jobs: Vec<LaneJob<'_>> = waiting.iter().map(|(_, job)| *job).collect();
    let names = waiting.iter().zip(kernel.accepted(&jobs)).filter(|(_, accepted)| *accepted);
    good.extend(names.map(|((name, _), _)| *name));
    waiting.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::algorithm::Algorithm;
    use crate::keys::testing::TestKey;
    use aws_lc_rs::digest::SHA256;
    use aws_lc_rs::digest::digest;

    #[test]
    fn full_and_half_full_lanes_are_asked() {
        let message = b"message";
        let digest: [u8; 32] = digest(&SHA256, message).as_ref().try_into().unwrap();
        let (a, b) = (TestKey::RsaA.prepared(), TestKey::RsaB.prepared());
        let signature = TestKey::RsaA.sign(Algorithm::Rs256, message);
        for kernel in LaneKernel::ALL.into_iter().filter(|kernel| kernel.is_available()) {
            for offered in [0, 1, 2, 5, 8, 9, 10, 19] {
                let mut lanes = Lanes::new(kernel);
                for name in 0..offered {
                    let key = if name % 2 == 0 { &a } else { &b };
                    let key = key.lane_key(Algorithm::Rs256).unwrap();
                    lanes.offer(name, LaneJob { key, digest: &digest, signature: &signature });
                }
                let asked = if offered % kernel.lanes() == 1 { offered - 1 } else { offered };
                let wanted: Vec<usize> = (0..asked).step_by(2).collect();
                assert_eq!(lanes.accepted(), wanted, "{kernel:?}, {offered} offered");
            }
        }
    }
}
