/// The known name that was probably meant: the one with the fewest letters added, left out, changed or swapped, a third of them
/// at most; letters in any case.
pub fn nearest_name<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    // Of one or two letters every other name would be near.
    let most = match wanted.chars().count() {
        0..=2 => 0,
        letters => letters / 3,
    };
    let far = known.into_iter().map(|name| (strsim::damerau_levenshtein(&wanted, &name.to_lowercase()), name));
    far.filter(|(distance, _)| *distance <= most).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_meant_and_what_is_far_is_not() {
        let known = ["batch", "labels", "learning_rate", "cifar10-4000"];
        assert_eq!(nearest_name("bacth", known), Some("batch"));
        assert_eq!(nearest_name("cifar10-400", known), Some("cifar10-4000"));
        assert_eq!(nearest_name("Learning_rte", known), Some("learning_rate"));
        assert_eq!(nearest_name("zzz", known), None);
        assert_eq!(nearest_name("cta", ["dog", "cat"]), Some("cat"));
        assert_eq!(nearest_name("2", ["cat", "dog"]), None);
    }
}
