//! The command `roundup`: a crate of its own that uses the library's public names alone.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
