//! JSON Schema of the policy, for editors.

use super::raw::Document;
use serde_json::Value;

/// JSON Schema (2020-12) of a policy file, made from the types that read it.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Document);
    schema.insert("title".to_owned(), Value::from("tokentrail policy"));
    let mut schema = schema.to_value();
    without_null(&mut schema);
    schema
}

/// TOML has no null: a key that may be absent is not one that may be null.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Array(types)) = members.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    members.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = members.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type") != Some(&Value::from("null")));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    members.remove("anyOf");
                    members.extend(only);
                }
            }
            members.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}
