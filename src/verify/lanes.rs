//! Fills the lanes of a vector with the signatures of a batch, across tokens and keys.

use crate::keys::LANES;
use crate::keys::LaneJob;
use crate::keys::Width;
use crate::keys::accepted;

/// Filled lanes from which on asking pays: four lanes take as long as one, which is as long as the library takes for one
/// and a half signatures (`benches/verify.rs`).
const FILLED_MIN: usize = 2;

/// Signatures on their way into the lanes, each with a name by which it is known again.
pub(super) struct Lanes<'a, N> {
    /// Those that wait, by the width of their keys.
    waiting: [Vec<(N, LaneJob<'a>)>; Width::ALL.len()],
    accepted: Vec<N>,
}

impl<'a, N: Copy> Lanes<'a, N> {
    pub(super) fn new() -> Self {
        Self { waiting: Default::default(), accepted: Vec::new() }
    }

    /// Lets a signature wait until the lanes are full.
    pub(super) fn offer(&mut self, name: N, job: LaneJob<'a>) {
        let place = Width::ALL.iter().position(|width| *width == job.key.width());
        let Some(waiting) = place.and_then(|place| self.waiting.get_mut(place)) else { return };
        waiting.push((name, job));
        if waiting.len() == LANES {
            ask(waiting, &mut self.accepted);
        }
    }

    /// The names of those that are good. Of the others nothing is known.
    pub(super) fn accepted(mut self) -> Vec<N> {
        for waiting in &mut self.waiting {
            if waiting.len() >= FILLED_MIN {
                ask(waiting, &mut self.accepted);
            }
        }
        self.accepted
    }
}

fn ask<N: Copy>(waiting: &mut Vec<(N, LaneJob<'_>)>, good: &mut Vec<N>) {
    let mut jobs = [None; LANES];
    for (job, (_, waiting)) in jobs.iter_mut().zip(waiting.iter()) {
        *job = Some(*waiting);
    }
    let names = waiting.iter().zip(accepted(&jobs)).filter(|(_, accepted)| *accepted);
    good.extend(names.map(|((name, _), _)| *name));
    waiting.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::algorithm::Algorithm;
    use crate::keys::lanes_available;
    use crate::keys::testing::TestKey;
    use aws_lc_rs::digest::SHA256;
    use aws_lc_rs::digest::digest;

    #[test]
    fn full_and_half_full_lanes_are_asked() {
        if !lanes_available() {
            return;
        }
        let message = b"message";
        let digest: [u8; 32] = digest(&SHA256, message).as_ref().try_into().unwrap();
        let (a, b) = (TestKey::RsaA.prepared(), TestKey::RsaB.prepared());
        let signature = TestKey::RsaA.sign(Algorithm::Rs256, message);
        for (offered, wanted) in
            [(0, vec![]), (1, vec![]), (2, vec![0]), (5, vec![0, 2]), (8, vec![0, 2, 4, 6])]
        {
            let mut lanes = Lanes::new();
            for name in 0..offered {
                let key = if name % 2 == 0 { &a } else { &b };
                let key = key.lane_key(Algorithm::Rs256).unwrap();
                lanes.offer(name, LaneJob { key, digest: &digest, signature: &signature });
            }
            assert_eq!(lanes.accepted(), wanted, "{offered} offered");
        }
    }
}
