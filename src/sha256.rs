//! SHA-256 and HMAC by it, the first half of each. With TLS they are ring's, which uses what the processor has for them and
//! takes a tenth of the time; otherwise those of a small crate that needs no other. What they make is the same.

#[cfg(not(feature = "tls"))]
use hmac_sha256::Hash;
#[cfg(feature = "tls")]
use ring::digest;

/// A digest of what comes in parts.
pub(crate) struct Sha256 {
    #[cfg(feature = "tls")]
    parts: digest::Context,
    #[cfg(not(feature = "tls"))]
    parts: Hash,
}

#[cfg(feature = "tls")]
impl Sha256 {
    pub(crate) fn new() -> Sha256 {
        Sha256 { parts: digest::Context::new(&digest::SHA256) }
    }

    pub(crate) fn update(&mut self, part: &[u8]) {
        self.parts.update(part);
    }

    pub(crate) fn finish(self) -> [u8; 16] {
        half(self.parts.finish().as_ref())
    }
}

#[cfg(not(feature = "tls"))]
impl Sha256 {
    pub(crate) fn new() -> Sha256 {
        Sha256 { parts: Hash::new() }
    }

    pub(crate) fn update(&mut self, part: &[u8]) {
        self.parts.update(part);
    }

    pub(crate) fn finish(self) -> [u8; 16] {
        half(&self.parts.finalize())
    }
}

/// A digest that cannot be made without the key.
#[cfg(feature = "state")]
pub(crate) fn keyed(key: &[u8], bytes: &[u8]) -> [u8; 16] {
    #[cfg(feature = "tls")]
    return half(ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key), bytes).as_ref());
    #[cfg(not(feature = "tls"))]
    return half(&hmac_sha256::HMAC::mac(bytes, key));
}

fn half(digest: &[u8]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both are written to files that later versions read, which may be built otherwise.
    #[test]
    fn digests_are_those_of_the_standards() {
        let hex = |digest: [u8; 16]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let mut digest = Sha256::new();
        digest.update(b"a");
        digest.update(b"bc");
        // FIPS 180-2, appendix B.1.
        assert_eq!(hex(digest.finish()), "ba7816bf8f01cfea414140de5dae2223");
        // RFC 4231, test case 2.
        #[cfg(feature = "state")]
        assert_eq!(hex(keyed(b"Jefe", b"what do ya want for nothing?")), "5bdcc146bf60754e6a042426089575c7");
    }
}
