//! `[[api]]` with its profiles and operations, ready to match.

use super::documents::Documents;
use super::documents::Notice;
use super::documents::bad_glob;
use super::error::Fault;
use super::error::PolicyError;
use super::layers::Layer;
use super::layers::Layered;
use super::layers::Origin;
use super::located::Located;
use super::located::TextFile;
use super::matcher::Entry;
use super::matcher::NamePattern;
use super::matcher::Operation;
use super::matcher::Scope;
use super::merge::Places;
use super::pattern::HostPattern;
use super::pattern::PathPattern;
use super::raw::ApiTable;
use super::raw::OperationTable;
use super::raw::ProfileTable;
use super::raw::SettingsTable;
use super::raw::Text;
use super::raw::Texts;
use super::settings::Tenancy;
use super::values;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// A profile and the file it stands in.
type Profiles<'d> = BTreeMap<&'d str, (&'d TextFile, &'d Located<ProfileTable>)>;

/// Every entry in byte order of the names.
pub(super) fn entries(
    documents: &Documents,
    tenancy: &Tenancy,
    notices: &mut Vec<Notice>,
) -> Result<Vec<Entry>, PolicyError> {
    let (profiles, names) = profiles(documents, tenancy)?;
    let mut places = Places::new("api");
    let mut used = BTreeSet::new();
    let mut entries = Vec::new();
    for parsed in &documents.parsed {
        for table in &parsed.document.api {
            places.add(&parsed.file, &table.value.name.value, table.value.name.start)?;
            let mut tables = Vec::new();
            for name in &table.value.profiles {
                let Some((file, profile)) = profiles.get(name.value.as_str()) else {
                    let fault =
                        Fault::Unresolved { what: "profile", name: name.value.clone(), known: names.clone() };
                    return Err(parsed.file.error(name.start, fault));
                };
                used.insert(name.value.as_str());
                tables.push(Table::of_profile(file, &name.value, &profile.value));
            }
            tables.push(Table::of_api(&parsed.file, &table.value));
            entries.push(entry(&parsed.file, &table.value, &tables, tenancy)?);
        }
    }
    for (name, (file, profile)) in &profiles {
        if !used.contains(name) {
            let text = format!("profile `{name}` is used by no api; write `use = [\"{name}\"]` or remove it");
            notices.push(Notice { place: file.place(profile.start), text });
        }
    }
    entries.sort_by(|left, right| left.layered.settings.name.cmp(&right.layered.settings.name));
    check_distinct(&entries)?;
    Ok(entries)
}

/// Profiles by name; each is laid once on its own, so that faults of unused ones are found too.
fn profiles<'d>(
    documents: &'d Documents,
    tenancy: &Tenancy,
) -> Result<(Profiles<'d>, Vec<String>), PolicyError> {
    let mut places = Places::new("profile");
    let mut profiles = Profiles::new();
    for parsed in &documents.parsed {
        for (name, profile) in &parsed.document.profile {
            places.add(&parsed.file, name, profile.start)?;
            let table = Table::of_profile(&parsed.file, name, &profile.value);
            let mut alone = Layered::default();
            alone.lay(&table.settings, table.file, &table.layer, tenancy)?;
            scope(&[table])?;
            profiles.insert(name, (&parsed.file, profile));
        }
    }
    Ok((profiles, places.names()))
}

/// A profile or an api as one layer.
struct Table<'d> {
    file: &'d TextFile,
    layer: Layer,
    hosts: Option<&'d Texts>,
    paths: Option<&'d Texts>,
    gateways: Option<&'d Texts>,
    routes: Option<&'d Texts>,
    operations: Option<&'d Located<Vec<Located<OperationTable>>>>,
    settings: SettingsTable,
}

impl<'d> Table<'d> {
    fn of_profile(file: &'d TextFile, name: &str, table: &'d ProfileTable) -> Self {
        Self {
            file,
            layer: Layer::Profile(name.to_owned()),
            hosts: table.hosts.as_ref(),
            paths: table.paths.as_ref(),
            gateways: table.gateways.as_ref(),
            routes: table.routes.as_ref(),
            operations: table.operations.as_ref(),
            settings: table.into(),
        }
    }

    fn of_api(file: &'d TextFile, table: &'d ApiTable) -> Self {
        Self {
            file,
            layer: Layer::Api,
            hosts: table.hosts.as_ref(),
            paths: table.paths.as_ref(),
            gateways: table.gateways.as_ref(),
            routes: table.routes.as_ref(),
            operations: table.operations.as_ref(),
            settings: table.into(),
        }
    }
}

fn entry(
    file: &TextFile,
    table: &ApiTable,
    tables: &[Table<'_>],
    tenancy: &Tenancy,
) -> Result<Entry, PolicyError> {
    let mut layered = Layered::defaults(values::name(file, &table.name)?);
    for table in tables {
        layered.lay(&table.settings, table.file, &table.layer, tenancy)?;
    }
    let stated = tables.iter().rev().find_map(|table| table.operations.map(|list| (table.file, list)));
    let operations = match stated {
        Some((file, list)) => operations(file, &list.value, &layered, tenancy)?,
        None => Vec::new(),
    };
    Ok(Entry { place: file.place(table.name.start), scope: scope(tables)?, layered, operations })
}

fn operations(
    file: &TextFile,
    tables: &[Located<OperationTable>],
    base: &Layered,
    tenancy: &Tenancy,
) -> Result<Vec<Operation>, PolicyError> {
    let mut operations = Vec::new();
    for (index, table) in tables.iter().enumerate() {
        let OperationTable { methods, paths, .. } = &table.value;
        let is_open = |texts: &Option<Texts>| texts.as_ref().is_none_or(|texts| texts.value.is_empty());
        if is_open(methods) && is_open(paths) {
            return Err(
                file.error(table.start, Fault::Unrestricted { what: "an operation", keys: "methods, paths" })
            );
        }
        let mut layered = base.clone();
        layered.lay(&SettingsTable::from(&table.value), file, &Layer::Operation(index + 1), tenancy)?;
        operations.push(Operation {
            place: file.place(table.start),
            methods: all(file, methods.as_ref(), method)?,
            paths: all(file, paths.as_ref(), path)?,
            layered,
        });
    }
    Ok(operations)
}

/// Each restriction from the last layer that states it; an empty list lifts an inherited one.
fn scope(tables: &[Table<'_>]) -> Result<Scope, PolicyError> {
    let mut scope = Scope::default();
    for table in tables {
        let lists = [
            ("hosts", table.hosts),
            ("paths", table.paths),
            ("gateways", table.gateways),
            ("routes", table.routes),
        ];
        for (key, list) in lists {
            let Some(list) = list else { continue };
            let file = table.file;
            match key {
                "hosts" => scope.hosts = all(file, Some(list), host)?,
                "paths" => scope.paths = all(file, Some(list), path)?,
                "gateways" => scope.gateways = all(file, Some(list), gateway)?,
                _ => scope.routes = all(file, Some(list), route)?,
            }
            scope.origins.insert(key, Origin { layer: table.layer.clone(), place: file.place(list.start) });
        }
    }
    Ok(scope)
}

fn all<T>(
    file: &TextFile,
    list: Option<&Texts>,
    one: impl Fn(&TextFile, &Text) -> Result<T, PolicyError>,
) -> Result<Vec<T>, PolicyError> {
    list.map_or(&[][..], |list| &list.value).iter().map(|text| one(file, text)).collect()
}

fn host(file: &TextFile, text: &Text) -> Result<HostPattern, PolicyError> {
    HostPattern::parse(&text.value).map_err(|why| {
        file.error(text.start, Fault::Pattern { what: "host", pattern: text.value.clone(), why })
    })
}

fn path(file: &TextFile, text: &Text) -> Result<PathPattern, PolicyError> {
    PathPattern::parse(&text.value).map_err(|why| {
        file.error(text.start, Fault::Pattern { what: "path", pattern: text.value.clone(), why })
    })
}

fn gateway(file: &TextFile, text: &Text) -> Result<NamePattern, PolicyError> {
    values::visible(file, "gateways", text)?;
    NamePattern::parse(&text.value).map_err(|error| bad_glob(file, text, &error))
}

fn route(file: &TextFile, text: &Text) -> Result<String, PolicyError> {
    values::visible(file, "routes", text)
}

/// Methods are case-sensitive (RFC 9110 section 9.1), and the registered ones are upper case.
fn method(file: &TextFile, text: &Text) -> Result<String, PolicyError> {
    let is_method = |byte: u8| byte.is_ascii_uppercase() || byte == b'-' || byte == b'_';
    if !text.value.is_empty() && text.value.bytes().all(is_method) {
        return Ok(text.value.clone());
    }
    let expected = "a method; methods are case-sensitive, write them in upper case such as `GET`";
    Err(file.error(text.start, Fault::Value { text: text.value.clone(), expected }))
}

fn check_distinct(entries: &[Entry]) -> Result<(), PolicyError> {
    let mut seen: BTreeMap<_, &Entry> = BTreeMap::new();
    for entry in entries {
        if let Some(other) = seen.insert(entry.scope.texts(), entry) {
            let (earlier, later) = if other.place <= entry.place { (other, entry) } else { (entry, other) };
            let fault = Fault::SameRequests {
                name: later.layered.settings.name.clone(),
                other: earlier.layered.settings.name.clone(),
                first: earlier.place.clone(),
            };
            return Err(PolicyError::at(later.place.clone(), fault));
        }
    }
    Ok(())
}
