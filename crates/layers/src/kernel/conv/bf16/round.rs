//! Numbers of f32 as bf16.

/// The nearest number of bf16, of two the even one. What is not a number stays none.
#[inline(always)]
pub(super) fn round(value: f32) -> u16 {
    let bits = value.to_bits();
    let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    let quiet = bits >> 16 | 0x40;
    (if value.is_nan() { quiet } else { nearest }) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_even_one_and_what_is_no_number_stays_none() {
        for (bits, expected) in [
            (0x3f80_8000, 0x3f80),
            (0x3f81_8000, 0x3f82),
            (0x3f80_8001, 0x3f81),
            (0x8000_0000, 0x8000),
            (f32::MAX.to_bits(), 0x7f80),
            (f32::INFINITY.to_bits(), 0x7f80),
            (f32::NEG_INFINITY.to_bits(), 0xff80),
            (0x7f80_0001, 0x7fc0),
            (0xffff_ffff, 0xffff),
        ] {
            assert_eq!(round(f32::from_bits(bits)), expected, "{bits:x}");
        }
    }
}
