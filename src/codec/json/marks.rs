//! The vector pass: where every string of a JSON text ends, found 64 bytes at a time.
//!
//! A reader of JSON needs no more than this, because outside of strings it looks at each byte anyway. The pass knows no
//! grammar: its answer is right for JSON, and whoever uses it meets the first byte that is none.

/// Most strings of a text; a text with more is for the full parser. Bounds the memory of a scratch.
const STRINGS_MAX: usize = 8192;

/// The places where strings end, kept for the next text.
#[derive(Default)]
pub(crate) struct Ends(Vec<u32>);

/// What the pass saw.
#[derive(Clone, Copy)]
pub(crate) struct Marks<'t, 'e> {
    /// The bytes, which are UTF-8.
    pub(crate) text: &'t str,
    /// Place of the closing quote of each string, in order.
    pub(crate) ends: &'e [u32],
    /// True if there is a backslash.
    pub(crate) has_backslash: bool,
    /// True if there is a byte below the space.
    pub(crate) has_control: bool,
}

/// The pass over the bytes of one text: how many strings end, what else was seen.
struct Seen {
    strings: usize,
    has_backslash: bool,
    /// True if every byte is ASCII and no control character.
    is_plain: bool,
}

/// Finds the ends of the strings; `None` for what is no UTF-8, ends inside of a string, or has too many of them.
pub(crate) fn mark<'t, 'e>(vectors: Vectors, bytes: &'t [u8], ends: &'e mut Ends) -> Option<Marks<'t, 'e>> {
    u32::try_from(bytes.len()).ok()?;
    if ends.0.is_empty() {
        ends.0.resize(STRINGS_MAX, 0);
    }
    let seen = vectors.pass(bytes, &mut ends.0)?;
    let (text, has_control) = if seen.is_plain {
        (vectors::ascii(bytes, &seen), false)
    } else {
        (std::str::from_utf8(bytes).ok()?, bytes.iter().any(|byte| *byte < b' '))
    };
    Some(Marks { text, ends: ends.0.get(..seen.strings)?, has_backslash: seen.has_backslash, has_control })
}

pub(crate) use vectors::{Vectors, plain};

#[cfg(target_arch = "x86_64")]
mod vectors {
    #![expect(unsafe_code, reason = "the pass is the cost of reading a line; loads into vectors are unsafe")]

    use super::Seen;
    use std::arch::x86_64::{
        __m256i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8, _mm256_cmpeq_epi8,
        _mm256_cmpgt_epi8, _mm256_loadu_si256, _mm256_min_epi8, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set1_epi8, _mm256_setr_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8,
    };

    /// The proof that this processor has the instructions of the pass.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Vectors(());

    impl Vectors {
        /// `None` on a processor without them.
        pub(crate) fn detect() -> Option<Self> {
            let all = std::is_x86_feature_detected!("avx2")
                && std::is_x86_feature_detected!("pclmulqdq")
                && std::is_x86_feature_detected!("bmi1")
                && std::is_x86_feature_detected!("popcnt");
            all.then_some(Self(()))
        }

        /// The bytes as text, if they are ASCII with neither a NUL nor a backslash.
        #[expect(clippy::unused_self, reason = "a value of this type is the proof that the call is sound")]
        pub(crate) fn unescaped(self, bytes: &[u8]) -> Option<&str> {
            // SAFETY: `detect`, the only maker of a `Vectors`, has seen the features that `is_unescaped` enables. Where it says
            // yes, all bytes are ASCII, which is UTF-8.
            unsafe { is_unescaped(bytes).then(|| std::str::from_utf8_unchecked(bytes)) }
        }

        #[expect(clippy::unused_self, reason = "a value of this type is the proof that the call is sound")]
        pub(super) fn pass(self, bytes: &[u8], ends: &mut [u32]) -> Option<Seen> {
            // SAFETY: `detect`, the only maker of a `Vectors`, has seen the features that `pass` enables.
            unsafe { pass(bytes, ends) }
        }
    }

    /// True if every byte is ASCII and none is a NUL or a backslash.
    #[target_feature(enable = "avx2")]
    fn is_unescaped(bytes: &[u8]) -> bool {
        // For each low half of a byte the byte that has it and is odd, or one that has another low half.
        let table = _mm256_setr_epi8(
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x5c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x5c, 0,
            0, 0,
        );
        let Some(last) = bytes.last_chunk::<32>() else {
            return bytes.iter().all(|byte| matches!(byte, 1..0x80) && *byte != b'\\');
        };
        let mut odd = _mm256_setzero_si256();
        // The last block may overlap the one before.
        for block in bytes.as_chunks::<32>().0.iter().chain([last]) {
            let block = load(block);
            let is_odd = _mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, block), block);
            odd = _mm256_or_si256(odd, _mm256_or_si256(is_odd, block));
        }
        _mm256_movemask_epi8(odd) == 0
    }

    /// The text that the bytes begin with, up to the first byte that is no ASCII, a control character, a quote or a
    /// backslash.
    #[target_feature(enable = "avx2,bmi1")]
    #[inline]
    pub(crate) fn plain(bytes: &[u8]) -> &str {
        let odd = match bytes.first_chunk() {
            Some(first) => odd(first),
            None => 0,
        };
        // Most texts are short.
        let end = if odd == 0 { odd_behind(bytes) } else { bit(odd) };
        match bytes.get(..end) {
            // SAFETY: each byte before that place was compared: they are ASCII, which is UTF-8.
            Some(plain) => unsafe { std::str::from_utf8_unchecked(plain) },
            None => "",
        }
    }

    /// The place of the lowest bit.
    #[target_feature(enable = "bmi1")]
    #[inline]
    #[expect(clippy::as_conversions, reason = "at most 32")]
    fn bit(bits: u32) -> usize {
        bits.trailing_zeros() as usize
    }

    /// The place of the first byte that ends a plain text, wherever it is.
    #[target_feature(enable = "avx2,bmi1")]
    #[inline(never)]
    fn odd_behind(bytes: &[u8]) -> usize {
        let mut place = 0_usize;
        // Ids and traces end soon, tokens do not.
        for chunk in bytes.as_chunks().0.iter().take(2) {
            let odd = odd(chunk);
            if odd != 0 {
                return place.saturating_add(bit(odd));
            }
            place += 32;
        }
        for wide in bytes.get(place..).unwrap_or_default().as_chunks::<128>().0 {
            if !is_plain(wide) {
                break;
            }
            place += 128;
        }
        for chunk in bytes.get(place..).unwrap_or_default().as_chunks().0 {
            let odd = odd(chunk);
            if odd != 0 {
                return place.saturating_add(bit(odd));
            }
            place += 32;
        }
        let rest = bytes.get(place..).unwrap_or_default();
        let is_odd = |byte: &u8| matches!(byte, ..b' ' | 0x80.. | b'"' | b'\\');
        place.saturating_add(rest.iter().position(is_odd).unwrap_or(rest.len()))
    }

    /// A bit for each byte that ends a plain text.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn odd(bytes: &[u8; 32]) -> u32 {
        let bytes = load(bytes);
        // As signed bytes those from 0x80 on are below the space too.
        let is_low = _mm256_cmpgt_epi8(_mm256_set1_epi8(b' '.cast_signed()), bytes);
        _mm256_movemask_epi8(_mm256_or_si256(is_low, marks(bytes))).cast_unsigned()
    }

    /// True if no byte ends a plain text.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn is_plain(bytes: &[u8; 128]) -> bool {
        let space = _mm256_set1_epi8(b' '.cast_signed());
        let (mut lowest, mut odd) = (space, _mm256_setzero_si256());
        for chunk in bytes.as_chunks().0 {
            let bytes = load(chunk);
            lowest = _mm256_min_epi8(lowest, bytes);
            odd = _mm256_or_si256(odd, marks(bytes));
        }
        _mm256_movemask_epi8(_mm256_or_si256(odd, _mm256_cmpgt_epi8(space, lowest))) == 0
    }

    /// The bytes that are a quote or a backslash.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn marks(bytes: __m256i) -> __m256i {
        // For each low half of a byte the mark that has it, or a byte that has another one.
        let table = _mm256_setr_epi8(
            1, 0, 0x22, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x5c, 0, 0, 0, 1, 0, 0x22, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0x5c, 0, 0, 0,
        );
        _mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, bytes), bytes)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn load(bytes: &[u8; 32]) -> __m256i {
        // SAFETY: there are 32 bytes, and this load needs no alignment.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }

    /// The bytes as text.
    pub(super) fn ascii<'t>(bytes: &'t [u8], seen: &Seen) -> &'t str {
        debug_assert!(seen.is_plain && bytes.is_ascii(), "only of these bytes");
        // SAFETY: the pass compared each of these bytes; where `is_plain` is set all of them are ASCII, which is UTF-8.
        unsafe { std::str::from_utf8_unchecked(bytes) }
    }

    /// What goes on from block to block.
    struct Pass {
        /// All ones if the last block ended inside of a string.
        inside: u64,
        /// True if the last block ended with a backslash that escapes the next byte.
        escapes_next: bool,
        strings: usize,
        /// Some byte with its sign where bytes below the space were seen, as bytes from 0x80 are.
        lowest: __m256i,
        has_backslash: bool,
    }

    #[target_feature(enable = "avx2,pclmulqdq,bmi1,popcnt")]
    fn pass(bytes: &[u8], ends: &mut [u32]) -> Option<Seen> {
        let space = _mm256_set1_epi8(b' '.cast_signed());
        let mut pass =
            Pass { inside: 0, escapes_next: false, strings: 0, lowest: space, has_backslash: false };
        let (blocks, rest) = bytes.as_chunks::<64>();
        let mut base = 0_u32;
        for block in blocks {
            pass.block(block, base, ends)?;
            base = base.wrapping_add(64);
        }
        if !rest.is_empty() {
            let mut last = [b' '; 64];
            last.get_mut(..rest.len())?.copy_from_slice(rest);
            pass.block(&last, base, ends)?;
        }
        let is_plain = _mm256_movemask_epi8(_mm256_cmpgt_epi8(space, pass.lowest)) == 0;
        (pass.inside == 0).then_some(Seen {
            strings: pass.strings,
            has_backslash: pass.has_backslash,
            is_plain,
        })
    }

    impl Pass {
        #[target_feature(enable = "avx2,pclmulqdq,bmi1,popcnt")]
        #[inline]
        fn block(&mut self, block: &[u8; 64], base: u32, ends: &mut [u32]) -> Option<()> {
            let (low, high) = halves(block);
            self.lowest = _mm256_min_epi8(self.lowest, _mm256_min_epi8(low, high));
            let quote = _mm256_set1_epi8(b'"'.cast_signed());
            let backslash = _mm256_set1_epi8(b'\\'.cast_signed());
            let (low_escapes, high_escapes) =
                (_mm256_cmpeq_epi8(low, backslash), _mm256_cmpeq_epi8(high, backslash));
            let mut quotes = mask(_mm256_cmpeq_epi8(low, quote), _mm256_cmpeq_epi8(high, quote));
            if self.escapes_next || _mm256_movemask_epi8(_mm256_or_si256(low_escapes, high_escapes)) != 0 {
                self.has_backslash = true;
                quotes &= !self.escaped(mask(low_escapes, high_escapes));
            }
            // Bit n is the parity of the quotes up to n: set from each opening quote to the byte before its closing one.
            let ones = _mm_set1_epi8(-1);
            let parity = _mm_clmulepi64_si128(_mm_set_epi64x(0, quotes.cast_signed()), ones, 0);
            let inside = _mm_cvtsi128_si64(parity).cast_unsigned() ^ self.inside;
            self.inside = (inside.cast_signed() >> 63).cast_unsigned();
            self.note(quotes & !inside, base, ends)
        }

        /// The bytes that a backslash before them escapes.
        #[cold]
        fn escaped(&mut self, mut backslashes: u64) -> u64 {
            let mut escaped = u64::from(self.escapes_next);
            backslashes &= !escaped;
            self.escapes_next = false;
            while backslashes != 0 {
                let first = backslashes & backslashes.wrapping_neg();
                escaped |= first << 1;
                self.escapes_next = first << 1 == 0;
                backslashes &= !(first | first << 1);
            }
            escaped
        }

        /// Writes the places of the bits.
        #[target_feature(enable = "bmi1,popcnt")]
        #[inline]
        fn note(&mut self, mut closing: u64, base: u32, ends: &mut [u32]) -> Option<()> {
            if closing == 0 {
                return Some(());
            }
            // A quote that closes needs one that opens, so a block has 32 of them at most.
            let (few, more) = ends.get_mut(self.strings..self.strings + 32)?.split_first_chunk_mut::<4>()?;
            let count = closing.count_ones();
            // Four at once whether or not there are as many: what is behind the count is overwritten or never read.
            for end in few {
                *end = base.wrapping_add(closing.trailing_zeros());
                closing &= closing.wrapping_sub(1);
            }
            for end in more {
                if closing == 0 {
                    break;
                }
                *end = base.wrapping_add(closing.trailing_zeros());
                closing &= closing.wrapping_sub(1);
            }
            self.strings += usize::try_from(count).ok()?;
            Some(())
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn halves(block: &[u8; 64]) -> (__m256i, __m256i) {
        let start = block.as_ptr();
        // SAFETY: the block has 64 bytes, and these loads need no alignment.
        unsafe { (_mm256_loadu_si256(start.cast()), _mm256_loadu_si256(start.add(32).cast())) }
    }

    /// The sign bits of 64 bytes.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn mask(low: __m256i, high: __m256i) -> u64 {
        let bits = |half| u64::from(_mm256_movemask_epi8(half).cast_unsigned());
        bits(low) | bits(high) << 32
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod vectors {
    use super::Seen;

    /// No value of it exists here.
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Vectors {}

    impl Vectors {
        /// `None`: there is no pass for this processor.
        pub(crate) fn detect() -> Option<Self> {
            None
        }

        pub(super) fn pass(self, _: &[u8], _: &mut [u32]) -> Option<Seen> {
            match self {}
        }

        pub(crate) fn unescaped(self, _: &[u8]) -> Option<&str> {
            match self {}
        }
    }

    /// Never called, as there are no `Vectors`.
    pub(crate) fn plain(_: &[u8]) -> &str {
        ""
    }

    pub(super) fn ascii<'t>(bytes: &'t [u8], _: &Seen) -> &'t str {
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}
