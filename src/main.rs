//! The binary: parses, runs, and maps the outcome to an exit code. Everything else is in the library.

mod cli;

use std::process::ExitCode;

/// Many small allocations on many threads: the system's allocator would be the bottleneck on musl.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
