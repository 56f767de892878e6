//! A key that the workers and collectors of a fleet have, and Redis has not: what goes through Redis is sealed with it.
//!
//! Each text has a key of its own, the HMAC-SHA256 of 16 random bytes by the key of the fleet, and is sealed by ChaCha20-Poly1305
//! (RFC 8439) with that. Where it belongs, which is a run and in that a job or an outcome, is authenticated with it, so that it
//! cannot be put in the place of another.

use std::fmt;

use super::connection::Trouble;
use crate::error::{Error, Kind, Result};

/// The fewest bytes of a key.
const SHORTEST: usize = 24;

/// A key that the workers and collectors of a fleet share. Someone who can use the Redis and does not have it can neither read
/// jobs and outcomes nor make new ones, but can repeat, drop and hold up those that are there, and change limits. Plans that
/// take secrets from answers need a key.
#[derive(Clone)]
pub struct FleetKey(sealing::Sealing);

/// Shows no key.
impl fmt::Debug for FleetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FleetKey({})", self.name())
    }
}

impl FleetKey {
    /// The key of these bytes, of which there have to be 24 or more, without blanks and line breaks at their end. They should
    /// be random, because a key that can be guessed can be tried on what is in the Redis.
    ///
    /// # Errors
    /// [`Kind::Config`]: it is too short, or this was built without the feature `tls`, which brings what seals.
    pub fn new(key: &[u8]) -> Result<FleetKey> {
        let key = key.trim_ascii_end();
        if key.len() < SHORTEST {
            let text =
                format!("the key has {} bytes, and needs {SHORTEST} or more: openssl rand -base64 32", key.len());
            return Err(Error::new(Kind::Config, text));
        }
        Ok(FleetKey(sealing::Sealing::new(key)?))
    }

    /// What tells it from other keys, and tells nothing of it.
    pub(super) fn name(&self) -> String {
        self.name_of("the name of the key of a fleet")
    }

    /// What tells a text from others. Without the key it cannot be tried which text it is of, however short that may be.
    ///
    /// The text needs 17 bytes or more: the keys of sealed texts are made in the same way of 16.
    pub(super) fn name_of(&self, text: &str) -> String {
        self.0.mac(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Seals a text, if there is a key. `place` is where it belongs.
pub(super) fn seal(key: Option<&FleetKey>, place: &str, text: String) -> Result<String, Trouble> {
    match key {
        Some(key) => key
            .0
            .seal(place, &text)
            .ok_or_else(|| Trouble::Fatal("gets nothing: this machine gives no random numbers".to_owned())),
        None => Ok(text),
    }
}

/// The text that was sealed for this place, if there is a key.
///
/// # Errors
/// [`Kind::Config`]: it was sealed for another place, or not with this key.
pub(super) fn open(key: Option<&FleetKey>, place: &str, text: String) -> Result<String> {
    match key {
        Some(key) => key
            .0
            .open(place, &text)
            .ok_or_else(|| Error::new(Kind::Config, "it is not sealed with the key of the fleet")),
        None => Ok(text),
    }
}

#[cfg(feature = "tls")]
mod sealing {
    use std::sync::Arc;

    use base64::Engine;
    use base64::prelude::BASE64_STANDARD_NO_PAD as BASE64;
    use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
    use ring::hmac;
    use ring::rand::{SecureRandom, SystemRandom};

    use crate::error::Result;

    /// How many random bytes stand before a sealed text.
    const SALT: usize = 16;

    #[derive(Clone)]
    pub(super) struct Sealing(Arc<hmac::Key>);

    impl Sealing {
        pub(super) fn new(key: &[u8]) -> Result<Sealing> {
            Ok(Sealing(hmac::Key::new(hmac::HMAC_SHA256, key).into()))
        }

        pub(super) fn mac(&self, bytes: &[u8]) -> Vec<u8> {
            hmac::sign(&self.0, bytes).as_ref().to_vec()
        }

        /// The key of one text, which seals nothing else; so its nonce may be 0.
        fn key_of(&self, salt: &[u8]) -> Option<(LessSafeKey, Nonce)> {
            let key = UnboundKey::new(&CHACHA20_POLY1305, &self.mac(salt)).ok()?;
            Some((LessSafeKey::new(key), Nonce::assume_unique_for_key([0; 12])))
        }

        pub(super) fn seal(&self, place: &str, text: &str) -> Option<String> {
            let mut salt = [0; SALT];
            SystemRandom::new().fill(&mut salt).ok()?;
            let (key, nonce) = self.key_of(&salt)?;
            let mut bytes = Vec::with_capacity(SALT + text.len() + CHACHA20_POLY1305.tag_len());
            bytes.extend_from_slice(&salt);
            bytes.extend_from_slice(text.as_bytes());
            let tag = key.seal_in_place_separate_tag(nonce, Aad::from(place), &mut bytes[SALT..]).ok()?;
            bytes.extend_from_slice(tag.as_ref());
            Some(BASE64.encode(bytes))
        }

        pub(super) fn open(&self, place: &str, text: &str) -> Option<String> {
            let mut bytes = BASE64.decode(text).ok()?;
            let (salt, sealed) = bytes.split_at_mut_checked(SALT)?;
            let (key, nonce) = self.key_of(salt)?;
            let text = key.open_in_place(nonce, Aad::from(place), sealed).ok()?;
            std::str::from_utf8(text).ok().map(str::to_owned)
        }
    }
}

#[cfg(not(feature = "tls"))]
mod sealing {
    use crate::error::{Error, Kind, Result};

    /// There is none.
    #[derive(Clone)]
    pub(super) enum Sealing {}

    impl Sealing {
        pub(super) fn new(_key: &[u8]) -> Result<Sealing> {
            let text = "this was built without what seals jobs: the cargo feature `tls` brings it";
            Err(Error::new(Kind::Config, text))
        }

        pub(super) fn mac(&self, _bytes: &[u8]) -> Vec<u8> {
            match *self {}
        }

        pub(super) fn seal(&self, _place: &str, _text: &str) -> Option<String> {
            match *self {}
        }

        pub(super) fn open(&self, _place: &str, _text: &str) -> Option<String> {
            match *self {}
        }
    }
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_place_alone() {
        let key = FleetKey::new(b"a key of twenty-four byte\n").expect("long enough");
        let sealed = seal(Some(&key), "run/job/1", "a text".to_owned()).expect("sealed");
        assert!(!sealed.contains("text"), "{sealed}");
        assert_ne!(seal(Some(&key), "run/job/1", "a text".to_owned()).expect("sealed"), sealed);
        assert_eq!(open(Some(&key), "run/job/1", sealed.clone()).expect("opened"), "a text");
        let other = FleetKey::new(b"another of twenty-four bytes").expect("long enough");
        assert!(open(Some(&other), "run/job/1", sealed.clone()).is_err());
        assert!(open(Some(&key), "run/job/2", sealed.clone()).is_err());
        for broken in [&sealed[1..], &sealed[..sealed.len() - 2], "", "{}", "\u{e9}"] {
            let line = open(Some(&key), "run/job/1", broken.to_owned()).expect_err(broken).one_line();
            assert_eq!(line, "it is not sealed with the key of the fleet");
        }
        assert_ne!(key.name(), other.name());
        assert_eq!(format!("{key:?}"), format!("FleetKey({})", key.name()));
        let line = FleetKey::new(b"short and then blanks      \n").expect_err("short").one_line();
        assert!(line.starts_with("the key has 21 bytes, and needs 24 or more"), "{line}");
    }
}
