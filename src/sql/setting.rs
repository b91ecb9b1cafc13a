//! Settings: whether a client may change or read one at all, by the list of harmless ones.

use crate::catalog::lists;

use super::command::{ConfigCall, ConfigValue};

/// Whether a change of a setting is served.
///
/// # Errors
/// Why not, for the client.
pub fn check(change: &ConfigCall) -> Result<(), String> {
    let refused = |why: &str| format!("setting \"{}\" cannot be changed: {why}", change.name);
    match &change.value {
        ConfigValue::List(values) => lists::may_set(&change.name, &values.join(", ")).map_err(refused),
        // A default is the server's own choice, or what the start-up packet gave: tested there.
        ConfigValue::Default => resettable(&change.name),
        // Known only at Bind: only a setting of which every value is harmless, this one too.
        ConfigValue::Parameter(_) => lists::may_set(&change.name, "any value at all")
            .map_err(|_| refused("its value must be a constant, or not every value of it is harmless")),
    }
}

/// Whether RESET of a setting is served: of those that may be shown.
///
/// # Errors
/// Why not, for the client.
pub fn resettable(name: &str) -> Result<(), String> {
    lists::may_show(name).map_err(|why| format!("setting \"{name}\" cannot be changed: {why}"))
}
