use burn::module::Module;

/// A seed for one step of a run: SplitMix64's output function over both numbers.
pub fn mix(seed: u64, step: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(step).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The module with every parameter initialised: Burn does it when one is first read, from wherever the device's
/// generator is then.
pub fn initialized<M: Module>(module: M) -> M {
    drop(module.clone().into_record());
    module
}
