//! `[auth.NAME]`: logins that jobs name with `auth`.

use super::header_template::{HeaderForm, HeaderTemplate};
use super::node_reader::{NodeReader, Place, TableEntry};
use super::query::QueryParam;
use super::template::{Show, Template};
use super::tree::Node;
use crate::error::Error;
use crate::graph::Login;
use crate::http::Field;
use crate::job::Job;
use crate::origin::{Origin, parse_url};
use crate::settings::Settings;

/// The logins of a plan.
#[derive(Default)]
pub(super) struct Logins(Vec<NamedLogin>);

struct NamedLogin {
    name: String,
    scheme: LoginScheme,
    /// Of a token that is fetched in the run.
    keys: Option<OauthKeys>,
}

/// How a login is sent.
pub(super) enum LoginScheme {
    /// As this header.
    Header(HeaderTemplate),
    /// As this value in the query of the URL.
    Query(QueryParam),
    /// As a token that is fetched in the run.
    Token,
}

/// The keys of OAuth2.
struct OauthKeys {
    token_url: Text,
    client_id: Text,
    client_secret: Option<Text>,
    scope: Option<Text>,
    refresh_token: Option<Text>,
    refresh_token_file: Option<Text>,
}

/// A text with its values in place, and as it may be shown.
struct Text {
    place: Place,
    value: String,
    shown: String,
}

/// Reads `auth` of a job: the name of a login.
pub(super) fn read_auth(reader: &mut NodeReader<'_>, place: &Place, node: &Node) -> Option<(Place, String)> {
    let template = reader.string(place, node, "the name of an [auth.NAME]")?;
    let complete = reader.check_names(place, &template, &[]);
    complete.then(|| (place.clone(), template.fill(&[], Show::Values)))
}

impl Logins {
    /// Reads all tables of `[auth]`; what is wrong is noted.
    pub(super) fn read(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> Logins {
        let mut logins = Logins::default();
        for entry in reader.table(&entry.place, entry.node).unwrap_or_default() {
            if let Some((scheme, keys)) = read_login(reader, &entry) {
                logins.0.push(NamedLogin { name: entry.key.to_owned(), scheme, keys });
            }
        }
        logins
    }

    pub(super) fn get(&self, name: &str) -> Option<&LoginScheme> {
        self.0.iter().find(|login| login.name == name).map(|login| &login.scheme)
    }

    pub(super) fn names(&self) -> String {
        self.0.iter().map(|login| login.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Where tokens are fetched.
    pub(super) fn token_origins(&self) -> Vec<Origin> {
        let urls = self.0.iter().filter_map(|login| login.keys.as_ref()).map(|keys| &keys.token_url.value);
        urls.filter_map(|url| Origin::of(&parse_url(url).ok()?).ok()).collect()
    }

    /// The logins of which a token is fetched in the run.
    pub(super) fn token_logins(&self, reader: &mut NodeReader<'_>, settings: &Settings) -> Vec<Login> {
        let mut logins = Vec::new();
        for NamedLogin { name, keys, .. } in &self.0 {
            let Some(keys) = keys else { continue };
            // Fields, content and values of the jobs are not those of the login.
            let settings = Settings { headers: Vec::new(), data: None, select: Vec::new(), ..settings.clone() };
            match Job::new(&keys.token_url.value, settings.into()) {
                Ok(job) => {
                    let job = job.written_as(&keys.token_url.shown).named(format!("auth.{name}"));
                    logins.push(keys.login(reader, name, job.with_secrets(reader.secrets())));
                }
                Err(error) => {
                    let has_secret = keys.token_url.shown != keys.token_url.value;
                    let what = "a URL that can be fetched";
                    let text = super::node_reader::not_valid(&keys.token_url.shown, has_secret, what, &error);
                    reader.error(&keys.token_url.place, text);
                }
            }
        }
        logins
    }
}

impl OauthKeys {
    fn login(&self, reader: &NodeReader<'_>, name: &str, job: Job) -> Login {
        let secret = self.client_secret.as_ref().map(|text| text.value.as_str());
        let mut login = Login::new(name, job, &self.client_id.value, secret);
        if let Some(scope) = &self.scope {
            login = login.scope(&scope.value);
        }
        match &self.refresh_token {
            Some(token) => {
                login.refresh_token(&token.value, self.refresh_token_file.as_ref().map(|file| reader.path(&file.value)))
            }
            None => login,
        }
    }
}

fn read_login(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> Option<(LoginScheme, Option<OauthKeys>)> {
    const TYPES: &str = "\"oauth2\", \"api_key\", \"basic\" or \"bearer\"";
    let entries = reader.table(&entry.place, entry.node)?;
    let Some(of_type) = entries.iter().find(|entry| entry.key == "type") else {
        reader.error(&entry.place, format!("has no \"type\": write {TYPES}"));
        return None;
    };
    let kind = read_text(reader, of_type)?;
    let Some(allowed) = keys_of(&kind.value) else {
        reader.error(&of_type.place, format!("\"{}\" is no type of a login: write {TYPES}", kind.value));
        return None;
    };
    for entry in entries.iter().filter(|entry| !allowed.contains(&entry.key)) {
        reader.unknown(entry, allowed);
    }
    if kind.value == "oauth2" {
        return Some((LoginScheme::Token, Some(read_oauth(reader, entry, &entries)?)));
    }
    let need = |reader: &mut NodeReader<'_>, key: &str| needed(reader, entry, &entries, key);
    let (name, value, form) = match kind.value.as_str() {
        "api_key" if entries.iter().any(|entry| entry.key == "query") => {
            let key = need(reader, "key")?;
            return Some((LoginScheme::Query(query_key(reader, &entries, key)?), None));
        }
        "api_key" => {
            let header = match entries.iter().find(|entry| entry.key == "header") {
                Some(entry) => read_text(reader, entry)?.value,
                None => "X-Api-Key".to_owned(),
            };
            (header, need(reader, "key")?, HeaderForm::Plain)
        }
        "bearer" => ("Authorization".to_owned(), need(reader, "token")?, HeaderForm::Bearer),
        _ => {
            let (user, password) = (need(reader, "user"), need(reader, "password"));
            return basic(reader, &entry.place, user?, password?);
        }
    };
    if let Err(error) = Field::new(&name, "x") {
        reader.error(&entry.place, error.one_line());
        return None;
    }
    let template = read_template(reader, value)?;
    Some((header(reader, value.place.clone(), name, template, form)?, None))
}

/// A key that stands in the query. URLs are shown, so it has to be a secret.
fn query_key(reader: &mut NodeReader<'_>, entries: &[TableEntry<'_>], key: &TableEntry<'_>) -> Option<QueryParam> {
    let find = |name: &str| entries.iter().find(|entry| entry.key == name);
    if let (Some(header), Some(_)) = (find("header"), find("query")) {
        reader.error(&header.place, "a key is sent as a header or in the query: leave one of the two out");
        return None;
    }
    let query = find("query")?;
    let (name, value) = (read_text(reader, query)?.value, read_template(reader, key)?);
    if !value.has_secret(&[]) {
        let text = "a key in the query stands in URLs, which reports show: write it as ${NAME}, which they hide";
        reader.error(&key.place, text);
        return None;
    }
    Some(QueryParam::new(query.place.clone(), &name, value))
}

/// The keys that a login of this type has.
fn keys_of(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "oauth2" => {
            &["type", "token_url", "client_id", "client_secret", "scope", "refresh_token", "refresh_token_file"]
        }
        "api_key" => &["type", "header", "query", "key"],
        "basic" => &["type", "user", "password"],
        "bearer" => &["type", "token"],
        _ => return None,
    })
}

/// The key of this name, which has to be there.
fn needed<'e, 'n>(
    reader: &mut NodeReader<'_>,
    login: &TableEntry<'_>,
    entries: &'e [TableEntry<'n>],
    key: &str,
) -> Option<&'e TableEntry<'n>> {
    let found = entries.iter().find(|entry| entry.key == key);
    if found.is_none() {
        reader.error(&login.place, format!("has no \"{key}\""));
    }
    found
}

fn read_oauth(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>, entries: &[TableEntry<'_>]) -> Option<OauthKeys> {
    let mut optional =
        |key: &str| entries.iter().find(|entry| entry.key == key).and_then(|entry| read_text(reader, entry));
    let (client_secret, scope) = (optional("client_secret"), optional("scope"));
    let (refresh_token, refresh_token_file) = (optional("refresh_token"), optional("refresh_token_file"));
    let token_url = needed(reader, entry, entries, "token_url").and_then(|entry| read_text(reader, entry));
    let client_id = needed(reader, entry, entries, "client_id").and_then(|entry| read_text(reader, entry));
    if let (None, Some(file)) = (&refresh_token, &refresh_token_file) {
        reader.error(&file.place, "has no effect without \"refresh_token\", the first one");
    }
    Some(OauthKeys {
        token_url: token_url?,
        client_id: client_id?,
        client_secret,
        scope,
        refresh_token,
        refresh_token_file,
    })
}

fn basic(
    reader: &mut NodeReader<'_>,
    place: &Place,
    user: &TableEntry<'_>,
    password: &TableEntry<'_>,
) -> Option<(LoginScheme, Option<OauthKeys>)> {
    let (user, password) = (read_template(reader, user)?, read_template(reader, password)?);
    let both = user.joined(":", &password);
    Some((header(reader, place.clone(), "Authorization".to_owned(), both, HeaderForm::Basic)?, None))
}

/// A header that can be sent.
fn header(
    reader: &mut NodeReader<'_>,
    place: Place,
    name: String,
    value: Template,
    form: HeaderForm,
) -> Option<LoginScheme> {
    let header = HeaderTemplate { place, name: name.into(), value, form };
    match header.field(&[]) {
        Ok(_) => Some(LoginScheme::Header(header)),
        Err(error) => {
            note(reader, &header.place, &error);
            None
        }
    }
}

fn note(reader: &mut NodeReader<'_>, place: &Place, error: &Error) {
    reader.error(place, error.one_line());
}

fn read_template(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> Option<Template> {
    let template = reader.string(&entry.place, entry.node, "a string")?;
    reader.check_names(&entry.place, &template, &[]).then_some(template)
}

fn read_text(reader: &mut NodeReader<'_>, entry: &TableEntry<'_>) -> Option<Text> {
    let template = read_template(reader, entry)?;
    let (value, shown) = (template.fill(&[], Show::Values), template.fill(&[], Show::Names));
    Some(Text { place: entry.place.clone(), value, shown })
}
