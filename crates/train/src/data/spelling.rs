/// The known name that was probably meant, if one is near.
pub fn nearest_name<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    let scored = known.into_iter().map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name));
    scored.filter(|(score, _)| *score > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
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
    }
}
