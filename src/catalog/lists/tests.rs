use super::functions::{FUNCTIONS, Functions};
use super::operators::{EXTENSIONS, OPERATORS, Operators};
use super::relations::{RELATIONS, Relations};
use super::settings::{SETTINGS, Settings};
use super::*;

const ALLOWED: FunctionStatus = FunctionStatus::Allowed { total: false };
const TOTAL: FunctionStatus = FunctionStatus::Allowed { total: true };

fn is_denied(status: FunctionStatus) -> bool {
    matches!(status, FunctionStatus::Denied { reason, .. } if !reason.is_empty())
}

#[test]
fn every_line_can_be_read() {
    let nothing: &[String] = &[];
    assert_eq!(FUNCTIONS.faults.all(), nothing);
    assert_eq!(OPERATORS.faults.all(), nothing);
    assert_eq!(EXTENSIONS.faults.all(), nothing);
    assert_eq!(SETTINGS.faults.all(), nothing);
    assert_eq!(RELATIONS.faults.all(), nothing);
}

#[test]
fn faults_are_found_and_deny() {
    let functions = |allowed, denied| Functions::read(allowed, denied).faults.all().len();
    assert_eq!(functions("abs/1", ""), 1, "no reason");
    assert_eq!(functions("[]\nabs/1", ""), 2, "an empty reason");
    assert_eq!(functions("[r]\nabs", ""), 1, "no number");
    assert_eq!(functions("[r]\nabs/x", ""), 1, "no readable number");
    assert_eq!(functions("[r]\nabs/*!", ""), 1, "any number is never total");
    assert_eq!(functions("[r]\nabs/1 abs/2,1", ""), 1, "twice");
    assert_eq!(functions("[r]\nabs/1 abs/*", ""), 1, "twice");
    assert_eq!(functions("[r]\nabs/1", "[r]\nabs"), 1, "allowed and denied");
    assert_eq!(functions("[r]\nabs/1", "[r]\nabs/1"), 1, "allowed and denied");
    assert_eq!(functions("[r]\nabs/1", "[r]\nabs/2"), 0);
    assert_eq!(Operators::read("[allowed: r]\n+ +").faults.all().len(), 1);
    assert_eq!(Operators::read("[total: r]\n= int4").faults.all().len(), 1);
    assert_eq!(Operators::read("[some: r]\n+").faults.all().len(), 1);
    assert_eq!(Settings::read("[any: r]\nDateStyle").faults.all().len(), 1);
    assert_eq!(Settings::read("[any]\nx").faults.all().len(), 1);
    assert_eq!(Settings::read("[values: r]\nx").faults.all().len(), 1);
    assert_eq!(Relations::read("[raw: r]\npg_class oid").faults.all().len(), 1);
    assert_eq!(
        Relations::read("[raw: r]\na.b c\n[hidden: r]\na.b c")
            .faults
            .all()
            .len(),
        1
    );
    assert_eq!(
        Relations::read("[raw: r]\na.b c\n[refuse: r]\na.b").faults.all().len(),
        1
    );
}

#[test]
fn functions_by_name_and_number() {
    for (name, args, variadic, expected) in [
        ("abs", 1, false, ALLOWED),
        ("abs", 2, false, FunctionStatus::Unknown),
        ("abs", 1, true, FunctionStatus::Unknown),
        ("lower", 1, false, TOTAL),
        ("btrim", 2, false, TOTAL),
        ("length", 1, false, ALLOWED),
        ("repeat", 2, false, ALLOWED),
        ("count", 0, false, ALLOWED),
        ("percentile_cont", 2, false, ALLOWED),
        ("format", 7, false, ALLOWED),
        ("format", 2, true, ALLOWED),
        ("jsonb_exists", 2, false, ALLOWED),
        ("ts_rewrite", 3, false, ALLOWED),
        ("now", 0, false, TOTAL),
        ("random", 0, false, ALLOWED),
        ("nextval", 1, false, ALLOWED),
        ("no_such_function", 1, false, FunctionStatus::Unknown),
        ("ABS", 1, false, FunctionStatus::Unknown),
        ("_pg_expandarray", 1, false, FunctionStatus::Unknown),
        ("information_schema._pg_expandarray", 1, false, ALLOWED),
    ] {
        assert_eq!(function(name, args, variadic), expected, "{name}/{args} {variadic}");
    }
    assert_eq!(function_in("information_schema", "_pg_expandarray", 1, false), ALLOWED);
    assert_eq!(function_in("pg_catalog", "abs", 1, false), ALLOWED);
    assert_eq!(function_in("public", "abs", 1, false), FunctionStatus::Unknown);
}

#[test]
fn what_must_never_be_called() {
    for (name, args) in [
        ("ts_rewrite", 2),
        ("ts_stat", 1),
        ("ts_stat", 2),
        ("query_to_xml", 4),
        ("table_to_xml", 4),
        ("cursor_to_xml", 5),
        ("schema_to_xml", 4),
        ("database_to_xml", 3),
        ("lo_get", 1),
        ("lo_import", 1),
        ("loread", 2),
        ("pg_read_file", 1),
        ("pg_ls_dir", 1),
        ("pg_stat_file", 1),
        ("pg_stat_get_live_tuples", 1),
        ("pg_relation_size", 1),
        ("pg_column_size", 1),
        ("pg_get_viewdef", 1),
        ("pg_get_functiondef", 1),
        ("pg_show_all_settings", 0),
        ("pg_cursor", 0),
        ("pg_prepared_statement", 0),
        ("current_query", 0),
        ("currtid2", 2),
        ("pg_sequence_last_value", 1),
        ("pg_sleep", 1),
        ("pg_terminate_backend", 1),
        ("pg_logical_slot_get_changes", 3),
        ("textin", 1),
        ("current_setting", 1),
        ("current_setting", 2),
        ("set_config", 3),
    ] {
        assert!(is_denied(function(name, args, false)), "{name}/{args}");
    }
    assert_eq!(special("current_setting", 2), Some(Special::ReadsSetting));
    assert_eq!(special("set_config", 3), Some(Special::ChangesSetting));
    assert_eq!(special("set_config", 2), None);
}

#[test]
fn operators() {
    assert!(operator_allowed("->>") && operator_allowed("#>") && operator_allowed("="));
    assert!(!operator_allowed("===") && !operator_allowed("!=") && !operator_allowed(""));
    for (name, left, right, expected) in [
        ("=", "int4", "int8", true),
        ("<", "numeric", "int2", true),
        ("<", "numeric", "float8", false),
        ("<", "float4", "int8", true),
        ("=", "oid", "int8", false),
        (">=", "date", "timestamptz", true),
        ("=", "text", "varchar", true),
        ("=", "text", "int4", false),
        ("=", "anyenum", "anyenum", true),
        ("<", "anyenum", "anyenum", false),
        ("<<=", "inet", "cidr", true),
        ("+", "int4", "int4", false),
        ("~~", "text", "text", false),
        ("||", "text", "text", false),
        ("=", "jsonb", "jsonb", false),
    ] {
        assert_eq!(operator_total(name, left, right), expected, "{left} {name} {right}");
    }
    for (name, _, _) in &OPERATORS.total {
        assert!(operator_allowed(name), "{name} is total and not allowed");
    }
}

#[test]
fn extensions() {
    for name in ["citext", "hstore", "pg_trgm", "vector", "uuid-ossp"] {
        assert!(trusted_extension(name), "{name}");
    }
    for name in [
        "dblink",
        "postgres_fdw",
        "file_fdw",
        "tablefunc",
        "xml2",
        "pageinspect",
        "pg_walinspect",
        "lo",
        "",
    ] {
        assert!(!trusted_extension(name), "{name}");
    }
}

#[test]
fn settings_to_set() {
    for (name, value, expected) in [
        ("DateStyle", "ISO, MDY", true),
        ("TimeZone", "Europe/Zurich", true),
        ("extra_float_digits", "3", true),
        ("search_path", "care, public", true),
        ("pgpurpose.purpose", "care.support", true),
        ("PGPURPOSE.Reason", "T-1", true),
        ("client_encoding", "UTF8", true),
        ("client_encoding", "utf-8", true),
        ("client_encoding", "LATIN1", true),
        ("standard_conforming_strings", "on", true),
        ("standard_conforming_strings", "off", false),
        ("client_min_messages", "warning", true),
        ("client_min_messages", "debug5", false),
        ("lc_messages", "de_DE.UTF-8", false),
        ("row_security", "off", true),
        ("pgpurpose.policy", "x", false),
        ("pgpurpose.key", "x", false),
        ("pgpurpose.key.care", "x", false),
        ("pgpurpose", "x", false),
        ("role", "postgres", false),
        ("session_authorization", "postgres", false),
        ("session_replication_role", "replica", false),
        ("local_preload_libraries", "x", false),
        ("log_statement", "all", false),
        ("debug_print_plan", "on", false),
        ("transform_null_equals", "on", false),
        ("myapp.user", "7", false),
        ("no_such_setting", "1", false),
        ("search_path ", "x", false),
    ] {
        assert_eq!(may_set(name, value).is_ok(), expected, "{name} = {value}");
        assert!(may_set(name, value).err() != Some(""), "{name} without a reason");
    }
}

#[test]
fn settings_to_show() {
    for name in [
        "server_version",
        "Server_Version_Num",
        "is_superuser",
        "timezone",
        "transaction_isolation",
    ] {
        assert!(may_show(name).is_ok(), "{name}");
    }
    for name in [
        "pgpurpose.purpose",
        "pgpurpose.version",
        "pgpurpose.policy",
        "pgpurpose.purposes",
    ] {
        assert!(may_show(name).is_ok(), "{name}");
    }
    for name in [
        "all",
        "pgpurpose.key",
        "primary_conninfo",
        "config_file",
        "data_directory",
        "hba_file",
        "x.y",
        "",
    ] {
        assert!(may_show(name).is_err(), "{name}");
    }
}

#[test]
fn catalog_columns() {
    use CatalogForm::{Hidden, Raw, Refuse, Shielded};
    for (relation, column, expected) in [
        ("pg_class", "relname", Raw),
        ("pg_class", "tableoid", Raw),
        ("pg_class", "xmin", Raw),
        ("pg_class", "ctid", Refuse),
        ("pg_class", "reltuples", Shielded),
        ("pg_class", "relpartbound", Shielded),
        ("pg_class", "of_a_newer_server", Refuse),
        ("pg_attribute", "attmissingval", Shielded),
        ("pg_proc", "prosrc", Shielded),
        ("pg_cursors", "statement", Shielded),
        ("pg_prepared_statements", "name", Raw),
        ("pg_prepared_statements", "statement", Shielded),
        ("pg_rewrite", "ev_action", Shielded),
        ("pg_views", "definition", Shielded),
        ("pg_stat_activity", "query", Hidden),
        ("pg_stat_activity", "pid", Raw),
        ("pg_subscription", "subconninfo", Hidden),
        ("pg_roles", "rolpassword", Hidden),
    ] {
        let found = catalog_relation("pg_catalog", relation).expect(relation);
        assert_eq!(found.form(column), expected, "{relation}.{column}");
    }
    assert!(catalog_relation("pg_catalog", "pg_type").is_some_and(CatalogRelation::all_raw));
    assert!(catalog_relation("pg_catalog", "pg_class").is_some_and(|r| !r.all_raw()));
    let types = catalog_relation("pg_catalog", "pg_type").expect("pg_type");
    assert!(types.all_raw_in(["oid", "typname"]) && !types.all_raw_in(["oid", "of_a_newer_server"]));
}

#[test]
fn what_the_rules_may_allow_all_the_same() {
    for (name, args, expected) in [
        ("pg_sleep", 1, Unless::Named),
        ("pg_terminate_backend", 1, Unless::Named),
        ("pg_get_viewdef", 1, Unless::Bare),
        ("pg_table_size", 1, Unless::Bare),
        ("query_to_xml", 4, Unless::Never),
        ("lo_get", 1, Unless::Never),
        ("pg_read_file", 1, Unless::Never),
        ("ts_stat", 1, Unless::Never),
        ("pg_stat_get_live_tuples", 1, Unless::Never),
        ("current_query", 0, Unless::Never),
        ("set_config", 3, Unless::Never),
    ] {
        let found = function(name, args, false);
        assert!(
            matches!(found, FunctionStatus::Denied { unless, .. } if unless == expected),
            "{name}: {found:?}"
        );
    }
}

#[test]
fn catalogs_without_rows() {
    for (name, expected) in [
        ("pg_largeobject_metadata", true),
        ("pg_db_role_setting", true),
        ("pg_class", false),
    ] {
        let found = catalog_relation("pg_catalog", name).expect(name);
        assert_eq!(found.is_empty(), expected, "{name}");
    }
}

#[test]
fn catalogs_that_are_refused() {
    for name in [
        "pg_statistic",
        "pg_stats",
        "pg_statistic_ext_data",
        "pg_authid",
        "pg_shadow",
        "pg_largeobject",
        "pg_settings",
        "pg_locks",
        "pg_stat_user_tables",
        "pg_user_mapping",
    ] {
        assert!(catalog_relation("pg_catalog", name).is_none(), "{name}");
        assert!(catalog_refusal("pg_catalog", name).is_some(), "{name}");
    }
    assert!(catalog_relation("pg_catalog", "pg_invented").is_none());
    assert!(catalog_relation("public", "pg_class").is_none());
    assert!(catalog_relation("pg_toast", "pg_toast_1").is_none());
    assert!(catalog_refusal("pg_catalog", "pg_class").is_none());
}
