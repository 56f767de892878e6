//! The shortest way: URLs in, outcomes in their order out.
//!
//! ```text
//! cargo run --example three_lines -- http://127.0.0.1:8080/v1/weather/oslo http://127.0.0.1:8080/v1/weather/lima
//! ```

fn main() {
    for outcome in roundup::fetch_all(std::env::args().skip(1)) {
        println!("{}: {:?} {}", outcome.name, outcome.status, outcome.error.map_or("ok".into(), |error| error.message));
    }
}
