//! Who a request is made as: the value of its Authorization field.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::error::{Error, Kind, Result};
use crate::http::Field;

/// The value of an Authorization field. Has no `Debug`, so that none can be derived around it.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "it is a credential")]
pub struct Authorization {
    value: String,
    secrets: Vec<String>,
}

impl Authorization {
    /// The field's name.
    pub const FIELD: &'static str = "Authorization";

    /// Basic (RFC 7617) for this name and password.
    ///
    /// # Errors
    /// [`Kind::Config`]: one of them has a control character, or the name a colon. They are not repeated.
    pub fn basic(name: &str, password: &str) -> Result<Authorization> {
        let wrong = |text: &str| Err(Error::new(Kind::Config, text));
        if name.contains(':') {
            return wrong("a name with a colon cannot be sent (RFC 7617, section 2)");
        }
        if name.chars().chain(password.chars()).any(char::is_control) {
            return wrong("a name or password with a control character cannot be sent (RFC 7617, section 2)");
        }
        let pair = BASE64_STANDARD.encode(format!("{name}:{password}"));
        Ok(Authorization { value: format!("Basic {pair}"), secrets: vec![pair, password.to_owned()] })
    }

    /// Basic for `NAME:PASSWORD`.
    ///
    /// # Errors
    /// [`Kind::Config`]: there is no colon, or it cannot be sent. The text is not repeated.
    pub fn user(text: &str) -> Result<Authorization> {
        let (name, password) = text
            .split_once(':')
            .ok_or_else(|| Error::new(Kind::Config, "the password is missing: write NAME:PASSWORD"))?;
        Authorization::basic(name, password)
    }

    /// Bearer (RFC 6750) for this token. Section 2.1 there names fewer characters than services give out.
    ///
    /// # Errors
    /// [`Kind::Config`]: it is not visible ASCII. The text is not repeated.
    pub fn bearer(token: &str) -> Result<Authorization> {
        let token = token.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let text = "a token is visible ASCII without spaces: write it without \"Bearer\"";
            return Err(Error::new(Kind::Config, text));
        }
        Ok(Authorization { value: format!("Bearer {token}"), secrets: vec![token.to_owned()] })
    }

    /// The value of the field.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What must be hidden wherever it could be shown.
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// The field.
    ///
    /// # Errors
    /// Never: base64 and visible ASCII are always a field's value.
    pub fn field(&self) -> Result<Field> {
        Field::new(Authorization::FIELD, &self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_rfcs_and_mistakes_do_not_repeat_them() {
        let user = Authorization::user("Aladdin:open sesame").expect("good");
        assert_eq!(user.value(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(user.secrets(), ["QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "open sesame"]);
        let user = Authorization::user("a:b:c").expect("good");
        assert_eq!(user.secrets()[1], "b:c");
        let bearer = Authorization::bearer(" mF_9.B5f-4.1JqM ").expect("good");
        assert_eq!((bearer.value(), bearer.secrets()), ("Bearer mF_9.B5f-4.1JqM", &["mF_9.B5f-4.1JqM".to_owned()][..]));
        assert_eq!(bearer.field().expect("a field").value(), b"Bearer mF_9.B5f-4.1JqM");
        let errors = [
            Authorization::user("t0ps3cret"),
            Authorization::user("t0ps3cret:\n"),
            Authorization::basic("t0:ps3cret", ""),
            Authorization::bearer("t0ps3cret x"),
            Authorization::bearer(" "),
        ];
        for error in errors {
            let line = error.err().expect("wrong").one_line();
            assert!(!line.contains("t0"), "{line}");
        }
    }
}
