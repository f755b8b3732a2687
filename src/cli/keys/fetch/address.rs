//! Addresses: which may be asked at all, and which belong together.

use tokentrail::entra;
use ureq::http::Uri;

/// Longest address that is asked; a server's redirects and metadata may name any.
const ADDRESS_BYTES_MAX: usize = 2000;

/// Reads an address over HTTPS. One with a user or password is refused: it would be recorded.
pub(super) fn https(text: &str) -> Result<Uri, String> {
    if text.len() > ADDRESS_BYTES_MAX {
        return Err(format!("an address of more than {ADDRESS_BYTES_MAX} bytes"));
    }
    let address: Uri = text.parse().map_err(|_| "not an address".to_owned())?;
    if address.scheme_str() != Some("https") {
        return Err("not an https:// address".to_owned());
    }
    let authority = address.authority().map_or("", |authority| authority.as_str());
    if text.contains('#') || authority.contains('@') || address.host().unwrap_or_default().is_empty() {
        return Err("an address with a user, a fragment or without a host".to_owned());
    }
    Ok(address)
}

/// Host, without port.
pub(super) fn host(address: &Uri) -> &str {
    address.host().unwrap_or_default()
}

/// True if two addresses over HTTPS are of one host and port.
pub(super) fn same_authority(one: &Uri, other: &Uri) -> bool {
    let port = |address: &Uri| address.port_u16().unwrap_or(443);
    host(one).eq_ignore_ascii_case(host(other)) && port(one) == port(other)
}

/// True if what one address serves may speak for the other: they are of one host and port, or both of Entra.
pub(super) fn same_owner(one: &Uri, other: &Uri) -> bool {
    let entra =
        |address: &Uri| entra::is_entra_host(host(address)) && address.port_u16().is_none_or(|p| p == 443);
    same_authority(one, other) || (entra(one) && entra(other))
}

/// The address that a redirect names.
pub(super) fn join(base: &Uri, location: &str) -> Result<Uri, String> {
    let authority = base.authority().map_or("", |authority| authority.as_str());
    if location.contains("://") && !location.starts_with(['/', '?']) {
        https(location)
    } else if location.starts_with("//") {
        https(&format!("https:{location}"))
    } else if location.starts_with('/') {
        https(&format!("https://{authority}{location}"))
    } else if location.starts_with('?') {
        https(&format!("https://{authority}{}{location}", base.path()))
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        https(&format!("https://{authority}{folder}/{location}"))
    }
}
