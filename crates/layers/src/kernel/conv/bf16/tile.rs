//! Tiles of a matrix unit: Intel's AMX, whose instructions multiply 16×32 numbers of bf16 by 32×16 and add to 16×16 of f32.
//!
//! A core has eight tiles. Four hold sums, two a pair of left factors, two a pair of right factors, so that four loads
//! feed four products.
#![allow(unsafe_code)] // Rust has no functions for the unit's instructions.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::LazyLock;

/// Rows of a tile, and its columns of f32.
pub(super) const SIDE: usize = 16;

/// Columns of a left factor: terms of a sum that one instruction takes.
pub(super) const TERMS: usize = 32;

/// Numbers of bf16 in a factor.
pub(super) const FACTOR: usize = SIDE * TERMS;

/// Numbers of f32 in the four tiles of sums.
pub(super) const SUMS: usize = 4 * SIDE * SIDE;

/// Whether the processor has the unit, and the system lets this process use it.
pub(crate) fn available() -> bool {
    static AVAILABLE: LazyLock<bool> = LazyLock::new(|| has_unit() && permitted());
    *AVAILABLE
}

fn has_unit() -> bool {
    const BF16: u32 = 1 << 22;
    const TILE: u32 = 1 << 24;
    __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & (BF16 | TILE) == BF16 | TILE
}

/// Asks Linux for the tiles' state, which it saves only for processes that asked, and whether they have it now. On other
/// systems the unit is not used.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn permitted() -> bool {
    const REQUEST: u64 = 0x1023;
    const PERMITTED: u64 = 0x1022;
    const TILE_DATA: u64 = 18;
    let mut permitted = 0u64;
    // SAFETY: the first call changes which state the kernel saves for this process, and no memory of it; the second writes
    // the number that is borrowed.
    unsafe {
        arch_prctl(REQUEST, TILE_DATA) == 0
            && arch_prctl(PERMITTED, &raw mut permitted as u64) == 0
            && permitted & 1 << TILE_DATA != 0
    }
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
fn permitted() -> bool {
    false
}

/// Linux's system call of this name.
///
/// # Safety
///
/// As the call says of its arguments.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
unsafe fn arch_prctl(what: u64, argument: u64) -> i64 {
    const ARCH_PRCTL: i64 = 158;
    let answer: i64;
    // SAFETY: registers are those of Linux's system calls; the rest is the caller's.
    unsafe {
        asm!("syscall", inlateout("rax") ARCH_PRCTL => answer, in("rdi") what, in("rsi") argument,
            out("rcx") _, out("r11") _, options(nostack));
    }
    answer
}

thread_local! {
    /// Whether this thread has its tiles out.
    static HELD: Cell<bool> = const { Cell::new(false) };
}

/// The tiles of this thread, set up for sums of `rows`×16; they are given back on drop. They stay on their thread, which has
/// one of these at a time: no work of rayon's may start while it lives.
// Rust touches tiles for AMX intrinsics alone, which nothing here uses, nor any function that is called meanwhile: what tiles
// hold, and how they are set up, stays from one block of assembly to the next.
pub(super) struct Tiles(PhantomData<*const ()>);

impl Tiles {
    /// `rows` from 1 to 16 of left factors and sums.
    pub(super) fn new(rows: usize) -> Self {
        #[repr(C, align(64))]
        struct Setting([u8; 64]);
        assert!(available() && (1..=SIDE).contains(&rows), "{rows} rows");
        assert!(!HELD.replace(true), "a thread has one set of tiles");
        let mut setting = Setting([0; 64]);
        setting.0[0] = 1;
        for tile in 0..8 {
            setting.0[16 + 2 * tile] = 64;
            setting.0[48 + tile] = if tile < 6 { rows as u8 } else { SIDE as u8 };
        }
        // SAFETY: the unit is there; the setting is one that its manual allows, and 64 bytes of it are read.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const setting, options(nostack, readonly)) };
        Self(PhantomData)
    }

    /// Sums begin at zero.
    #[inline(always)]
    pub(super) fn clear(&mut self) {
        // SAFETY: the tiles are set up while `self` lives.
        unsafe { asm!("tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3", options(nostack, nomem)) };
    }

    /// Sums begin at earlier ones: four of 16×16, one behind the other.
    #[inline(always)]
    pub(super) fn load(&mut self, sums: &[f32; SUMS]) {
        // SAFETY: the tiles are set up, and each reads at most 16 rows of 64 bytes of `sums`.
        unsafe {
            asm!("tileloadd tmm0, [{at} + 1*{row}]", "tileloadd tmm1, [{at} + 1*{row} + 1024]",
                "tileloadd tmm2, [{at} + 1*{row} + 2048]", "tileloadd tmm3, [{at} + 1*{row} + 3072]",
                at = in(reg) sums.as_ptr(), row = in(reg) 64usize, options(nostack, readonly));
        }
    }

    /// Sums begin at earlier ones, where [`store_rows`](Self::store_rows) left them; those of a second half that is not there
    /// at zero.
    ///
    /// # Panics
    ///
    /// As there.
    #[inline(always)]
    pub(super) fn load_rows(&mut self, sums: &[f32], places: [usize; 2], stride: usize, halves: usize) {
        check_rows(sums, places, stride, halves);
        let start = sums.as_ptr();
        // SAFETY: the tiles are set up, and each reads at most 16 rows of 64 bytes, which `check_rows` found in `sums`.
        unsafe {
            let [a, b] = places.map(|at| start.add(at));
            match halves {
                2 => asm!("tileloadd tmm0, [{a} + 1*{row}]", "tileloadd tmm1, [{a} + 1*{row} + 64]",
                    "tileloadd tmm2, [{b} + 1*{row}]", "tileloadd tmm3, [{b} + 1*{row} + 64]",
                    a = in(reg) a, b = in(reg) b, row = in(reg) 4 * stride, options(nostack, readonly)),
                _ => asm!("tileloadd tmm0, [{a} + 1*{row}]", "tilezero tmm1",
                    "tileloadd tmm2, [{b} + 1*{row}]", "tilezero tmm3",
                    a = in(reg) a, b = in(reg) b, row = in(reg) 4 * stride, options(nostack, readonly)),
            }
        }
    }

    /// Adds the products of two left factors with two right ones.
    ///
    /// A left factor is rows of 32, `stride` apart, a right one `[16][16][2]`: pairs of terms lie side by side.
    ///
    /// # Panics
    ///
    /// If a left factor is too short for 16 rows.
    #[inline(always)]
    pub(super) fn multiply(&mut self, left: [&[u16]; 2], stride: usize, right: &[u16; 2 * FACTOR]) {
        let len = (SIDE - 1).saturating_mul(stride).saturating_add(TERMS);
        assert!(left.iter().all(|factor| factor.len() >= len), "a left factor of 16 rows");
        // SAFETY: the tiles are set up, and each reads at most 16 rows of 64 bytes of what is borrowed.
        unsafe {
            asm!("tileloadd tmm4, [{a} + 1*{left}]", "tileloadd tmm5, [{b} + 1*{left}]",
                "tileloadd tmm6, [{c} + 1*{row}]", "tileloadd tmm7, [{c} + 1*{row} + 1024]",
                "tdpbf16ps tmm0, tmm4, tmm6", "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6", "tdpbf16ps tmm3, tmm5, tmm7",
                a = in(reg) left[0].as_ptr(), b = in(reg) left[1].as_ptr(), c = in(reg) right.as_ptr(),
                left = in(reg) 2 * stride, row = in(reg) 64usize, options(nostack, readonly));
        }
    }

    /// Writes four sums, one behind the other.
    #[inline(always)]
    pub(super) fn store(&mut self, sums: &mut [f32; SUMS]) {
        // SAFETY: the tiles are set up, and each writes at most 16 rows of 64 bytes of `sums`.
        unsafe {
            asm!("tilestored [{at} + 1*{row}], tmm0", "tilestored [{at} + 1*{row} + 1024], tmm1",
                "tilestored [{at} + 1*{row} + 2048], tmm2", "tilestored [{at} + 1*{row} + 3072], tmm3",
                at = in(reg) sums.as_mut_ptr(), row = in(reg) 64usize, options(nostack));
        }
    }

    /// Writes the sums of two left factors: each 16 rows of 16 channels or, with two `halves`, 32, `stride` apart.
    ///
    /// # Panics
    ///
    /// If `sums` is too short for them.
    #[inline(always)]
    pub(super) fn store_rows(&mut self, sums: &mut [f32], places: [usize; 2], stride: usize, halves: usize) {
        check_rows(sums, places, stride, halves);
        let start = sums.as_mut_ptr();
        // SAFETY: the tiles are set up, and each writes at most 16 rows of 64 bytes, which `check_rows` found in `sums`.
        unsafe {
            let [a, b] = places.map(|at| start.add(at));
            asm!("tilestored [{a} + 1*{row}], tmm0", "tilestored [{b} + 1*{row}], tmm2",
                a = in(reg) a, b = in(reg) b, row = in(reg) 4 * stride, options(nostack));
            if halves == 2 {
                asm!("tilestored [{a} + 1*{row} + 64], tmm1", "tilestored [{b} + 1*{row} + 64], tmm3",
                    a = in(reg) a, b = in(reg) b, row = in(reg) 4 * stride, options(nostack));
            }
        }
    }
}

fn check_rows(sums: &[f32], places: [usize; 2], stride: usize, halves: usize) {
    let len = (SIDE - 1).saturating_mul(stride).saturating_add(halves * SIDE);
    let fits = places.iter().all(|at| at.saturating_add(len) <= sums.len());
    assert!((1..=2).contains(&halves) && fits, "sums of two left factors");
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: the unit is there.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
        HELD.set(false);
    }
}
