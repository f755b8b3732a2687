//! JSON Schema of the policy, for editors.

use super::raw::Document;
use serde_json::Value;

/// JSON Schema (2020-12) of a policy file, made from the types that read it.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Document);
    schema.insert("title".to_owned(), Value::from("tokentrail policy"));
    schema.to_value()
}
