//! The keys of a job that say how its connections are made: `proxy`, `cacert`, `cert`, `cert_key`, `insecure`.

use std::path::PathBuf;

use super::node_reader::{NodeReader, Place, TableEntry};
use super::template::Show;
use crate::proxy_url::ProxyUrl;
use crate::settings::SettingsPatch;

/// Reads an entry, if its key is one of these. Files are read once here, so that errors say where they are named.
pub(super) fn read(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>, patch: &mut SettingsPatch) -> bool {
    match entry.key {
        "proxy" => patch.proxy = read_proxy(reader, entry),
        "cacert" => {
            patch.cacert = read_file(reader, entry, "ca.pem");
            if let Some(file) = &patch.cacert {
                check::roots(file).unwrap_or_else(|message| reader.error(&entry.place, message));
            }
        }
        "cert" => {
            patch.cert = read_file(reader, entry, "client.pem");
            check_identity(reader, &entry.place, patch);
        }
        "cert_key" => {
            patch.cert_key = read_file(reader, entry, "client.key");
            check_identity(reader, &entry.place, patch);
        }
        "insecure" => {
            patch.insecure = reader.boolean(&entry.place, entry.node);
            if patch.insecure == Some(true) {
                check::insecure().unwrap_or_else(|message| reader.error(&entry.place, message));
            }
        }
        _ => return false,
    }
    true
}

fn read_proxy(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> Option<ProxyUrl> {
    let form = "a proxy such as \"http://proxy.example.com:3128\"";
    let proxy = reader.string(&entry.place, entry.node, form)?;
    if !reader.check_names(&entry.place, &proxy, &[]) {
        return None;
    }
    let proxy = ProxyUrl::new(&proxy.fill(&[], Show::Values));
    // The message has no part of the text, any of which may be a password.
    check::proxy(&proxy).map_err(|message| reader.error(&entry.place, message)).ok()?;
    Some(proxy)
}

fn read_file(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>, example: &str) -> Option<PathBuf> {
    let file = reader.string(&entry.place, entry.node, &format!("a PEM file such as \"{example}\""))?;
    let complete = reader.check_names(&entry.place, &file, &[]);
    complete.then(|| reader.path(&file.fill(&[], Show::Values)))
}

/// Checks certificate and key as far as they are known: one of them may be that of another table.
fn check_identity(reader: &mut NodeReader<'_>, place: &Place, patch: &SettingsPatch) {
    let checked = match (&patch.cert, &patch.cert_key) {
        (Some(cert), Some(key)) => check::identity(cert, key),
        (Some(file), None) | (None, Some(file)) => check::file(file),
        (None, None) => Ok(()),
    };
    checked.unwrap_or_else(|message| reader.error(place, message));
}

/// What a transport says of these.
#[cfg(feature = "transport")]
mod check {
    use std::path::Path;

    use crate::proxy_url::ProxyUrl;
    use crate::transport::{Proxy, Roots, Transport, TransportBuilder};

    type Checked = Result<(), String>;

    pub(super) fn proxy(proxy: &ProxyUrl) -> Checked {
        proxy.as_str().parse::<Proxy>().map(drop).map_err(|error| error.one_line())
    }

    pub(super) fn roots(file: &Path) -> Checked {
        built(Transport::builder().roots(Roots::File(file.into())))
    }

    pub(super) fn identity(cert: &Path, key: &Path) -> Checked {
        built(Transport::builder().client_certificate(cert, Some(key.into())))
    }

    pub(super) fn file(file: &Path) -> Checked {
        std::fs::File::open(file).map(drop).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        insecure()
    }

    /// Whether this build has TLS at all.
    pub(super) fn insecure() -> Checked {
        built(Transport::builder().danger_accept_invalid_certs(true))
    }

    fn built(builder: TransportBuilder) -> Checked {
        builder.build().map(drop).map_err(|error| error.one_line())
    }
}

/// Without a transport, what sends the jobs finds out.
#[cfg(not(feature = "transport"))]
mod check {
    use std::path::Path;

    use crate::proxy_url::ProxyUrl;

    type Checked = Result<(), String>;

    pub(super) fn proxy(_: &ProxyUrl) -> Checked {
        Ok(())
    }

    pub(super) fn roots(_: &Path) -> Checked {
        Ok(())
    }

    pub(super) fn identity(_: &Path, _: &Path) -> Checked {
        Ok(())
    }

    pub(super) fn file(_: &Path) -> Checked {
        Ok(())
    }

    pub(super) fn insecure() -> Checked {
        Ok(())
    }
}
