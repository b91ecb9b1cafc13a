//! What happened, at a glance.

use askama::Template;
use time::OffsetDateTime;

use crate::audit::query::Filter;
use crate::audit::tally::{Account, OUTCOMES, Tally};
use crate::session::Rules;

use super::super::question::{Period, Question};
use super::super::view::chart::{self, Chart};
use super::super::view::entry::{self, Entry};
use super::super::view::{reason, words};
use super::{FEW, Face, Frame, Made, Ranked, Visitor, is_glass, parts, plain_rank, title};

#[derive(Template)]
#[template(path = "overview.html", config = "src/admin/askama.toml")]
struct Overview {
    frame: Frame,
    periods: Vec<Period>,
    headline: Headline,
    chart: Chart,
    legend: Vec<Ranked>,
    glass: Vec<Entry>,
    purposes: Vec<Ranked>,
    actors: Vec<Ranked>,
    categories: Vec<Ranked>,
    refusals: Vec<Ranked>,
    gaps: Vec<Ranked>,
    refused_link: String,
    gaps_link: String,
    events: Vec<Entry>,
    events_link: String,
    glass_link: String,
}

/// What happened, in a sentence.
struct Headline {
    period: String,
    statements: String,
    purposes: String,
    refused: String,
    gaps: String,
    rows: String,
}

/// What happened, at a glance.
pub fn overview(face: &Face, question: &Question, visitor: &Visitor) -> Made {
    let now = OffsetDateTime::now_utc();
    let tally = face.store.tally(&question.key(), &question.filter(now))?;
    let rules = face.shared.rules.load_full();
    let is_glass = |purpose: &str| is_glass(&rules, purpose);
    let (step, spans) = tally.over_time(60);
    let total = tally.all.outcomes.total();
    let statements = Filter {
        event: Some("statement".into()),
        ..question.filter(now)
    };
    let listed = face.store.newest(&statements, 10, None)?;
    let page = Overview {
        frame: Frame::new(face, visitor, question, "/"),
        periods: question.periods("/"),
        headline: Headline {
            period: question.period(),
            statements: words::counted(total, "statement"),
            purposes: words::counted(
                tally.purposes.keys().filter(|p| !p.is_empty()).count() as u64,
                "purpose",
            ),
            refused: words::count(tally.all.outcomes.of("refuse")),
            gaps: words::count(tally.all.outcomes.of("gap")),
            rows: words::counted(tally.all.rows, "row"),
        },
        chart: chart::outcomes(step, &spans),
        legend: legend(&tally.all, question),
        glass: entry::alone(tally.break_glass.iter().rev().take(FEW)),
        purposes: purposes(&tally, &rules, question),
        actors: actors(&tally, question),
        categories: categories(&tally, question),
        refusals: refusal_ranks(&tally, question),
        gaps: gap_ranks(&tally, question),
        refused_link: question.link("/refused", &[]),
        gaps_link: question.link("/gaps", &[]),
        events: entry::entries(listed.found.iter(), &is_glass),
        events_link: question.link("/events", &[("event", "statement")]),
        glass_link: question.link("/events", &[("event", "break_glass")]),
    };
    Ok(page.render()?)
}

fn legend(all: &Account, question: &Question) -> Vec<Ranked> {
    let some = OUTCOMES.iter().zip(all.outcomes.0).filter(|(_, count)| *count > 0);
    let ranks = some.map(|(outcome, count)| {
        plain_rank(
            outcome,
            count,
            all.outcomes.total(),
            question.link("/events", &[("outcome", outcome)]),
        )
    });
    ranks.collect()
}

fn purposes(tally: &Tally, rules: &Rules, question: &Question) -> Vec<Ranked> {
    let mut accounts: Vec<_> = tally.purposes.iter().collect();
    accounts.sort_by_key(|(_, account)| std::cmp::Reverse(account.outcomes.total()));
    let most = accounts.first().map_or(1, |(_, a)| a.outcomes.total());
    let ranks = accounts.into_iter().map(|(name, account)| Ranked {
        name: if name.is_empty() {
            "none declared".into()
        } else {
            words::visible(name)
        },
        note: title(&rules.set, name),
        count: words::count(account.outcomes.total()),
        share: 0,
        outcomes: parts(&account.outcomes, most),
        link: if name.is_empty() {
            question.link("/events", &[("code", "purpose_missing")])
        } else {
            question.link("/events", &[("purpose", name)])
        },
    });
    ranks.take(12).collect()
}

fn actors(tally: &Tally, question: &Question) -> Vec<Ranked> {
    let mut accounts: Vec<_> = tally.actors.iter().collect();
    accounts.sort_by_key(|(_, account)| std::cmp::Reverse(account.outcomes.total()));
    let most = accounts.first().map_or(1, |(_, a)| a.outcomes.total());
    let ranks = accounts.into_iter().map(|((role, actor), account)| Ranked {
        name: words::visible(role),
        note: words::one_line(&words::visible(actor), 60),
        count: words::count(account.outcomes.total()),
        share: 0,
        outcomes: parts(&account.outcomes, most),
        link: question.link("/events", &[("role", role), ("actor", actor)]),
    });
    ranks.take(12).collect()
}

fn categories(tally: &Tally, question: &Question) -> Vec<Ranked> {
    let released = tally.all.released();
    let most = released.first().map_or(1, |(_, count)| *count);
    let ranks = released.into_iter().map(|(name, count)| {
        let link = question.link("/events", &[("category", name), ("form", "released")]);
        plain_rank(name, count, most, link)
    });
    ranks.take(14).collect()
}

fn refusal_ranks(tally: &Tally, question: &Question) -> Vec<Ranked> {
    let codes = tally.all.codes.by_count();
    let most = codes.first().map_or(1, |(_, count)| *count);
    let ranks = codes.into_iter().map(|(code, count)| Ranked {
        note: reason::of(code).what.to_owned(),
        ..plain_rank(code, count, most, question.link("/events", &[("code", code)]))
    });
    ranks.take(FEW).collect()
}

fn gap_ranks(tally: &Tally, question: &Question) -> Vec<Ranked> {
    let mut gaps: Vec<_> = tally.gaps.iter().collect();
    gaps.sort_by_key(|(_, gap)| std::cmp::Reverse(gap.count));
    let most = gaps.first().map_or(1, |(_, gap)| gap.count);
    let ranks = gaps
        .into_iter()
        .map(|(name, gap)| plain_rank(name, gap.count, most, question.link("/gaps", &[])));
    ranks.take(FEW).collect()
}
