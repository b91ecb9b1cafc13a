//! Loads [`Privileges`] over a connection of its own, with fixed queries. For tools: sessions need
//! none, since PostgreSQL itself tests them.

use bytes::BytesMut;

use super::Upstream;
use super::ask::{self, AskError, rows};
use crate::catalog::privileges::{DatabaseRole, Grant, On, Privilege, Privileges};

/// In one transaction, so that they fit each other.
const QUERIES: &[&str] = &[
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
    // 1: roles
    "SELECT r.rolname, r.rolsuper, r.rolcanlogin FROM pg_catalog.pg_roles r",
    // 2: memberships whose privileges are had without SET ROLE
    concat!(
        "SELECT m.rolname, r.rolname FROM pg_catalog.pg_auth_members a",
        " JOIN pg_catalog.pg_roles m ON m.oid OPERATOR(pg_catalog.=) a.member",
        " JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) a.roleid",
        " WHERE pg_catalog.pg_has_role(a.member, a.roleid, 'USAGE')",
    ),
    // 3: schemas
    concat!(
        "SELECT g.rolname, n.nspname FROM pg_catalog.pg_namespace n,",
        " pg_catalog.aclexplode(COALESCE(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) x",
        " LEFT JOIN pg_catalog.pg_roles g ON g.oid OPERATOR(pg_catalog.=) x.grantee",
        " WHERE x.privilege_type OPERATOR(pg_catalog.=) 'USAGE'",
        " AND (x.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid OR g.oid IS NOT NULL)",
    ),
    // 4: relations that are not PostgreSQL's own
    concat!(
        "SELECT g.rolname, c.oid FROM pg_catalog.pg_class c,",
        " pg_catalog.aclexplode(COALESCE(c.relacl, pg_catalog.acldefault('r', c.relowner))) x",
        " LEFT JOIN pg_catalog.pg_roles g ON g.oid OPERATOR(pg_catalog.=) x.grantee",
        " WHERE c.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid",
        " AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f}'::pg_catalog.\"char\"[])",
        " AND x.privilege_type OPERATOR(pg_catalog.=) 'SELECT'",
        " AND (x.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid OR g.oid IS NOT NULL)",
    ),
    // 5: columns
    concat!(
        "SELECT g.rolname, a.attrelid, a.attnum FROM pg_catalog.pg_attribute a,",
        " pg_catalog.aclexplode(a.attacl) x",
        " LEFT JOIN pg_catalog.pg_roles g ON g.oid OPERATOR(pg_catalog.=) x.grantee",
        " WHERE a.attrelid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid AND NOT a.attisdropped",
        " AND x.privilege_type OPERATOR(pg_catalog.=) 'SELECT'",
        " AND (x.grantee OPERATOR(pg_catalog.=) 0::pg_catalog.oid OR g.oid IS NOT NULL)",
    ),
];

/// Reads all roles, and all grants on what is not PostgreSQL's own.
///
/// # Errors
/// See [`AskError`].
pub async fn load(upstream: &mut Upstream) -> Result<Privileges, AskError> {
    let results = ask::pipeline(upstream, QUERIES, &mut BytesMut::new()).await?;
    let mut privileges = Privileges::default();
    for row in rows(&results, 1)? {
        let mut row = row?;
        let role = DatabaseRole {
            superuser: false,
            login: false,
            member_of: Vec::new(),
        };
        let name = row.text("role")?;
        let role = DatabaseRole {
            superuser: row.flag("role")?,
            login: row.flag("role")?,
            ..role
        };
        privileges.roles.insert(name, role);
    }
    for row in rows(&results, 2)? {
        let mut row = row?;
        let member = row.text("member")?;
        let of = row.text("member")?;
        if let Some(role) = privileges.roles.get_mut(&member) {
            role.member_of.push(of);
        }
    }
    for row in rows(&results, 3)? {
        let mut row = row?;
        privileges.grants.push(Grant {
            to: row.optional("grantee")?,
            privilege: Privilege::Usage,
            on: On::Schema(row.text("schema")?),
        });
    }
    for row in rows(&results, 4)? {
        let mut row = row?;
        privileges.grants.push(Grant {
            to: row.optional("grantee")?,
            privilege: Privilege::Select,
            on: On::Relation(row.number("relation")?),
        });
    }
    for row in rows(&results, 5)? {
        let mut row = row?;
        privileges.grants.push(Grant {
            to: row.optional("grantee")?,
            privilege: Privilege::Select,
            on: On::Column(row.number("column")?, row.number("column")?),
        });
    }
    Ok(privileges)
}
