//! What no rule speaks of, asked for or not.

use askama::Template;
use time::OffsetDateTime;

use super::super::question::{Period, Question};
use super::super::view::gap::{self, Gap};
use super::super::view::words;
use super::{Face, Frame, Made, Visitor};

struct GapLine {
    gap: Gap,
    count: String,
    last: String,
    who: String,
    example: String,
}

struct DatabaseGaps {
    database: String,
    gaps: Vec<GapLine>,
}

#[derive(Template)]
#[template(path = "gaps.html", config = "src/admin/askama.toml")]
struct Gaps {
    frame: Frame,
    periods: Vec<Period>,
    period: String,
    met: Vec<GapLine>,
    unmet: Vec<DatabaseGaps>,
}

/// What no rule speaks of, asked for or not, and the lines that would change that.
pub fn gaps(face: &Face, question: &Question, visitor: &Visitor) -> Made {
    let filter = question.filter(OffsetDateTime::now_utc());
    let tally = face.store.tally(&question.key(), &filter)?;
    let rules = face.shared.rules.load_full();
    let catalogs = face.shared.catalogs.loaded();
    let mut met: Vec<_> = tally.gaps.iter().collect();
    met.sort_by_key(|(_, gap)| std::cmp::Reverse(gap.count));
    let met = met.into_iter().filter_map(|(name, used)| {
        let policy = rules.set.for_database(&used.database)?;
        let catalog = catalogs.iter().find(|(database, _)| *database == used.database);
        let purposes = used
            .purposes
            .by_count()
            .into_iter()
            .map(|(p, _)| words::visible(p))
            .take(4);
        let roles = used
            .roles
            .by_count()
            .into_iter()
            .map(|(r, _)| words::visible(r))
            .take(4);
        Some(GapLine {
            gap: gap::named(name, &policy, catalog.map(|(_, c)| &c.catalog)),
            count: words::count(used.count),
            last: words::time(&used.last),
            who: format!(
                "{} for {}",
                roles.collect::<Vec<_>>().join(", "),
                purposes.collect::<Vec<_>>().join(", ")
            ),
            example: uuid::Uuid::parse_str(&used.example).map_or_else(|_| String::new(), |id| format!("/events/{id}")),
        })
    });
    let unmet = catalogs.iter().filter_map(|(database, catalog)| {
        let policy = rules.set.for_database(database)?;
        let gaps = gap::of_database(&policy, &catalog.catalog).into_iter();
        let gaps = gaps
            .filter(|gap| !tally.gaps.contains_key(&gap.name))
            .map(|gap| GapLine {
                gap,
                count: String::new(),
                last: String::new(),
                who: String::new(),
                example: String::new(),
            });
        Some(DatabaseGaps {
            database: database.clone(),
            gaps: gaps.collect(),
        })
    });
    let page = Gaps {
        frame: Frame::new(face, visitor, question, "/gaps"),
        periods: question.periods("/gaps"),
        period: question.period(),
        met: met.collect(),
        unmet: unmet.collect(),
    };
    Ok(page.render()?)
}
