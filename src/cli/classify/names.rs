//! What a column's name tells. Words of English, and of the languages that schemas of Europe are written in;
//! categories are those of fideslang (Apache-2.0, <https://ethyca.github.io/fideslang>).

/// A name's words: split at underscores, blanks and changes of case.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut before_lower = false;
    for c in name.chars() {
        let breaks = !c.is_alphanumeric() || (c.is_uppercase() && before_lower);
        if breaks && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        before_lower = c.is_lowercase() || c.is_numeric();
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Tables whose rows are people.
const PEOPLE: &[&str] = &[
    "customer",
    "customers",
    "user",
    "users",
    "person",
    "persons",
    "people",
    "employee",
    "employees",
    "staff",
    "client",
    "clients",
    "contact",
    "contacts",
    "patient",
    "patients",
    "member",
    "members",
    "subscriber",
    "subscribers",
    "agent",
    "agents",
    "student",
    "students",
    "teacher",
    "teachers",
    "passenger",
    "passengers",
    "guest",
    "guests",
    "lead",
    "leads",
    "author",
    "authors",
    "actor",
    "actors",
    "account",
    "accounts",
    "profile",
    "profiles",
    "applicant",
    "applicants",
    "candidate",
    "candidates",
    "doctor",
    "doctors",
    "driver",
    "drivers",
    "donor",
    "donors",
    "visitor",
    "visitors",
    "owner",
    "owners",
    "kunde",
    "kunden",
    "mitarbeiter",
    "clientes",
    "cliente",
    "usuario",
    "usuarios",
    "salesperson",
    "individual",
    "individuals",
    "citizen",
    "citizens",
    "buyer",
    "buyers",
    "participant",
    "participants",
    "composer",
];

/// Of these, those who work for the controller.
const STAFF: &[&str] = &[
    "employee",
    "employees",
    "staff",
    "agent",
    "agents",
    "mitarbeiter",
    "salesperson",
    "teacher",
    "teachers",
    "doctor",
    "doctors",
    "driver",
    "drivers",
];

/// Whether the rows of a table of that name are people.
pub(super) fn of_people(table: &str) -> bool {
    // The last word is what the rows are: `customer_orders` are orders, and `customers_archive` customers.
    let words = words(table);
    let last = words.last().map(String::as_str).unwrap_or_default();
    let history = matches!(
        last,
        "archive" | "history" | "old" | "backup" | "details" | "info" | "data"
    );
    let what = match (history, words.len()) {
        (true, n) if n > 1 => words.get(n - 2).map(String::as_str).unwrap_or_default(),
        _ => last,
    };
    PEOPLE.contains(&what)
}

/// Whether they work for the controller.
pub(super) fn of_staff(table: &str) -> bool {
    words(table).iter().any(|word| STAFF.contains(&word.as_str()))
}

/// What a name says by itself: words that must be in it together, a category, how sure.
const SAYS: &[(&str, &str, f64)] = &[
    ("email", "user.contact.email", 0.9),
    ("e mail", "user.contact.email", 0.9),
    ("mail address", "user.contact.email", 0.6),
    ("mail", "user.contact.email", 0.55),
    ("phone", "user.contact.phone_number", 0.9),
    ("telephone", "user.contact.phone_number", 0.9),
    ("homephone", "user.contact.phone_number", 0.9),
    ("phonenumber", "user.contact.phone_number", 0.9),
    ("mobile", "user.contact.phone_number", 0.75),
    ("cell", "user.contact.phone_number", 0.55),
    ("fax", "user.contact.fax_number", 0.85),
    ("first name", "user.name.first", 0.92),
    ("firstname", "user.name.first", 0.92),
    ("given name", "user.name.first", 0.92),
    ("forename", "user.name.first", 0.92),
    ("vorname", "user.name.first", 0.92),
    ("nombre", "user.name.first", 0.6),
    ("prenom", "user.name.first", 0.85),
    ("last name", "user.name.last", 0.92),
    ("lastname", "user.name.last", 0.92),
    ("surname", "user.name.last", 0.92),
    ("family name", "user.name.last", 0.92),
    ("nachname", "user.name.last", 0.92),
    ("apellido", "user.name.last", 0.85),
    ("middle name", "user.name", 0.85),
    ("middlename", "user.name", 0.85),
    ("maiden name", "user.name", 0.9),
    ("full name", "user.name", 0.9),
    ("fullname", "user.name", 0.9),
    ("nick name", "user.name", 0.7),
    ("nickname", "user.name", 0.7),
    ("contact name", "user.name", 0.85),
    ("contactname", "user.name", 0.85),
    ("customer name", "user.name", 0.8),
    ("employee name", "user.name", 0.85),
    ("user name", "user.account.username", 0.8),
    ("username", "user.account.username", 0.85),
    ("login", "user.account.username", 0.6),
    ("login id", "user.account.username", 0.75),
    ("screen name", "user.account.username", 0.7),
    ("password", "user.authorization.credentials", 0.95),
    ("passwd", "user.authorization.credentials", 0.95),
    ("pwd", "user.authorization.credentials", 0.8),
    ("password hash", "user.authorization.credentials", 0.95),
    ("password salt", "user.authorization.credentials", 0.9),
    ("salt", "user.authorization.credentials", 0.6),
    ("otp", "user.authorization.credentials", 0.6),
    ("api key", "user.authorization.credentials", 0.7),
    ("access token", "user.authorization.credentials", 0.7),
    ("auth token", "user.authorization.credentials", 0.7),
    ("secret", "user.authorization.credentials", 0.55),
    ("birth date", "user.demographic.date_of_birth", 0.95),
    ("birthdate", "user.demographic.date_of_birth", 0.95),
    ("date birth", "user.demographic.date_of_birth", 0.95),
    ("birthday", "user.demographic.date_of_birth", 0.92),
    ("birth day", "user.demographic.date_of_birth", 0.92),
    ("dob", "user.demographic.date_of_birth", 0.9),
    ("geburtsdatum", "user.demographic.date_of_birth", 0.95),
    ("birth year", "user.demographic.age_range", 0.85),
    ("gender", "user.demographic.gender", 0.9),
    ("sex", "user.demographic.gender", 0.8),
    ("marital status", "user.demographic.marital_status", 0.9),
    ("maritalstatus", "user.demographic.marital_status", 0.9),
    ("ethnicity", "user.demographic.race_ethnicity", 0.92),
    ("race", "user.demographic.race_ethnicity", 0.6),
    ("nationality", "user.demographic.race_ethnicity", 0.6),
    ("religion", "user.demographic.religious_belief", 0.92),
    ("political", "user.demographic.political_opinion", 0.7),
    ("sexual orientation", "user.demographic.sexual_orientation", 0.95),
    ("trade union", "user.demographic.trade_union", 0.9),
    ("criminal", "user.criminal_history", 0.8),
    ("conviction", "user.criminal_history", 0.7),
    ("health", "user.health_and_medical", 0.85),
    ("medical", "user.health_and_medical", 0.85),
    ("diagnosis", "user.health_and_medical", 0.92),
    ("disease", "user.health_and_medical", 0.85),
    ("illness", "user.health_and_medical", 0.9),
    ("allergy", "user.health_and_medical", 0.85),
    ("allergies", "user.health_and_medical", 0.85),
    ("medication", "user.health_and_medical", 0.85),
    ("blood type", "user.health_and_medical", 0.9),
    ("disability", "user.health_and_medical", 0.9),
    ("sick leave", "user.health_and_medical", 0.75),
    ("sickleavehours", "user.health_and_medical", 0.75),
    ("ssn", "user.government_id.national_identification_number", 0.95),
    (
        "social security",
        "user.government_id.national_identification_number",
        0.95,
    ),
    ("national id", "user.government_id.national_identification_number", 0.9),
    (
        "nationalidnumber",
        "user.government_id.national_identification_number",
        0.92,
    ),
    ("tax id", "user.government_id.national_identification_number", 0.8),
    ("passport", "user.government_id.passport_number", 0.92),
    ("driver license", "user.government_id.drivers_license_number", 0.9),
    ("drivers license", "user.government_id.drivers_license_number", 0.9),
    ("iban", "user.financial.bank_account", 0.92),
    ("bank account", "user.financial.bank_account", 0.9),
    ("account number", "user.financial.bank_account", 0.65),
    ("card number", "user.financial.credit_card", 0.85),
    ("cardnumber", "user.financial.credit_card", 0.85),
    ("credit card", "user.financial.credit_card", 0.75),
    ("cvv", "user.financial.credit_card", 0.92),
    ("salary", "user.financial", 0.9),
    ("income", "user.financial", 0.7),
    ("credit score", "user.financial", 0.9),
    ("address", "user.contact.address.street", 0.75),
    ("address1", "user.contact.address.street", 0.8),
    ("address2", "user.contact.address.street", 0.8),
    ("addressline1", "user.contact.address.street", 0.85),
    ("addressline2", "user.contact.address.street", 0.85),
    ("address line", "user.contact.address.street", 0.85),
    ("street", "user.contact.address.street", 0.85),
    ("strasse", "user.contact.address.street", 0.85),
    ("ship address", "user.contact.address.street", 0.85),
    ("postal code", "user.contact.address.postal_code", 0.85),
    ("postalcode", "user.contact.address.postal_code", 0.85),
    ("postcode", "user.contact.address.postal_code", 0.85),
    ("zip", "user.contact.address.postal_code", 0.8),
    ("zipcode", "user.contact.address.postal_code", 0.85),
    ("plz", "user.contact.address.postal_code", 0.85),
    ("ip address", "user.device.ip_address", 0.92),
    ("ip", "user.device.ip_address", 0.75),
    ("ipaddress", "user.device.ip_address", 0.92),
    ("mac address", "user.device.device_id", 0.85),
    ("device id", "user.device.device_id", 0.9),
    ("device", "user.device.device_id", 0.55),
    ("user agent", "user.device", 0.85),
    ("cookie", "user.device.cookie_id", 0.85),
    ("cookie id", "user.device.cookie_id", 0.92),
    ("latitude", "user.location.precise", 0.7),
    ("longitude", "user.location.precise", 0.7),
    ("geolocation", "user.location.precise", 0.75),
    ("fingerprint", "user.biometric", 0.65),
    ("biometric", "user.biometric", 0.95),
    ("photo", "user.image", 0.55),
    ("avatar", "user.image", 0.7),
    ("signature", "user.biometric", 0.4),
];

/// What a name says only of people: in a table of people, or of what they did.
const SAYS_OF_PEOPLE: &[(&str, &str, f64)] = &[
    ("name", "user.name", 0.8),
    ("city", "user.contact.address.city", 0.8),
    ("town", "user.contact.address.city", 0.75),
    ("ort", "user.contact.address.city", 0.7),
    ("district", "user.contact.address.state", 0.7),
    ("state", "user.contact.address.state", 0.7),
    ("province", "user.contact.address.state", 0.75),
    ("region", "user.contact.address.state", 0.6),
    ("country", "user.contact.address.country", 0.7),
    ("title", "user.job_title", 0.55),
    ("job title", "user.job_title", 0.8),
    ("jobtitle", "user.job_title", 0.8),
    ("contact title", "user.job_title", 0.8),
    ("title courtesy", "user.demographic.gender", 0.65),
    ("position", "user.job_title", 0.55),
    ("company", "user.workplace", 0.7),
    ("company name", "user.workplace", 0.75),
    ("employer", "user.workplace", 0.8),
    ("department", "user.workplace", 0.6),
    ("team", "user.workplace", 0.55),
    ("hire date", "user.workplace", 0.75),
    ("hiredate", "user.workplace", 0.75),
    ("store", "user.workplace", 0.3),
    ("age", "user.demographic.age_range", 0.7),
    ("language", "user.demographic.language", 0.6),
    ("locale", "user.demographic.language", 0.55),
    ("notes", "user.content", 0.65),
    ("note", "user.content", 0.65),
    ("bio", "user.content", 0.75),
    ("about", "user.content", 0.6),
    ("comment", "user.content", 0.6),
    ("comments", "user.content", 0.6),
    ("picture", "user.image", 0.7),
    ("image", "user.image", 0.6),
    ("photo", "user.image", 0.8),
    ("photo path", "user.image", 0.75),
    ("extension", "user.contact.phone_number", 0.6),
    ("website", "user.contact.url", 0.55),
    ("home page", "user.contact.url", 0.6),
    ("last login", "user.behavior", 0.7),
    ("last seen", "user.behavior", 0.6),
    ("preferences", "user.account.settings", 0.6),
    ("level", "user.job_title", 0.3),
];

/// The category that a column's name speaks for, how sure, and the words that say it.
pub(super) fn says(column: &str, of_people: bool) -> Option<(&'static str, f64, &'static str)> {
    let words = words(column);
    let joined: String = words.concat();
    // Numbers of something, flags and times are not the thing itself.
    let about = words.iter().any(|w| {
        matches!(
            w.as_str(),
            "count" | "is" | "has" | "verified" | "enabled" | "at" | "num" | "sent" | "confirmed" | "status" | "type"
        )
    });
    if about {
        return None;
    }
    let holds = |pattern: &str| {
        let pattern: Vec<&str> = pattern.split(' ').collect();
        let all = pattern.iter().all(|p| words.iter().any(|w| w == p));
        all || (joined == pattern.concat())
    };
    let lists = SAYS.iter().chain(SAYS_OF_PEOPLE.iter().filter(|_| of_people));
    // More words say more; of as many, the surer.
    let found = lists.filter(|(pattern, _, _)| holds(pattern));
    let (pattern, category, confidence) = found.max_by(|a, b| {
        (a.0.split(' ').count(), a.2)
            .partial_cmp(&(b.0.split(' ').count(), b.2))
            .unwrap_or(std::cmp::Ordering::Equal)
    })?;
    // `email_id`, `city_id` are keys of other tables.
    let key = words.len() > 1 && words.last().is_some_and(|w| w == "id" || w == "key" || w == "fk");
    let own = pattern.ends_with(" id");
    match key && !own {
        true => None,
        false => Some((category, *confidence, pattern)),
    }
}
