//! Finds secrets in texts, however many there are: a run may have a token for each of its jobs.

use std::collections::BTreeSet;
use std::ops::Range;

use memchr::memmem::Finder;

use crate::secret_forms::{Forms, forms_of};

/// Values shorter than this many bytes are not looked for in any text: to replace every "a" would destroy it and hide
/// nothing. URLs and fields that hold one are shown as they were written all the same.
pub(crate) const MIN_LEN: usize = 4;

/// Values shorter than this are not looked for in what servers sent: four digits of a PIN stand in many numbers.
const MIN_LEN_RECEIVED: usize = 8;

/// Up to so many forms are looked for one after the other, which vector instructions make fast. Beyond that a text is gone
/// through once for all of them.
const FEW: usize = 64;

/// How many bits tell whether a form may begin with four bytes: 128 KiB of them.
const START_BITS: u32 = 20;

/// Values, and all forms in which they may stand in a text.
pub(crate) struct SecretTable {
    values: BTreeSet<Box<str>>,
    forms: Vec<SecretForm>,
    search: Search,
    longest: usize,
}

/// A value as it may stand in a text.
struct SecretForm {
    bytes: Box<[u8]>,
    /// Whether it is looked for in what servers sent, too.
    in_received: bool,
    /// Whether it is looked for behind escapes, too.
    is_plain: bool,
}

enum Search {
    /// One for each form.
    Few(Vec<Finder<'static>>),
    /// By the first bytes of forms, in order, with the numbers of the forms.
    Many { may_start: Box<[u64]>, starts: Vec<(u32, u32)> },
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// Whether the text is a server's.
    pub(crate) in_received: bool,
    /// Whether escapes in it were undone.
    pub(crate) is_undone: bool,
}

impl Wanted {
    fn takes(self, form: &SecretForm) -> bool {
        (form.in_received || !self.in_received) && (form.is_plain || !self.is_undone)
    }
}

impl SecretTable {
    pub(crate) fn of(values: BTreeSet<Box<str>>) -> SecretTable {
        let mut forms: Vec<SecretForm> = Vec::new();
        for value in &values {
            let in_received = value.trim().len() >= MIN_LEN_RECEIVED;
            let Forms { plain, escaped } = forms_of(value);
            let all = plain.into_iter().map(|form| (form, true)).chain(escaped.into_iter().map(|form| (form, false)));
            let long = all.filter(|(form, _)| form.len() >= MIN_LEN);
            forms.extend(long.map(|(form, is_plain)| SecretForm { bytes: form.into(), in_received, is_plain }));
        }
        forms.sort_by(|a, b| a.bytes.cmp(&b.bytes));
        // The same text may come of two values; then it is hidden in all places if it is in one of them.
        forms.dedup_by(|next, kept| {
            let is_same = next.bytes == kept.bytes;
            kept.in_received |= is_same && next.in_received;
            kept.is_plain |= is_same && next.is_plain;
            is_same
        });
        let search = if forms.len() <= FEW {
            Search::Few(forms.iter().map(|form| Finder::new(&form.bytes).into_owned()).collect())
        } else {
            Search::many(&forms)
        };
        let longest = forms.iter().map(|form| form.bytes.len()).max().unwrap_or_default();
        SecretTable { values, forms, search, longest }
    }

    pub(crate) fn values(&self) -> &BTreeSet<Box<str>> {
        &self.values
    }

    /// Whether one of the values may stand in a number in more ways than one.
    #[cfg(feature = "report")]
    pub(crate) fn has_numbers(&self) -> bool {
        self.forms.iter().any(|form| form.in_received && form.bytes.iter().all(u8::is_ascii_digit))
    }

    /// Adds the places where one of the forms stands.
    pub(crate) fn find(&self, text: &[u8], wanted: Wanted, places: &mut Vec<Range<usize>>) {
        match &self.search {
            Search::Few(finders) => {
                for (form, finder) in self.forms.iter().zip(finders).filter(|(form, _)| wanted.takes(form)) {
                    places.extend(finder.find_iter(text).map(|at| at..at + form.bytes.len()));
                }
            }
            Search::Many { .. } => {
                for at in 0..text.len().saturating_sub(MIN_LEN - 1) {
                    let rest = &text[at..];
                    let here = self.starting(rest).filter(|form| wanted.takes(form) && rest.starts_with(&form.bytes));
                    places.extend(here.map(|form| at..at + form.bytes.len()));
                }
            }
        }
    }

    /// How many bytes at the end of the text are the beginning of a form that goes on, if they are enough to tell.
    pub(crate) fn cut(&self, text: &str) -> Option<usize> {
        let bytes = text.as_bytes();
        let from = bytes.len().saturating_sub(self.longest);
        (from..bytes.len().saturating_sub(MIN_LEN - 1)).filter(|at| text.is_char_boundary(*at)).find_map(|at| {
            let end = &bytes[at..];
            let goes_on = |form: &SecretForm| form.bytes.len() > end.len() && form.bytes.starts_with(end);
            self.starting(end).any(goes_on).then_some(end.len())
        })
    }

    /// The forms that may begin as these bytes do, of which there are at least four.
    fn starting<'s>(&'s self, bytes: &[u8]) -> impl Iterator<Item = &'s SecretForm> + use<'s> {
        let range = match &self.search {
            Search::Few(_) => 0..self.forms.len(),
            Search::Many { may_start, starts } => {
                let start = start_of(bytes);
                let (word, bit) = place_of(start);
                if may_start[word] & bit == 0 {
                    0..0
                } else {
                    let from = starts.partition_point(|(other, _)| *other < start);
                    let count = starts[from..].iter().take_while(|(other, _)| *other == start).count();
                    // Forms are in the order of their bytes, and so those that begin alike stand together.
                    starts.get(from).map_or(0..0, |(_, number)| *number as usize..*number as usize + count)
                }
            }
        };
        self.forms[range].iter()
    }
}

impl Search {
    fn many(forms: &[SecretForm]) -> Search {
        let mut may_start = vec![0; (1 << START_BITS) / 64].into_boxed_slice();
        let mut starts = Vec::with_capacity(forms.len());
        for (number, form) in forms.iter().enumerate() {
            let start = start_of(&form.bytes);
            let (word, bit) = place_of(start);
            may_start[word] |= bit;
            starts.push((start, number as u32));
        }
        Search::Many { may_start, starts }
    }
}

/// The first four bytes as a number, in whose order texts are, too.
fn start_of(bytes: &[u8]) -> u32 {
    bytes.first_chunk().copied().map_or(0, u32::from_be_bytes)
}

/// Where among the bits it stands.
fn place_of(start: u32) -> (usize, u64) {
    // Knuth's multiplicative hash: the upper bits depend on all of the number.
    let hash = start.wrapping_mul(2_654_435_769) >> (32 - START_BITS);
    (hash as usize / 64, 1 << (hash % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(values: impl IntoIterator<Item = String>) -> SecretTable {
        SecretTable::of(values.into_iter().map(Box::from).collect())
    }

    fn found(table: &SecretTable, text: &str, in_received: bool) -> Vec<String> {
        let mut places = Vec::new();
        table.find(text.as_bytes(), Wanted { in_received, is_undone: false }, &mut places);
        places.sort_by_key(|place| (place.start, place.end));
        places.into_iter().map(|place| text[place].to_owned()).collect()
    }

    /// Of ten thousand tokens each was looked for in each text, and each had forms of 160 KB.
    #[test]
    fn many_values_are_found_as_few_are() {
        let many = |number: u32| format!("token-{:08x}", number.wrapping_mul(2_654_435_769));
        let few = table([many(7), "abcd".to_owned()]);
        let lots = table((0..20_000).map(many).chain(["abcd".to_owned()]));
        assert!(matches!((&few.search, &lots.search), (Search::Few(_), Search::Many { .. })));
        assert!(lots.forms.len() < 20 * 20_000, "{}", lots.forms.len());
        let text = format!("{} abcd {} abc {}x", many(7), many(20_000), &many(7)[..12]);
        for table in [&few, &lots] {
            assert_eq!(found(table, &text, false), [many(7), "abcd".to_owned()]);
            assert_eq!(found(table, &text, true), [many(7)]);
            assert_eq!(found(table, "abc", false), [""; 0]);
            assert_eq!(table.cut(&format!("got {}", &many(7)[..12])), Some(12));
            assert_eq!((table.cut("got tok"), table.cut(""), table.cut("\u{e9}\u{e9}")), (None, None, None));
        }
    }
}
