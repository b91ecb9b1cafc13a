//! What values tell: formats, check digits, short dictionaries. Each detector gives the share of values
//! that look like it; nobody keeps a value.

use std::net::IpAddr;

/// A kind of value: its category, what it is called in evidence, and how much all of its values say.
pub(super) struct Detector {
    pub(super) category: &'static str,
    pub(super) what: &'static str,
    /// How sure, where all values look like it.
    pub(super) confidence: f64,
    /// The least share of values that counts.
    pub(super) least: f64,
    pub(super) looks: fn(&str) -> bool,
}

/// All of them, the more telling first.
pub(super) const DETECTORS: &[Detector] = &[
    Detector {
        category: "user.contact.email",
        what: "e-mail addresses",
        confidence: 0.97,
        least: 0.7,
        looks: is_email,
    },
    Detector {
        category: "user.financial.bank_account",
        what: "IBANs by their check digits",
        confidence: 0.98,
        least: 0.7,
        looks: is_iban,
    },
    Detector {
        category: "user.financial.credit_card",
        what: "card numbers by their check digit",
        confidence: 0.95,
        least: 0.9,
        looks: is_card,
    },
    Detector {
        category: "user.government_id.national_identification_number",
        what: "social security numbers by their form",
        confidence: 0.9,
        least: 0.9,
        looks: is_ssn,
    },
    Detector {
        category: "user.device.ip_address",
        what: "IP addresses",
        confidence: 0.85,
        least: 0.9,
        looks: is_ip,
    },
    Detector {
        category: "user.device.device_id",
        what: "MAC addresses",
        confidence: 0.85,
        least: 0.9,
        looks: is_mac,
    },
    Detector {
        category: "user.contact.phone_number",
        what: "telephone numbers by their form",
        confidence: 0.8,
        least: 0.8,
        looks: is_phone,
    },
    Detector {
        category: "user.contact.address.street",
        what: "streets with house numbers",
        confidence: 0.75,
        least: 0.6,
        looks: is_street,
    },
    Detector {
        category: "user.name",
        what: "first and last names",
        confidence: 0.85,
        least: 0.4,
        looks: is_full_name,
    },
    Detector {
        category: "user.name.first",
        what: "first names",
        confidence: 0.8,
        least: 0.4,
        looks: is_first_name,
    },
];

/// The share of `values` that look like it.
pub(super) fn share(values: &[String], looks: fn(&str) -> bool) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let hits = values.iter().filter(|value| looks(value.trim())).count();
    hits as f64 / values.len() as f64
}

pub(super) fn is_email(value: &str) -> bool {
    let Some((local, domain)) = value.rsplit_once('@') else {
        return false;
    };
    let plain = |c: char| c.is_alphanumeric() || "._%+-'".contains(c);
    !local.is_empty()
        && local.chars().all(plain)
        && domain.contains('.')
        && !domain.starts_with('.')
        && domain.chars().all(|c| c.is_alphanumeric() || c == '.' || c == '-')
}

/// ISO 13616: the rearranged number leaves 1 modulo 97.
fn is_iban(value: &str) -> bool {
    let text: String = value.chars().filter(|c| *c != ' ').collect();
    if !(15..=34).contains(&text.len()) || !text.is_ascii() || !text.starts_with(|c: char| c.is_ascii_uppercase()) {
        return false;
    }
    let (head, rest) = text.split_at(4);
    let country = head.bytes().take(2).all(|b| b.is_ascii_uppercase());
    let mut remainder = 0u32;
    for c in rest.chars().chain(head.chars()) {
        let Some(digit) = c.to_digit(36) else { return false };
        remainder = (remainder * if digit > 9 { 100 } else { 10 } + digit) % 97;
    }
    country && remainder == 1
}

/// ISO/IEC 7812: Luhn's check digit, and as long as a card's number is.
fn is_card(value: &str) -> bool {
    let digits: Vec<u32> = value
        .chars()
        .filter(|c| !" -".contains(*c))
        .map_while(|c| c.to_digit(10))
        .collect();
    let only = value.chars().all(|c| c.is_ascii_digit() || c == ' ' || c == '-');
    if !only || !(13..=19).contains(&digits.len()) || !matches!(digits.first(), Some(2..=6)) {
        return false;
    }
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| if i % 2 == 1 { doubled(*d) } else { *d })
        .sum();
    sum.is_multiple_of(10)
}

/// `123-45-6789`, as the US writes it.
fn is_ssn(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|p| p.len()).collect();
    lengths == [3, 2, 4] && parts.iter().all(|p| p.bytes().all(|b| b.is_ascii_digit()))
}

fn is_ip(value: &str) -> bool {
    let address = value.split('/').next().unwrap_or_default();
    value.contains(['.', ':']) && address.parse::<IpAddr>().is_ok()
}

fn is_mac(value: &str) -> bool {
    let parts: Vec<&str> = value.split([':', '-']).collect();
    parts.len() == 6
        && parts
            .iter()
            .all(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Seven to fifteen digits (ITU-T E.164) with the marks that people put between them, and at least one mark.
pub(super) fn is_phone(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let marks = value.chars().any(|c| "+()-. /".contains(c));
    let only = value.chars().all(|c| c.is_ascii_digit() || "+()-. /x".contains(c));
    // Dates and decimal numbers are of digits and marks, too.
    let date = value.len() == 10 && value.split('-').map(str::len).eq([4, 2, 2]);
    let decimal = value.parse::<f64>().is_ok() && !value.starts_with('+');
    let address = value.parse::<IpAddr>().is_ok();
    only && marks && (7..=15).contains(&digits) && !date && !decimal && !address && !value.contains(':')
}

fn is_street(value: &str) -> bool {
    let words: Vec<&str> = value.split([' ', ',']).filter(|w| !w.is_empty()).collect();
    let number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.len() <= 6;
    let letters = |word: &&str| word.chars().filter(|c| c.is_alphabetic()).count() >= 3;
    let ends = words.first().is_some_and(number) || words.last().is_some_and(number);
    (2..=8).contains(&words.len()) && ends && words.iter().any(letters) && !value.contains(':')
}

fn is_first_name(value: &str) -> bool {
    let lower = value.to_lowercase();
    !value.contains(' ') && FIRST_NAMES.split_whitespace().any(|name| name == lower)
}

fn is_full_name(value: &str) -> bool {
    let words: Vec<&str> = value.split_whitespace().collect();
    (2..=4).contains(&words.len())
        && words.iter().all(|w| w.starts_with(char::is_uppercase))
        && words.first().is_some_and(|first| is_first_name(first))
}

/// Common first names of several languages. Written for this program.
const FIRST_NAMES: &str = "aaron adam adrian agnes ahmed alan albert alejandra alejandro alessia alex alexander alexandra \
alexei ali alice alicia amanda amber amy ana andrea andreas andrew angela anita ann anna anne annette antonio ashley astrid \
barbara ben benjamin bernard beth betty bjorn brandon brenda brian bruno camille carl carla carlos carmen carol caroline \
catherine cecilia charles charlotte chen chiara chloe chris christian christina christine christopher clara claudia cynthia \
dan daniel daniela david dana davide deborah denise dennis diana diego dieter dirk dmitry dominique donald donna dorothy \
douglas eduardo edward elena elizabeth ella ellen emil emily emma enrique eric erik ernst eva ewa fatima federico felix \
fernanda fernando fiona fynn frances francisco frank françois françoise franz fred gabriel gary george gerald gerard giulia \
gloria grace greg gregory guillermo gunther gustav hanna hannah hannes hans harold harriet harry heather heidi heike helen \
helena helene henry hugo ian ines ingrid irene isabel isabelle ivan jack jacob jacques jakub james jan jane janet janice jason \
javier jean jeff jeffrey jennifer jens jeremy jerry jessica jesus jim joan joanna joe johan johannes john jonas jonathan \
jorge jose josé joseph joshua joyce juan judith judy julia julie julien jürgen justin karen karin karl katherine kathleen \
kathy keith kelly kenneth kevin kim kyle lars larry laura lauren laurence lea leon leonie leonard linda lisa lorenzo louis \
louise lucas lucia ludwig luis luca luke lynn madalena maja manuel manuela marc margaret maria marie marina mario marion \
mark marta martha martin martina mary mathias matthew matthias maximilian megan mei melissa michael michele michelle miguel \
mike minh mohamed monica monika nancy naomi natalie nathan nicholas nicolas nicole niklas nils noah nora olga oliver olivia \
oscar otto pablo pamela paolo pat patricia patrick paul paula pavel pawel pedro penelope peter petra philip philippe phil \
pierre rachel rafael ralph ramon raymond rebecca renate renee rhonda ricardo richard rita robert roberto robin roger roland \
roman ronald rosa rose roxana roy russell ruth ryan sabine sally samantha samuel sandra sandy sara sarah sean sebastian \
sergio sharon shirley silvia simon simone sofia sofie sophie stanislaw stefan stefanie stella stephanie stephen steve steven \
stuart susan susanne sven sylvia tamara tanja teresa terry theo theresa thierry thomas tim timothy tina tobias todd tom \
tomas tony tyler ulrich ursula valentina valerie vera veronica victor victoria vincent virginia walter wanda wayne wei wendy \
werner wilhelm will william wolfgang xavier yan yang yoshi yvonne zoe zoey";

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each detector: values that look like it, and that do not.
    #[test]
    fn detectors_tell_their_values_from_others() {
        type Cases = (fn(&str) -> bool, &'static [&'static str], &'static [&'static str]);
        let cases: &[Cases] = &[
            (
                is_email,
                &["a.b+c@example.co.uk", "luís@example.pt"],
                &["a@b", "@x.y", "a b@c.d", "x@.y"],
            ),
            (
                is_iban,
                &["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32"],
                &["DE89370400440532013001", "DE8937", "d"],
            ),
            (
                is_card,
                &["4111 1111 1111 1111", "5500005555555559"],
                &["4111111111111112", "1234567", "0000000000000000"],
            ),
            (is_ssn, &["123-45-6789"], &["2024-01-01", "123-456-789"]),
            (
                is_ip,
                &["10.0.0.7", "2001:db8::1", "10.0.0.0/8"],
                &["1.2.3", "12:30:00", "300.1.1.1"],
            ),
            (is_mac, &["08:00:2b:01:02:03"], &["08:00:2b:01:02"]),
            (
                is_phone,
                &["+1 (514) 721-4711", "030-0074321", "(171) 555-7788"],
                &["2024-01-01", "3.141592653", "12345678", "10.1.2.3"],
            ),
            (
                is_street,
                &["Obere Str. 57", "1498 rue Bélanger"],
                &["For Those About To Rock", "12", "10:30 Uhr 5"],
            ),
            (
                is_full_name,
                &["Ana Trujillo", "Thomas Hardy"],
                &["Rock and Roll", "Ana"],
            ),
        ];
        for (looks, yes, no) in cases {
            yes.iter().for_each(|value| assert!(looks(value), "{value}"));
            no.iter().for_each(|value| assert!(!looks(value), "{value}"));
        }
    }
}
