//! Families of user agents (rules.md 2.11).

/// Browsers by the product that tells them, in the order of precedence: most of them name others as well.
const BROWSERS: [(&str, &str); 16] = [
    ("Edg", "Edge"),
    ("EdgA", "Edge"),
    ("EdgiOS", "Edge"),
    ("Edge", "Edge"),
    ("OPR", "Opera"),
    ("OPiOS", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Vivaldi", "Vivaldi"),
    ("YaBrowser", "Yandex"),
    ("FxiOS", "Firefox"),
    ("Firefox", "Firefox"),
    ("HeadlessChrome", "HeadlessChrome"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Chromium", "Chrome"),
    ("Safari", "Safari"),
];
/// Products at the end of a browser's text that are looked at; more would only cost time.
const PRODUCTS_MAX: usize = 12;
/// Longest family, in bytes.
const FAMILY_BYTES_MAX: usize = 64;

/// The family of a user agent: the product name before `/`, for Mozilla texts the browser. Versions do not matter.
pub fn family(agent: &str) -> &str {
    let agent = agent.trim();
    if agent.starts_with("Mozilla/") {
        return browser(agent);
    }
    let product = agent.split('/').next().unwrap_or(agent);
    // Without a version behind a slash there may be one behind a space.
    let product =
        if product.len() == agent.len() { product.split(' ').next().unwrap_or(product) } else { product };
    let product = product.trim();
    product.get(..product.floor_char_boundary(FAMILY_BYTES_MAX)).unwrap_or(product)
}

fn browser(agent: &str) -> &'static str {
    let products = agent.rsplit(' ').take(PRODUCTS_MAX).filter_map(|word| Some(word.split_once('/')?.0));
    let found = products.filter_map(|product| BROWSERS.iter().position(|(name, _)| *name == product)).min();
    match found.and_then(|at| BROWSERS.get(at)) {
        Some((_, browser)) => browser,
        None if agent.contains("Trident/") || agent.contains("MSIE ") => "Internet Explorer",
        None => "Mozilla",
    }
}

/// True for the family of a browser.
pub fn is_browser(family: &str) -> bool {
    matches!(family, "Mozilla" | "Internet Explorer") || BROWSERS.iter().any(|(_, name)| *name == family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_leave_versions_out() {
        for (agent, expected) in [
            ("curl/8.10.1", "curl"),
            ("python-requests/2.32.5", "python-requests"),
            ("azsdk-net-Core/1.50.0 (.NET 10.0.0; Linux 6.12)", "azsdk-net-Core"),
            ("Contoso Mobile/7.4.1 (Android 16)", "Contoso Mobile"),
            ("backup 2.1", "backup"),
            ("  okhttp  ", "okhttp"),
            ("", ""),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
                "Chrome",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
                "Edge",
            ),
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1",
                "Safari",
            ),
            ("Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "Internet Explorer"),
            ("Mozilla/5.0 (compatible; Monitor/1.0)", "Mozilla"),
        ] {
            assert_eq!(family(agent), expected, "{agent}");
        }
        assert_eq!(family(&"\u{e9}".repeat(100)).len(), FAMILY_BYTES_MAX);
        assert!(is_browser("Edge") && is_browser("Mozilla") && !is_browser("curl"));
    }
}
