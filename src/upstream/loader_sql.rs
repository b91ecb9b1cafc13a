//! The loader's queries: fixed text, everything in `pg_catalog` by name, run under an empty
//! `search_path` so that PostgreSQL prints every other name with its schema.
//!
//! They go out as one pipeline of the extended protocol, under a name of their own: a simple query
//! would take the client's unnamed statement away.

/// What every session reads once it has logged in.
pub(super) const SESSION: &str = "\
SELECT pg_catalog.current_setting('search_path'),\
 pg_catalog.current_setting('standard_conforming_strings'),\
 pg_catalog.current_setting('client_encoding'),\
 pg_catalog.current_setting('server_encoding'),\
 pg_catalog.current_setting('client_min_messages')";

/// What the server keeps of a role's password, if it may log in now: needs SELECT on these columns.
pub(super) const VERIFIER: &str = concat!(
    "SELECT a.rolpassword FROM pg_catalog.pg_authid a",
    " WHERE a.rolname OPERATOR(pg_catalog.=) $1::pg_catalog.name AND a.rolcanlogin",
    " AND (a.rolvaliduntil IS NULL OR a.rolvaliduntil OPERATOR(pg_catalog.>) pg_catalog.now())",
);

/// Before the queries, outside a transaction block: the pipeline is one transaction, which ends with it.
pub(super) const BEGIN_IDLE: &[&str] = &[
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SET LOCAL search_path = ''",
    "SET LOCAL client_encoding = 'UTF8'",
];

/// Before the queries, inside the client's transaction block.
pub(super) const BEGIN_IN_TRANSACTION: &[&str] = &[
    "SAVEPOINT \"pgpurpose: catalog\"",
    "SET LOCAL search_path = ''",
    "SET LOCAL client_encoding = 'UTF8'",
];

/// After them, or after a failure in there: leaves no trace in it.
pub(super) const END_IN_TRANSACTION: &[&str] = &[
    "ROLLBACK TO SAVEPOINT \"pgpurpose: catalog\"",
    "RELEASE SAVEPOINT \"pgpurpose: catalog\"",
];

/// The queries.
pub(super) const QUERIES: &[&str] = &[
    // 0: version, database, the session's temporary schema
    concat!(
        "SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.current_database(),",
        " (SELECT n.nspname FROM pg_catalog.pg_namespace n",
        "   WHERE n.oid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())",
    ),
    // 1: schemas, but for other sessions' temporary ones
    concat!(
        "SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n",
        " WHERE NOT pg_catalog.pg_is_other_temp_schema(n.oid)",
    ),
    // 2: relations; the definitions of PostgreSQL's own views are never read through
    concat!(
        "SELECT c.oid, c.relnamespace, c.relname, c.relkind,",
        " CASE WHEN c.relkind OPERATOR(pg_catalog.=) ANY ('{v,m}'::pg_catalog.\"char\"[])",
        "       AND c.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid",
        "      THEN pg_catalog.pg_get_viewdef(c.oid) END,",
        " CASE WHEN c.reloptions IS NOT NULL THEN",
        "  (SELECT o.option_value::pg_catalog.bool FROM pg_catalog.pg_options_to_table(c.reloptions) o",
        "    WHERE o.option_name OPERATOR(pg_catalog.=) 'security_barrier') END,",
        " EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid",
        "   AND r.ev_type OPERATOR(pg_catalog.<>) '1'::pg_catalog.\"char\")",
        " FROM pg_catalog.pg_class c",
    ),
    // 3: columns
    concat!(
        "SELECT a.attrelid, a.attnum, a.attname, a.atttypid,",
        " pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,",
        " a.attgenerated OPERATOR(pg_catalog.<>) ''::pg_catalog.\"char\"",
        " FROM pg_catalog.pg_attribute a",
        " JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid",
        " WHERE a.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2 AND NOT a.attisdropped",
        " AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f,S,c}'::pg_catalog.\"char\"[])",
        " ORDER BY a.attrelid, a.attnum",
    ),
    // 4: inheritance; of a sequence, the table whose column owns it
    concat!(
        "SELECT i.inhrelid, i.inhparent, i.inhseqno FROM pg_catalog.pg_inherits i",
        " UNION ALL SELECT d.objid, d.refobjid, 0 FROM pg_catalog.pg_depend d",
        " JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) d.objid",
        " WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid",
        " AND d.refclassid OPERATOR(pg_catalog.=) d.classid AND d.refobjsubid OPERATOR(pg_catalog.>) 0",
        " AND d.deptype OPERATOR(pg_catalog.=) ANY ('{a,i}'::pg_catalog.\"char\"[])",
        " AND c.relkind OPERATOR(pg_catalog.=) 'S'::pg_catalog.\"char\"",
        " ORDER BY 1, 3",
    ),
    // 5: primary keys, unique indexes, exclusion constraints
    concat!(
        "SELECT i.indrelid, i.indkey, i.indnkeyatts, i.indisprimary, c.relname,",
        " i.indexprs IS NULL AND i.indpred IS NULL",
        " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid",
        " WHERE i.indisunique OR i.indisexclusion",
    ),
    // 6: types
    concat!(
        "SELECT t.oid, t.typnamespace, t.typname, t.typtype, t.typrelid, t.typbasetype, t.typcategory, t.typelem",
        " FROM pg_catalog.pg_type t",
    ),
    // 7: functions
    concat!(
        "SELECT p.oid, p.pronamespace, p.proname, p.proargtypes, p.pronargdefaults,",
        " p.provariadic OPERATOR(pg_catalog.<>) 0::pg_catalog.oid, p.prorettype, p.proretset, p.prokind,",
        " p.oid::pg_catalog.regprocedure,",
        " CASE WHEN p.proargmodes IS NOT NULL THEN p.proallargtypes END, p.proargmodes,",
        " CASE WHEN p.proargmodes IS NOT NULL THEN pg_catalog.to_json(p.proargnames) END",
        " FROM pg_catalog.pg_proc p",
    ),
    // 8: operators
    concat!(
        "SELECT o.oid, o.oprnamespace, o.oprname, o.oprleft, o.oprright, o.oprcode::pg_catalog.oid",
        " FROM pg_catalog.pg_operator o WHERE o.oprcode OPERATOR(pg_catalog.<>) 0::pg_catalog.oid",
    ),
    // 9: members of extensions
    concat!(
        "SELECT d.classid, d.objid, e.extname FROM pg_catalog.pg_depend d",
        " JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid",
        " WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass::pg_catalog.oid",
        " AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog.\"char\"",
    ),
    // 10: what triggers call
    "SELECT DISTINCT t.tgfoid FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal",
];
