//! The rolling kernel, where nearly all the time goes: four digits times a run of digits.
//!
//! For each digit `y[j]` it adds `x[0] y[j] .. x[3] y[j]` to columns `j .. j + 3`. Three columns are in progress between steps and live in
//! registers; a step finishes one, moves two on and begins one. So its four chains do not wait for one another, a `y` is loaded once
//! for four products, and a column is loaded and stored once for four products. A step is 8 multiply-adds, 7 additions, 2 integer
//! additions, 4 moves, 2 loads and 1 store, and needs all 16 registers. It is assembly so that its order and its registers are kept:
//! left to the compiler, it spills.

#![expect(clippy::indexing_slicing, reason = "lengths depend on no input")]

use super::columns::C1;
use super::columns::C2;
use super::columns::CL;
use super::columns::begin;
use super::columns::put;
use super::columns::put_high;
use super::columns::set;
use std::arch::x86_64::{__m256d, __m256i, _mm256_setzero_pd};

/// Columns in progress: the high part below the oldest, then the high and low parts of three neighbours.
pub(super) struct Rolling {
    pub(super) below: __m256d,
    pub(super) high: [__m256d; 3],
    pub(super) low: [__m256d; 3],
}

impl Rolling {
    /// Nothing in progress.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn idle() -> Self {
        Self { below: _mm256_setzero_pd(), high: [set(C1); 3], low: [set(CL); 3] }
    }

    /// Finishes the columns in progress; `columns` begins at the oldest.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn close(&self, columns: &mut [__m256i]) {
        put(&mut columns[0], self.low[0], self.below);
        put(&mut columns[1], self.low[1], self.high[0]);
        put(&mut columns[2], self.low[2], self.high[1]);
        put_high(&mut columns[3], self.high[2]);
    }
}

/// One step, on the digit and the column at byte offset `$at`. The youngest column in progress comes in `$old` and the new one goes out
/// in `$new`. The order was found by measuring: independent columns interleaved, the oldest column's store late.
macro_rules! step {
    ($at:literal, $old:literal, $new:literal) => {
        concat!(
            "vmovapd {y0}, [{y} + ",
            $at,
            "]\n",
            "vmovapd ",
            $new,
            ", {c1}\n",
            "vfmadd231pd ",
            $new,
            ", {x3}, {y0}\n",
            "vpaddq {t}, {hp}, [{c} + ",
            $at,
            "]\n",
            "vmovapd {hp}, {ha}\n",
            "vfmadd231pd {hp}, {x0}, {y0}\n",
            "vsubpd {ha}, {ha}, {hp}\n",
            "vfmadd231pd {ha}, {x0}, {y0}\n",
            "vaddpd {la}, {la}, {ha}\n",
            "vmovapd {ha}, {hb}\n",
            "vfmadd231pd {ha}, {x1}, {y0}\n",
            "vsubpd {hb}, {hb}, {ha}\n",
            "vfmadd231pd {hb}, {x1}, {y0}\n",
            "vpaddq {t}, {t}, {la}\n",
            "vaddpd {la}, {lb}, {hb}\n",
            "vmovapd {hb}, ",
            $old,
            "\n",
            "vfmadd231pd {hb}, {x2}, {y0}\n",
            "vsubpd ",
            $old,
            ", ",
            $old,
            ", {hb}\n",
            "vfmadd231pd ",
            $old,
            ", {x2}, {y0}\n",
            "vmovdqa [{c} + ",
            $at,
            "], {t}\n",
            "vaddpd {lb}, {lc}, ",
            $old,
            "\n",
            "vsubpd {lc}, {c2}, ",
            $new,
            "\n",
            "vfmadd231pd {lc}, {x3}, {y0}\n",
        )
    };
}

/// `$first`, some steps that leave the youngest column in `{hc}`, then four steps as often as `{i}` says.
macro_rules! rolling {
    ($first:expr, $state:ident, $columns:ident, $x:ident, $y:ident, $fours:ident) => {
        std::arch::asm!(
            concat!(
                $first,
                "test {i}, {i}\n",
                "jz 3f\n",
                "2:\n",
                step!(0, "{hc}", "{hn}"),
                step!(32, "{hn}", "{hc}"),
                step!(64, "{hc}", "{hn}"),
                step!(96, "{hn}", "{hc}"),
                "add {y}, 128\n",
                "add {c}, 128\n",
                "dec {i}\n",
                "jnz 2b\n",
                "3:\n",
            ),
            i = inout(reg) $fours => _,
            c = inout(reg) $columns.as_mut_ptr() => _,
            y = inout(reg) $y.as_ptr() => _,
            x0 = in(ymm_reg) $x[0],
            x1 = in(ymm_reg) $x[1],
            x2 = in(ymm_reg) $x[2],
            x3 = in(ymm_reg) $x[3],
            c1 = in(ymm_reg) set(C1),
            c2 = in(ymm_reg) set(C2),
            hp = inout(ymm_reg) $state.below,
            ha = inout(ymm_reg) $state.high[0],
            hb = inout(ymm_reg) $state.high[1],
            hc = inout(ymm_reg) $state.high[2],
            la = inout(ymm_reg) $state.low[0],
            lb = inout(ymm_reg) $state.low[1],
            lc = inout(ymm_reg) $state.low[2],
            hn = out(ymm_reg) _,
            y0 = out(ymm_reg) _,
            t = out(ymm_reg) _,
            options(nostack),
        )
    };
}

/// Adds `x[r] y[j]` to column `j + r`; as many columns are finished as `y` has digits: one or two more than a multiple of four.
///
/// # Panics
///
/// If there are fewer columns than digits, or another number of them.
#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "earned: 2.5 times the library, `benches/verify.rs`")]
pub(super) fn roll(state: &mut Rolling, columns: &mut [__m256i], x: &[__m256d; 4], y: &[__m256d]) {
    assert!(columns.len() >= y.len() && matches!(y.len() % 4, 1 | 2), "a run of another length");
    let fours = y.len() / 4;
    // SAFETY: AVX2 and FMA are on. `y` is read and `columns` read and written at `y.len()` aligned vectors from their beginnings,
    // `y.len() % 4` by the first steps and four each time round; both are that long, as was just asserted. Nothing else is touched
    // but the named registers and the flags.
    if y.len() % 4 == 1 {
        unsafe {
            rolling!(
                concat!(step!(0, "{hc}", "{hn}"), "vmovapd {hc}, {hn}\nadd {y}, 32\nadd {c}, 32\n"),
                state,
                columns,
                x,
                y,
                fours
            );
        }
    } else {
        unsafe {
            rolling!(
                concat!(step!(0, "{hc}", "{hn}"), step!(32, "{hn}", "{hc}"), "add {y}, 64\nadd {c}, 64\n"),
                state,
                columns,
                x,
                y,
                fours
            );
        }
    }
}

/// A block: four rows, `x` times all of `y`.
#[inline(never)]
#[target_feature(enable = "avx2,fma")]
pub(super) fn block<const D: usize>(columns: &mut [__m256i], x: &[__m256d; 4], y: &[__m256d; D]) {
    let mut state = Rolling::idle();
    roll(&mut state, &mut columns[..D], x, y);
    state.close(&mut columns[D..D + 4]);
}

/// One row, `x` times all of `y`.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn row<const D: usize>(columns: &mut [__m256i], x: __m256d, y: &[__m256d; D]) {
    let mut below = _mm256_setzero_pd();
    for (column, y) in columns[..D].iter_mut().zip(y) {
        let (high, low) = begin(x, *y);
        put(column, low, below);
        below = high;
    }
    put_high(&mut columns[D], below);
}
