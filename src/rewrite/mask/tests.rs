use super::*;
use crate::catalog::{QualifiedName, Type, TypeKind};
use crate::policy::{DateGrain, JsonPath};

const KEYS: MaskKeys<'static> = MaskKeys {
    pseudonym: "pgpurpose.p",
    hash: "pgpurpose.h",
};

fn column(type_oid: u32, type_sql: &str) -> Column {
    Column {
        number: 1,
        name: "v".into(),
        type_oid,
        type_sql: type_sql.into(),
        not_null: false,
        generated: false,
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let text = column(25, "text");
    let int = column(23, "integer");
    let partial = |prefix, fill: &str| Mask::Partial {
        prefix,
        suffix: 4,
        fill: fill.into(),
    };
    let constant = |v: &str| Mask::Constant(v.into());
    let round = |n: &str| Mask::Round(n.into());
    for (mask, column) in [
        (Mask::Email, &int),
        (partial(u32::MAX, "*"), &text),
        (partial(1, "12345678901234567"), &text),
        (Mask::Generalize(DateGrain::Year), &text),
        (Mask::Fake("planet".into()), &text),
        (Mask::DateShift { days: 0 }, &column(1082, "date")),
        (Mask::IpPrefix { v4: 33, v6: 48 }, &column(869, "inet")),
        (Mask::Pseudonym, &column(1700, "numeric")),
        (Mask::Json(vec![JsonPath(vec![])]), &column(3802, "jsonb")),
        (Mask::Sql("{}); SELECT (1".into()), &text),
        (Mask::Sql("{} +".into()), &int),
        (round("0.5"), &int),
        (round("0"), &int),
        (round("0.00"), &column(1700, "numeric")),
        (round("-5"), &int),
        (round("1e3"), &int),
        (round("'; --"), &int),
        (constant("x"), &int),
        (constant("2147483648"), &int),
        (constant(" 1"), &int),
        (constant("+1"), &int),
        (constant("100.00"), &column(1700, "numeric(4,2)")),
        (constant("1.005"), &column(1700, "numeric(4,2)")),
        (constant("NaN"), &column(701, "double precision")),
        (constant("2023-02-29"), &column(1082, "date")),
        (constant("0000-01-01"), &column(1082, "date")),
        (constant("today"), &column(1082, "date")),
        (
            constant("2020-01-01 00:00:00"),
            &column(1184, "timestamp with time zone"),
        ),
        (
            constant("2020-01-01 24:00:00"),
            &column(1114, "timestamp without time zone"),
        ),
        (constant("too long"), &column(1043, "character varying(3)")),
        (constant("x"), &column(17, "bytea")),
        (constant("a\0"), &text),
    ] {
        let found = misfit(&mask, column, &Catalog::default());
        assert!(found.is_some(), "{mask:?} on {}", column.type_sql);
    }
}

#[test]
fn a_misfit_names_mask_column_and_type() {
    let found = misfit(&Mask::Email, &column(23, "integer"), &Catalog::default()).unwrap();
    assert_eq!(
        found.to_string(),
        "mask email does not fit column v of type integer: it needs a text column"
    );
}

#[test]
fn date_shift_needs_a_subject() {
    let date = column(1082, "date");
    let shift = Mask::DateShift { days: 30 };
    assert!(mask_expression(&shift, &date, &Catalog::default(), "t.v", &KEYS, None).is_err());
    assert!(mask_expression(&shift, &date, &Catalog::default(), "t.v", &KEYS, Some("t.id")).is_ok());
}

#[test]
fn a_domain_over_a_domain_is_masked_as_its_base_type() {
    let domain = |oid, base| Type {
        oid,
        name: QualifiedName::new("public", format!("d{oid}")),
        kind: TypeKind::Domain(base),
        category: 'S',
        element: 0,
        extension: None,
    };
    let mut catalog = Catalog::default();
    catalog.types.extend([domain(90_001, 90_002), domain(90_002, 25)]);
    catalog.types.push(Type {
        oid: 25,
        name: QualifiedName::new("pg_catalog", "text"),
        kind: TypeKind::Base,
        category: 'S',
        element: 0,
        extension: None,
    });
    let catalog = catalog.indexed();
    assert_eq!(
        null_expression(&column(90_001, "public.d90001"), &catalog),
        "NULL::pg_catalog.\"text\""
    );
    assert_eq!(misfit(&Mask::Email, &column(90_001, "public.d90001"), &catalog), None);
}

#[test]
fn a_type_named_citext_is_citext_only_of_the_extension() {
    let mut catalog = Catalog::default();
    catalog.types.push(Type {
        oid: 90_003,
        name: QualifiedName::new("public", "citext"),
        kind: TypeKind::Enum,
        category: 'E',
        element: 0,
        extension: None,
    });
    assert!(misfit(&Mask::Email, &column(90_003, "public.citext"), &catalog.indexed()).is_some());
}

/// `NULLIF`, `BETWEEN`, `IN`, `CASE x WHEN` and bare operators are looked up along the search_path.
#[test]
fn no_operator_function_or_type_is_unqualified() {
    let columns = [
        (25, "text"),
        (23, "integer"),
        (1082, "date"),
        (869, "inet"),
        (114, "json"),
        (2950, "uuid"),
    ];
    let masks = [
        Mask::Email,
        Mask::Pseudonym,
        Mask::Round("10".into()),
        Mask::Generalize(DateGrain::Year),
        Mask::DateShift { days: 3 },
        Mask::IpPrefix { v4: 24, v6: 48 },
        Mask::Fake("email".into()),
        Mask::Json(vec![JsonPath(vec!["a".into(), "b".into()])]),
        Mask::Partial {
            prefix: 1,
            suffix: 1,
            fill: "*".into(),
        },
    ];
    let mut tried = 0;
    for (oid, type_sql) in columns {
        for mask in &masks {
            let made = mask_expression(
                mask,
                &column(oid, type_sql),
                &Catalog::default(),
                "t.v",
                &KEYS,
                Some("t.s"),
            );
            let Ok(sql) = made else { continue };
            tried += 1;
            let tree = format!("{:?}", pg_query::parse(&format!("SELECT {sql}"), 0).unwrap().protobuf);
            for kind in ["AexprNullif", "AexprIn", "AexprBetween", "AexprDistinct", "AexprLike"] {
                assert!(!tree.contains(kind), "{kind} in {sql}");
            }
            // One-part names: of functions, operators and types alike.
            for list in ["funcname: [", "name: [", "names: ["] {
                for part in tree.split(list).skip(1) {
                    assert!(
                        part.contains("pg_catalog") && part.find("pg_catalog") < part.find(']'),
                        "{part:.200} in {sql}"
                    );
                }
            }
        }
    }
    assert!(tried > 10, "{tried}");
}
