//! Finds log formats in pasted directives and in configuration files.

use super::Escapes;
use super::problem;
use crate::record::errors::{Problem, TemplateProblem};

/// The text of a template as the user gave it: the bare text, a quoted one, or a whole `log_format` directive.
///
/// # Errors
///
/// A directive that does not end.
pub(in crate::record) fn nginx_text(given: &str) -> Result<(String, Escapes), Problem> {
    let trimmed = given.trim();
    let is_directive = trimmed.strip_prefix("log_format").is_some_and(|rest| rest.starts_with(char::is_whitespace));
    if is_directive {
        let words = statements(trimmed).ok_or_else(|| problem(0, TemplateProblem::Unterminated))?;
        let first = words.first().map(Vec::as_slice).unwrap_or_default();
        return Ok(nginx_body(first.get(2..).unwrap_or_default()));
    }
    if trimmed.starts_with('\'') {
        let words = statements(trimmed).ok_or_else(|| problem(0, TemplateProblem::Unterminated))?;
        return Ok(nginx_body(words.first().map(Vec::as_slice).unwrap_or_default()));
    }
    // The bare text of a JSON format is written by `escape=json` or repaired line by line; both read alike.
    Ok((given.to_owned(), Escapes::Nginx))
}

/// The named `log_format` of an nginx configuration.
pub(in crate::record) fn nginx_named(configuration: &str, name: &str) -> Option<(String, Escapes)> {
    let statements = statements(configuration)?;
    let found = statements.iter().find(|words| matches!(words.as_slice(), [keyword, known, ..] if keyword == "log_format" && known == name))?;
    Some(nginx_body(found.get(2..).unwrap_or_default()))
}

fn nginx_body(words: &[String]) -> (String, Escapes) {
    let (escapes, words) = match words {
        [first, rest @ ..] if first == "escape=json" => (Escapes::Json, rest),
        [first, rest @ ..] if first == "escape=none" => (Escapes::None, rest),
        [first, rest @ ..] if first == "escape=default" => (Escapes::Nginx, rest),
        _ => (Escapes::Nginx, words),
    };
    (words.concat(), escapes)
}

/// The words of every simple directive; `None` if a quote is not closed.
fn statements(text: &str) -> Option<Vec<Vec<String>>> {
    let mut out = Vec::new();
    let mut words = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '#' => while characters.next_if(|next| *next != '\n').is_some() {},
            ';' | '{' | '}' => out.push(std::mem::take(&mut words)),
            quote @ ('\'' | '"') => words.push(quoted(&mut characters, quote)?),
            _ if character.is_whitespace() => {}
            _ => {
                let mut word = String::from(character);
                while let Some(next) = characters.next_if(|next| !next.is_whitespace() && *next != ';') {
                    // A brace belongs to the word only behind a dollar sign.
                    if next == '{' && !word.ends_with('$') {
                        out.push(std::mem::take(&mut words));
                        break;
                    }
                    word.push(next);
                }
                words.push(word);
            }
        }
    }
    if !words.is_empty() {
        out.push(words);
    }
    out.retain(|words| !words.is_empty());
    Some(out)
}

fn quoted(characters: &mut std::iter::Peekable<std::str::Chars<'_>>, quote: char) -> Option<String> {
    let mut word = String::new();
    loop {
        match characters.next()? {
            '\\' => match characters.next()? {
                't' => word.push('\t'),
                'r' => word.push('\r'),
                'n' => word.push('\n'),
                next @ ('\'' | '"' | '\\') => word.push(next),
                next => word.extend(['\\', next]),
            },
            next if next == quote => return Some(word),
            next => word.push(next),
        }
    }
}

/// The text of a template as the user gave it: the bare text or a whole `LogFormat` directive.
///
/// # Errors
///
/// A directive whose text is not quoted to its end.
pub(in crate::record) fn apache_text(given: &str) -> Result<String, Problem> {
    match directive_body(given.trim()) {
        Some(rest) => quoted_argument(rest).map(|(text, _)| text).ok_or_else(|| problem(0, TemplateProblem::Unterminated)),
        None => Ok(given.to_owned()),
    }
}

/// The `LogFormat` of a nickname in an Apache configuration.
pub(in crate::record) fn apache_named(configuration: &str, name: &str) -> Option<String> {
    let joined = configuration.replace("\\\r\n", " ").replace("\\\n", " ");
    joined.lines().filter_map(|line| quoted_argument(directive_body(line.trim())?)).find_map(|(text, rest)| {
        (rest.trim().trim_matches('"') == name).then_some(text)
    })
}

fn directive_body(line: &str) -> Option<&str> {
    let keyword = line.get(..9)?;
    let rest = line.get(9..)?;
    (keyword.eq_ignore_ascii_case("LogFormat") && rest.starts_with(char::is_whitespace)).then(|| rest.trim_start())
}

/// The quoted text at the start, its backslashes kept for the template's reader, and what follows it.
fn quoted_argument(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let inside = text.get(1..)?;
    let mut escaped = false;
    for (at, character) in inside.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return Some((inside.get(..at)?.to_owned(), inside.get(at + 1..)?)),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_accepted_whole() {
        let directive = "log_format audit escape=json '{\"a\":\"$status\",'\n  '\"b\":\"$host\"}';";
        assert_eq!(nginx_text(directive).unwrap(), ("{\"a\":\"$status\",\"b\":\"$host\"}".to_owned(), Escapes::Json));
        assert_eq!(nginx_text("'$a $b'").unwrap().0, "$a $b");
        assert_eq!(nginx_text("$a $b").unwrap().0, "$a $b");
        assert!(nginx_text("log_format x 'abc").is_err());
        let apache = r#"LogFormat "%h \"%r\" %>s" audit"#;
        assert_eq!(apache_text(apache).unwrap(), r#"%h \"%r\" %>s"#);
    }

    #[test]
    fn formats_are_found_in_configurations() {
        let nginx = "http { # comment with ' quote\n map $x $y { default ''; }\n log_format one '$status';\n log_format two escape=none '$host ' '$uri'; }";
        assert_eq!(nginx_named(nginx, "two"), Some(("$host $uri".to_owned(), Escapes::None)));
        assert_eq!(nginx_named(nginx, "three"), None);
        let apache = "LogFormat \"%h\" common\n  logformat \"%h %D\" timed\n";
        assert_eq!(apache_named(apache, "timed").as_deref(), Some("%h %D"));
    }
}
