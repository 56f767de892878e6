//! Answers as values of a type, with their heads.
//!
//! ```text
//! cargo run -- serve &
//! cargo run --example typed -- http://127.0.0.1:8080/v1/weather/oslo http://127.0.0.1:8080/v1/weather/lima
//! ```

use serde::Deserialize;

#[derive(Deserialize)]
struct Weather {
    city: String,
    current: Current,
}

#[derive(Deserialize)]
struct Current {
    temperature_c: f64,
}

fn main() {
    for outcome in roundup::fetch_all(std::env::args().skip(1)) {
        let server = outcome.header("Server").unwrap_or("a server without a name").to_owned();
        match outcome.json::<Weather>() {
            Ok(weather) => println!("{}: {} \u{b0}C, says {server}", weather.city, weather.current.temperature_c),
            Err(error) => eprintln!("{}: {error}", outcome.name),
        }
    }
}
