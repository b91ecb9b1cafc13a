//! The matrix as a page: columns by purposes, each cell coloured by how much it shows.

use askama::Template;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::policy::{Cell, Matrix, MatrixTable, Mode, Policy};

/// The matrices of one database.
#[derive(Debug, Clone, Copy)]
pub struct MatrixOf<'a> {
    /// Which; none for all that no file names.
    pub database: Option<&'a str>,
    /// Its rules.
    pub policy: &'a Policy,
    /// What anybody could see, or what roles see.
    pub matrices: &'a [Matrix],
}

#[derive(Template)]
#[template(path = "matrix.html", config = "src/pages/askama.toml")]
struct Page<'a> {
    style: &'static str,
    sha256: &'a str,
    made: String,
    databases: &'a [MatrixOf<'a>],
}

#[derive(Template)]
#[template(path = "matrix_tables.html", config = "src/pages/askama.toml")]
struct Tables<'a> {
    policy: &'a Policy,
    matrix: &'a Matrix,
}

/// The whole page, made at `now`.
pub fn matrix(databases: &[MatrixOf<'_>], sha256: &str, now: OffsetDateTime) -> String {
    let made = now.format(format_description!("[year]-[month]-[day] [hour]:[minute] UTC"));
    let page = Page {
        style: super::STYLE,
        sha256,
        made: made.unwrap_or_default(),
        databases,
    };
    rendered(&page)
}

/// The tables of one matrix, to stand in another page that has [`super::STYLE`].
pub fn matrix_tables(policy: &Policy, matrix: &Matrix) -> String {
    rendered(&Tables { policy, matrix })
}

/// Writing into a string fails for nothing but a `Display` that fails, of which there is none here.
fn rendered(template: &impl Template) -> String {
    template.render().unwrap_or_default()
}

impl MatrixOf<'_> {
    fn mode(&self) -> &'static str {
        match self.policy.mode {
            Mode::Enforce => "enforced",
            Mode::Observe => "observed only",
        }
    }
}

impl Tables<'_> {
    /// What sets a purpose apart, in a few words.
    fn marks(&self, purpose: &str) -> Vec<String> {
        let Some(purpose) = self.policy.purposes.get(purpose) else {
            return Vec::new();
        };
        let marks = [
            purpose
                .aggregate
                .then(|| format!("statistics over {}+", purpose.min_group_size)),
            purpose.one_subject.then(|| "one person's rows".to_owned()),
            purpose
                .break_glass
                .map(|glass| format!("break glass, {} min", glass.max_minutes)),
            (purpose.reason_required && purpose.break_glass.is_none()).then(|| "with a reason".to_owned()),
            purpose.max_rows.map(|rows| format!("at most {rows} rows")),
            purpose
                .max_queries_per_day
                .map(|n| format!("at most {n} queries a day")),
            purpose.ddl.then(|| "may change the schema".to_owned()),
            purpose.expires.map(|day| format!("until {day}")),
        ];
        marks.into_iter().flatten().collect()
    }

    fn title(&self, purpose: &str) -> &str {
        let purpose = self.policy.purposes.get(purpose);
        purpose.and_then(|purpose| purpose.title.as_deref()).unwrap_or_default()
    }

    fn is_filtered(&self, table: &MatrixTable) -> bool {
        table.filters.iter().any(|names| !names.is_empty())
    }

    /// A dotted name as HTML, which may be broken behind `.` and `_`.
    fn breakable(&self, name: &str) -> String {
        let mut html = String::new();
        for c in name.chars() {
            match c {
                '&' => html.push_str("&amp;"),
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '.' | '_' => html.extend([c.to_string().as_str(), "<wbr>"]),
                _ => html.push(c),
            }
        }
        html
    }

    fn rule(&self, cell: &Cell) -> String {
        cell.rule().map(ToString::to_string).unwrap_or_default()
    }
}
