//! `man`: one page over all commands.

use super::args::Cli;
use super::console;
use super::exit::{Failure, Outcome};
use clap::CommandFactory;
use clap_mangen::Man;
use std::io;

/// Prints the manual page: the program, then every command.
pub(super) fn run() -> Outcome {
    let mut page = Vec::new();
    let command = Cli::command().disable_help_subcommand(true);
    Man::new(command.clone()).render(&mut page).map_err(Failure::output)?;
    sections(&command, "tokentrail", &mut page).map_err(Failure::output)?;
    console::print(&String::from_utf8(page).map_err(Failure::output)?)
}

fn sections(command: &clap::Command, path: &str, page: &mut Vec<u8>) -> io::Result<()> {
    for child in command.get_subcommands() {
        let name = format!("{path} {}", child.get_name());
        page.extend_from_slice(format!(".SH {}\n", name.to_uppercase()).as_bytes());
        let man = Man::new(child.clone().display_name(name.clone()).bin_name(name.clone()));
        man.render_description_section(page)?;
        man.render_synopsis_section(page)?;
        if child.has_subcommands() {
            sections(child, &name, page)?;
        } else {
            man.render_options_section(page)?;
            man.render_extra_section(page)?;
        }
    }
    Ok(())
}
