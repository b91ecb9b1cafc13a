//! Consent: what the records of a data subject say of a purpose.
//!
//! A refusal or withdrawal at the purpose or an ancestor wins; an expired consent is none, a
//! refusal does not expire. Where records carry their time, the latest of a purpose speaks for it.

use crate::catalog::Catalog;
use crate::policy::{Condition, ConsentTable, Policy};
use crate::rewrite::quote;

use super::{FilterSql, Misbound, Moment, Target, UTC_NOW, find_column, key, key_type, misbound};

/// The condition on the subject of a row of the target.
///
/// # Errors
/// There is no consent table, or it does not fit the catalog.
pub fn condition_sql(
    condition: &Condition,
    target: &Target<'_>,
    policy: &Policy,
    catalog: &Catalog,
) -> Result<FilterSql, Misbound> {
    let consent = policy
        .consent
        .as_ref()
        .ok_or_else(|| misbound(target.table, "there is no consent table".into()))?;
    let records = Records {
        consent,
        condition,
        target,
        catalog,
        alias: target.inner_alias("consent"),
        later: target.inner_alias("later"),
    };
    let mut relations = Vec::new();
    let refused = records.refused(&mut relations)?;
    if !condition.opt_in {
        let sql = format!("(NOT {refused})");
        return Ok(FilterSql { sql, relations });
    }
    let given = records.given(&mut relations)?;
    let sql = format!("(NOT {refused} AND {given})");
    Ok(FilterSql { sql, relations })
}

struct Records<'a> {
    consent: &'a ConsentTable,
    condition: &'a Condition,
    target: &'a Target<'a>,
    catalog: &'a Catalog,
    alias: String,
    later: String,
}

impl Records<'_> {
    /// There is a refusal or withdrawal that stands.
    fn refused(&self, relations: &mut Vec<crate::catalog::QualifiedName>) -> Result<String, Misbound> {
        let mut wheres = self.of_subject_and_status(&self.consent.withdrawn)?;
        relations.push(self.consent.table.clone());
        if let Some(recorded_at) = &self.consent.recorded_at {
            // Without a time it stands, whatever else was recorded.
            let is_later = format!(
                "({} OPERATOR(pg_catalog.>) {})",
                self.column(&self.later, recorded_at)?,
                self.column(&self.alias, recorded_at)?
            );
            wheres.push(self.not_superseded(&is_later)?);
            relations.push(self.consent.table.clone());
        }
        Ok(self.exists(&wheres))
    }

    /// There is a consent that stands and has not expired.
    fn given(&self, relations: &mut Vec<crate::catalog::QualifiedName>) -> Result<String, Misbound> {
        let mut wheres = self.of_subject_and_status(&self.consent.given)?;
        relations.push(self.consent.table.clone());
        if let Some(expires) = &self.consent.expires {
            let moment = Moment::of(self.catalog, &self.consent.table, expires)?;
            let at = self.column(&self.alias, expires)?;
            wheres.push(format!(
                "({at} IS NULL OR {at} OPERATOR(pg_catalog.>) {})",
                moment.of_utc(UTC_NOW)
            ));
        }
        if let Some(recorded_at) = &self.consent.recorded_at {
            // Without a time it is older than any that has one.
            let (at, later_at) = (
                self.column(&self.alias, recorded_at)?,
                self.column(&self.later, recorded_at)?,
            );
            let is_later =
                format!("({later_at} OPERATOR(pg_catalog.>) {at} OR ({at} IS NULL AND {later_at} IS NOT NULL))");
            wheres.push(self.not_superseded(&is_later)?);
            relations.push(self.consent.table.clone());
        }
        Ok(self.exists(&wheres))
    }

    fn exists(&self, wheres: &[String]) -> String {
        format!(
            "EXISTS (SELECT FROM {} AS {} WHERE {})",
            quote::qualified(&self.consent.table),
            self.alias,
            wheres.join(" AND ")
        )
    }

    /// A record of the subject, of a purpose that counts, with one of these statuses. Purpose and
    /// status may be of any type, an enum or boolean say, and are compared as text.
    fn of_subject_and_status(&self, statuses: &[String]) -> Result<Vec<String>, Misbound> {
        let one_of = |column: &str, values: &[String]| -> Result<String, Misbound> {
            Ok(format!(
                "({}::pg_catalog.text OPERATOR(pg_catalog.=) ANY ({}))",
                self.column(&self.alias, column)?,
                quote::text_array(values.iter().map(String::as_str))
            ))
        };
        Ok(vec![
            self.is_of_subject(&self.alias)?,
            one_of(&self.consent.purpose, &self.condition.purposes)?,
            one_of(&self.consent.status, statuses)?,
        ])
    }

    fn is_of_subject(&self, alias: &str) -> Result<String, Misbound> {
        key::equal(
            (
                &self.column(alias, &self.consent.subject)?,
                &key_type(self.catalog, &self.consent.table, &self.consent.subject)?,
            ),
            (
                &self.target.column(&self.condition.key),
                &key_type(self.catalog, self.target.table, &self.condition.key)?,
            ),
            self.target.table,
        )
    }

    /// No later record of the same subject and purpose, whatever its status.
    fn not_superseded(&self, is_later: &str) -> Result<String, Misbound> {
        Ok(format!(
            "NOT EXISTS (SELECT FROM {} AS {} WHERE {} AND \
             ({}::pg_catalog.text OPERATOR(pg_catalog.=) {}::pg_catalog.text) AND {is_later})",
            quote::qualified(&self.consent.table),
            self.later,
            self.is_of_subject(&self.later)?,
            self.column(&self.later, &self.consent.purpose)?,
            self.column(&self.alias, &self.consent.purpose)?,
        ))
    }

    /// `alias.column` of the consent table, which must have it.
    fn column(&self, alias: &str, name: &str) -> Result<String, Misbound> {
        find_column(self.catalog, &self.consent.table, name)?;
        Ok(format!("{alias}.{}", quote::ident(name)))
    }
}
