//! `fake`: a made-up value, always the same for the same value and key, from short lists.

use super::{Site, keyed, op, text_literal};
use crate::rewrite::quote;

/// The kinds of made-up values.
pub const KINDS: [&str; 7] = ["name", "first_name", "last_name", "email", "phone", "company", "city"];

const FIRST_NAMES: &str = "Ada Ben Cleo Dana Eli Finn Gia Hugo Ida Jan Kim Leo Mara Nils Olga Pia \
    Quinn Rosa Sam Tara Uma Vito Wanda Xenia Yara Zeno Alma Boris Clara Dario Edda Fritz";
const LAST_NAMES: &str = "Abel Brook Castle Drake Elm Fox Grove Hill Iver Jolly Kent Lake Marsh North Oak Page \
    Quick Reed Stone Thorn Usher Vale Wells Xavier York Zorn Ashby Birch Cole Dunn Ember Field";
const COMPANIES: &str = "Acorn Beacon Cobalt Delta Ember Falcon Granite Harbor Indigo Juniper Kestrel Lantern Maple \
    Nimbus Orchid Pioneer";
const CITIES: &str = "Ashford Brookfield Clearwater Dunmore Eastport Fairview Glenwood Hillcrest Ironbridge Jasper \
    Kingsley Lakeside Midvale Northgate Oakham Parkview";

pub(super) fn fake(kind: &str, site: &Site<'_>) -> Result<String, String> {
    if !site.kind.is_text() {
        return Err("it needs a text column".into());
    }
    let text = site.text();
    let setting = site.keys.pseudonym;
    let byte = |index| keyed::byte(setting, "fake", &text, index);
    let pick = |words: &str, index| {
        let words: Vec<&str> = words.split_whitespace().collect();
        // Subscripts count from 1; the lists' lengths are powers of two.
        let subscript = op("1", "+", &op(&byte(index), "%", &words.len().to_string()));
        format!("({})[{subscript}]", quote::text_array(words.iter().copied()))
    };
    let join = |parts: &[String]| {
        parts
            .iter()
            .cloned()
            .reduce(|a, b| op(&a, "||", &b))
            .unwrap_or_default()
    };
    let two_digits = |index| {
        let number = op(&byte(index), "%", "100");
        format!("pg_catalog.lpad({number}::pg_catalog.text, 2, '0')")
    };
    let made_up = match kind {
        "name" => join(&[pick(FIRST_NAMES, 0), text_literal(" "), pick(LAST_NAMES, 1)]),
        "first_name" => pick(FIRST_NAMES, 0),
        "last_name" => pick(LAST_NAMES, 1),
        "email" => join(&[
            pick(&FIRST_NAMES.to_lowercase(), 0),
            text_literal("."),
            pick(&LAST_NAMES.to_lowercase(), 1),
            two_digits(2),
            text_literal("@example.com"),
        ]),
        // 555-0100 to 555-0199 are kept free for fiction.
        "phone" => join(&[text_literal("+1-202-555-01"), two_digits(2)]),
        "company" => join(&[pick(COMPANIES, 0), text_literal(" & "), pick(LAST_NAMES, 1)]),
        "city" => pick(CITIES, 0),
        _ => return Err(format!("there is no such kind; there are {}", KINDS.join(", "))),
    };
    Ok(keyed::guarded(setting, &site.typed_unless_null(&made_up)))
}
