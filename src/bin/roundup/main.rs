#[allow(dead_code)]
mod server;

fn main() {}
