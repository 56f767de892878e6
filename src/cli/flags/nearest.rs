//! Suggestions for words that are not known.

/// The candidate within two edits, or within a third of the word's length if that is more; one of two letters has one wrong
/// at most.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = word.chars().count();
    let limit = (letters / 3).max(2).min(letters.saturating_sub(1));
    let near = candidates.into_iter().map(|candidate| (distance(word, candidate), candidate)).min()?;
    (near.0 <= limit).then_some(near.1)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["timeout", "retries", "get"];
        assert_eq!(nearest("timout", known), Some("timeout"));
        assert_eq!(nearest("retrys", known), Some("retries"));
        assert_eq!(nearest("gte", known), Some("get"));
        assert_eq!(nearest("concurrency", known), None);
        assert_eq!(nearest("me", known), None);
        assert_eq!(nearest("x", []), None);
    }
}
