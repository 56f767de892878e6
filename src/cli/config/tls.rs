//! From flags to TLS: trusted certificates, and the client's own.

use std::path::PathBuf;

use roundup::transport::{Roots, Transport, TransportBuilder};
use roundup::{Error, Kind, Result};

use crate::cli::flags::Flags;
use crate::cli::input;

/// The transport with what the flags say of TLS. Files are read here once, so that errors name the option.
pub(super) fn over(flags: &Flags, mut transport: TransportBuilder) -> Result<TransportBuilder> {
    let roots = flags.choice("roots")?.map(str::parse::<Roots>).transpose()?;
    let cacert = flags.parsed("cacert", |file| {
        input::note(file.as_ref(), "the file of --cacert");
        let roots = Roots::File(file.into());
        Transport::builder().roots(roots.clone()).build().map(|_| roots)
    })?;
    let why = "certificates are trusted from one place";
    let (cacert, roots) = flags.exclusive(("cacert", cacert), ("roots", roots), why)?;
    if let Some(roots) = cacert.or(roots) {
        transport = transport.roots(roots);
    }
    if flags.on("insecure")? {
        transport = transport.danger_accept_invalid_certs(true);
    }
    transport = identity(flags, transport)?;
    if let Some(pins) = flags.parsed("pinnedpubkey", str::parse)? {
        transport = transport.pinned_public_keys(pins);
    }
    if flags.on("keylog")? {
        Transport::builder().danger_key_log(true).build().map_err(|error| prefixed("--keylog", &error))?;
        transport = transport.danger_key_log(true);
        if let Some(file) = std::env::var_os("SSLKEYLOGFILE") {
            input::note(file.as_ref(), "the file of --keylog");
        }
    }
    Ok(transport)
}

/// The client's certificate.
fn identity(flags: &Flags, transport: TransportBuilder) -> Result<TransportBuilder> {
    let with = |builder: TransportBuilder, cert: &str, key: Option<&str>| {
        builder.client_certificate(cert, key.map(PathBuf::from))
    };
    let check = |cert: &str, key: Option<&str>| with(Transport::builder(), cert, key).build().map(drop);
    for (option, file) in [("--cert", flags.one("cert")), ("--key", flags.one("key"))] {
        file.iter().for_each(|file| input::note(file.text.as_ref(), &format!("the file of {option}")));
    }
    match (flags.one("cert"), flags.one("key")) {
        (None, None) => Ok(transport),
        (Some(cert), None) => {
            cert.parse(|file| check(file, None))?;
            Ok(with(transport, &cert.text, None))
        }
        (Some(cert), Some(key)) => {
            check(&cert.text, Some(&key.text)).map_err(|error| prefixed("--cert and --key", &error))?;
            Ok(with(transport, &cert.text, Some(&key.text)))
        }
        (None, Some(key)) => {
            key.parse(|_| Err(Error::new(Kind::Config, "there is no certificate to the key: give it with --cert")))
        }
    }
}

fn prefixed(options: &str, error: &Error) -> Error {
    Error::new(Kind::Config, format!("{options}: {}", error.one_line()))
}
