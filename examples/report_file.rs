//! A report in one call, and the outcomes themselves as JSON, which serde reads back.
//!
//! ```text
//! cargo run --example report_file -- http://127.0.0.1:8080/v1/weather/oslo http://127.0.0.1:8080/status/503
//! ```

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let outcomes = roundup::fetch_all(std::env::args().skip(1));
    roundup::report::save("report.html", &outcomes)?;
    std::fs::write("outcomes.json", serde_json::to_vec(&outcomes)?)?;
    println!("report.html and outcomes.json have {} results", outcomes.len());
    Ok(())
}
