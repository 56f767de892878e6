//! The Link field (RFC 8288).

/// The target of the first link whose relation is `next`, as it stands in the field. Links that cannot be read end the
/// search: what follows them cannot be told apart.
pub(crate) fn next_link(value: &str) -> Option<&str> {
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        let (target, parameters) = rest.strip_prefix('<')?.split_once('>')?;
        let (relation, after) = relation(parameters);
        // A relation is a list of words, parted by blanks (section 3.3).
        if relation
            .is_some_and(|relation| relation.split_ascii_whitespace().any(|one| one.eq_ignore_ascii_case("next")))
        {
            return Some(target.trim());
        }
        rest = after;
    }
}

/// The `rel` among the parameters of a link, and what follows the link. Of several only the first counts.
fn relation(mut rest: &str) -> (Option<&str>, &str) {
    let mut found = None;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        let Some(parameter) = rest.strip_prefix(';') else { return (found, rest) };
        let parameter = parameter.trim_start_matches([' ', '\t']);
        let name_len = parameter.find(|c: char| !is_token(c)).unwrap_or(parameter.len());
        let (name, after) = parameter.split_at(name_len);
        let after_blanks = after.trim_start_matches([' ', '\t']);
        let (value, after) = match after_blanks.strip_prefix('=') {
            Some(value) => parameter_value(value.trim_start_matches([' ', '\t'])),
            None => ("", after),
        };
        if name.eq_ignore_ascii_case("rel") {
            found = found.or(Some(value));
        }
        if after.len() == rest.len() {
            return (found, "");
        }
        rest = after;
    }
}

/// A token or a quoted string, and what follows it.
fn parameter_value(text: &str) -> (&str, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        // Servers send relations that are URLs without quotes.
        return text.split_at(text.find([';', ',']).unwrap_or(text.len()));
    };
    let mut escaped = false;
    for (at, c) in quoted.char_indices() {
        match c {
            '"' if !escaped => return (&quoted[..at], &quoted[at + 1..]),
            _ => escaped = c == '\\' && !escaped,
        }
    }
    (quoted, "")
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_link_is_found() {
        for (value, target) in [
            ("<https://a/?page=2>; rel=\"next\", <https://a/?page=9>; rel=\"last\"", Some("https://a/?page=2")),
            ("<https://a/?q=1,2>; rel=\"first\", </b>; rel=next", Some("/b")),
            ("</b>;rel=\"prev next\"", Some("/b")),
            ("</a>; title=\"x, <y>; rel=next\", </b> ; REL = NEXT ; x", Some("/b")),
            ("</a>; rel=last; rel=next", None),
            ("</a>; title=\"\\\"; rel=next\"", None),
            (",, </c>;;rel=next", Some("/c")),
            ("</a>", None),
            ("", None),
            ("a; rel=next", None),
            ("</a; rel=next", None),
            ("</a>; rel=\"next", Some("/a")),
        ] {
            assert_eq!(next_link(value), target, "{value}");
        }
    }
}
