/// Seeds that would go beyond the largest number of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("--seed is {first}: with --seeds {count} it must be at most {}", u64::MAX - (count - 1))]
pub struct SeedError {
    /// The first seed.
    pub first: u64,
    /// How many, at least 1.
    pub count: u64,
}

/// `count` seeds, which is at least 1, from `first` on.
///
/// # Errors
/// [`SeedError`] where the last of them would not be a number of 64 bits.
pub fn seeds(first: u64, count: u64) -> Result<Vec<u64>, SeedError> {
    match first.checked_add(count - 1) {
        Some(last) => Ok((first..=last).collect()),
        None => Err(SeedError { first, count }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_end_with_the_largest_number() {
        assert_eq!(seeds(5, 3), Ok(vec![5, 6, 7]));
        assert_eq!(seeds(u64::MAX, 1), Ok(vec![u64::MAX]));
        let error = seeds(u64::MAX, 3).expect_err("beyond").to_string();
        assert_eq!(error, "--seed is 18446744073709551615: with --seeds 3 it must be at most 18446744073709551613");
    }
}
