//! YAML to `Policy`, with diagnostics that point at the place. The only place that names serde_yaml.
