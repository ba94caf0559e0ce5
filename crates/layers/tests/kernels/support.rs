//! Instruction sets, thread pools, numbers and comparisons.

use std::sync::{Mutex, OnceLock, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};
use slowburn_layers::kernel::isa::{InstructionSet, instruction_set, limit_instruction_set};

const SETS: [InstructionSet; 3] = [InstructionSet::Portable, InstructionSet::Avx2, InstructionSet::Avx512];

/// Numbers of threads of the pools that must give the same bits.
const THREADS: [usize; 5] = [1, 2, 3, 7, 64];

/// The limit is the process's: whoever compares bits holds this lock.
static LIMIT: Mutex<()> = Mutex::new(());

/// Takes the limit away again, after a failure too.
struct Unlimited;

impl Drop for Unlimited {
    fn drop(&mut self) {
        limit_instruction_set(None);
    }
}

/// Runs `f` with each instruction set that this machine has, the widest last.
pub(crate) fn each_instruction_set<E>(mut f: impl FnMut(InstructionSet) -> Result<(), E>) -> Result<(), E> {
    let _held = LIMIT.lock().unwrap_or_else(PoisonError::into_inner);
    let _unlimited = Unlimited;
    for set in SETS {
        limit_instruction_set(Some(set));
        if instruction_set() == set {
            f(set)?;
        }
    }
    Ok(())
}

/// Runs `f` with each instruction set out of any pool and in pools of 1, 2, 3, 7 and 64 threads. Each must give the same
/// bits; `check` gets the first numbers. All pools run with the widest set only, to save time.
pub(crate) fn each_way<const N: usize>(
    f: impl Fn() -> [Vec<f32>; N] + Sync,
    mut check: impl FnMut(InstructionSet, &[Vec<f32>; N]) -> Result<(), String>,
) -> Result<(), String> {
    let widest = widest();
    each_instruction_set(|set| {
        let first = f();
        check(set, &first)?;
        for pool in pools().iter().filter(|pool| set == widest || pool.current_num_threads() == 3) {
            for (index, (a, b)) in first.iter().zip(&pool.install(&f)).enumerate() {
                if let Some(at) = different(a, b) {
                    let threads = pool.current_num_threads();
                    return Err(format!("{set:?}, {threads} threads: other bits in result {index} at {at}"));
                }
            }
        }
        Ok(())
    })
}

/// The widest instruction set that this machine has.
fn widest() -> InstructionSet {
    let mut last = InstructionSet::Portable;
    let found: Result<(), ()> = each_instruction_set(|set| {
        last = set;
        Ok(())
    });
    found.unwrap();
    last
}

fn pools() -> &'static [ThreadPool] {
    static POOLS: OnceLock<Vec<ThreadPool>> = OnceLock::new();
    POOLS.get_or_init(|| {
        THREADS.iter().map(|&threads| ThreadPoolBuilder::new().num_threads(threads).build().unwrap()).collect()
    })
}

/// The first position at which bits differ; a length that differs is one.
fn different(a: &[f32], b: &[f32]) -> Option<usize> {
    if a.len() != b.len() {
        return Some(a.len().min(b.len()));
    }
    a.iter().zip(b).position(|(a, b)| a.to_bits() != b.to_bits())
}

/// SplitMix64 (Steele, Lea and Flood, 2014): seeds that are neighbours give sequences that have nothing in common.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in [−1, 1).
    pub(crate) fn one(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// `n` numbers in [−1, 1).
    pub(crate) fn centred(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.one()).collect()
    }

    /// `n` numbers as a rectifier leaves them: half of them zero, the others in (0, 1).
    pub(crate) fn rectified(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.one().max(0.0)).collect()
    }
}

pub(crate) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// What a kernel finds in the slice that it writes: a number that it leaves alone fails every comparison.
pub(crate) fn unwritten(n: usize) -> Vec<f32> {
    vec![f32::NAN; n]
}

pub(crate) fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| value.abs().max(largest))
}

/// The largest difference as a part of `size`; fails unless it is at most `tolerance`.
pub(crate) fn near(what: &str, found: &[f32], expected: &[f64], size: f64, tolerance: f64) -> Result<f64, String> {
    near_each(what, found, expected, |_| size, tolerance)
}

/// The same where each number has its own size.
pub(crate) fn near_each(
    what: &str,
    found: &[f32],
    expected: &[f64],
    size: impl Fn(usize) -> f64,
    tolerance: f64,
) -> Result<f64, String> {
    if found.len() != expected.len() {
        return Err(format!("{what}: {} numbers instead of {}", found.len(), expected.len()));
    }
    let mut largest = 0.0_f64;
    for (at, (&a, &b)) in found.iter().zip(expected).enumerate() {
        let (difference, size) = ((f64::from(a) - b).abs(), size(at));
        let close = difference <= tolerance * size; // false for NaN
        if !close {
            let part = difference / size;
            return Err(format!("{what}, at {at}: {a} instead of {b}, {part:e} of {size:e}, more than {tolerance:e}"));
        }
        if size > 0.0 {
            largest = largest.max(difference / size);
        }
    }
    Ok(largest)
}
