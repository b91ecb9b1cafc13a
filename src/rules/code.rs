//! The kinds of findings: their published names, how grave each is, and what `check --explain` says.

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The rules do not mean what they say, or cannot be kept: they must be changed.
    Error,
    /// They can be kept, and something is most likely not as it was meant.
    Warning,
    /// Worth knowing; not counted by the exit code.
    Note,
}

impl Severity {
    /// `error`, `warning`, `note`: the words of text, JSON and SARIF alike.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Declares the codes once: variant, published text, severity.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $text:literal, $severity:ident;)+) => {
        /// The kind of a finding; its text never changes once published.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum DiagnosticCode {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl DiagnosticCode {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The published text.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// How grave such a finding is.
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$variant => Severity::$severity,)+
                }
            }
        }
    };
}

codes! {
    // What the files say.
    /// The file is not well-formed YAML.
    Syntax = "syntax", Error;
    /// A key that the rules language does not have.
    UnknownKey = "unknown_key", Error;
    /// A key given twice.
    DuplicateKey = "duplicate_key", Error;
    /// A key that must be there.
    MissingKey = "missing_key", Error;
    /// A text, number, list or mapping where another is expected.
    WrongType = "wrong_type", Error;
    /// A value of the right type that is not allowed.
    InvalidValue = "invalid_value", Error;
    /// A purpose that is not declared.
    UnknownPurpose = "unknown_purpose", Error;
    /// A data category that is not declared.
    UnknownCategory = "unknown_category", Error;
    /// A recipient that is not declared.
    UnknownRecipient = "unknown_recipient", Error;
    /// A table that has no entry.
    UnknownTable = "unknown_table", Error;
    /// A column that its table's entry does not have.
    UnknownColumn = "unknown_column", Error;
    /// A file that does not exist.
    UnknownFile = "unknown_file", Error;
    /// Files that include each other.
    IncludeCycle = "include_cycle", Error;
    /// A table that is not a kind of person where one is needed.
    NotARoot = "not_a_root", Error;
    /// Two entries that disagree about the same thing.
    Ambiguous = "ambiguous", Error;
    /// `{mask: {}}` where neither column nor category has a mask.
    NoOwnMask = "no_own_mask", Error;
    /// A role's default purpose that it may not use.
    DefaultNotGranted = "default_not_granted", Error;

    // What the rules mean together.
    /// A release entry that speaks for no column under any purpose.
    NeverSpeaks = "never_speaks", Warning;
    /// A purpose that no role may act for.
    UnusedPurpose = "unused_purpose", Warning;
    /// Tables of one data subject whose rows are filtered differently: what is missing in one tells of it.
    FilteredDifferently = "filtered_differently", Warning;
    /// A role may write the consent records on which it depends.
    ConsentWritable = "consent_writable", Warning;
    /// An assurance or a purpose ends within the next weeks.
    ExpiresSoon = "expires_soon", Warning;
    /// An assurance or a purpose has ended.
    Expired = "expired", Note;

    // What the database says of them.
    /// No rules speak for this database.
    NoRules = "no_rules", Error;
    /// An entry for a table that does not exist.
    MissingTable = "missing_table", Error;
    /// An entry for a column that does not exist.
    MissingColumn = "missing_column", Error;
    /// A table that no rule speaks of.
    UnclassifiedTable = "unclassified_table", Warning;
    /// A column of a classified table that no rule speaks of.
    UnclassifiedColumn = "unclassified_column", Warning;
    /// An entry for a relation that has none of its own: a view, a sequence.
    NotATable = "not_a_table", Error;
    /// A mask that cannot be applied to a column of its type.
    MaskMisfit = "mask_misfit", Error;
    /// A row filter, retention, child or transfer rule that does not fit the schema.
    FilterMisfit = "filter_misfit", Error;
    /// A data subject's key that cannot be compared with its root's.
    SubjectMisfit = "subject_misfit", Error;
    /// The consent table is not of the form that its section says.
    ConsentMisfit = "consent_misfit", Error;
    /// A view that cannot be read through.
    ViewUnreadable = "view_unreadable", Warning;
    /// A function that clients cannot call.
    FunctionRefused = "function_refused", Note;
    /// A function named by `functions: {allow: […]}` that does not exist.
    UnknownFunction = "unknown_function", Error;
    /// An allowed function that returns rows of a protected table past the rules.
    FunctionUncovers = "function_uncovers", Warning;
    /// A role of the rules that the database does not have.
    MissingRole = "missing_role", Warning;
    /// A role that lacks a privilege without which its statements fail.
    MissingPrivilege = "missing_privilege", Error;
    /// A role that has no SELECT on a table of which the rules release something to it.
    NotGranted = "not_granted", Note;
    /// A role that no rule can bind.
    Superuser = "superuser", Warning;
}

/// One section for each code: a line that says what it is, then what it means and what to do.
const EXPLANATIONS: &str = include_str!("codes.md");

impl DiagnosticCode {
    /// The code of that published text.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }

    /// What it means and what to do, some paragraphs, the first of them one line.
    pub fn explanation(self) -> &'static str {
        let sections = EXPLANATIONS.split("\n## ").skip(1);
        let section = sections
            .filter_map(|section| section.split_once('\n'))
            .find(|(name, _)| *name == self.as_str());
        section.map_or("", |(_, text)| text.trim())
    }

    /// The first line of its explanation.
    pub fn title(self) -> &'static str {
        self.explanation().lines().next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_explained_once_and_nothing_else_is() {
        let explained: Vec<&str> = EXPLANATIONS
            .split("\n## ")
            .skip(1)
            .filter_map(|section| section.lines().next())
            .collect();
        let codes: Vec<&str> = DiagnosticCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(explained, codes);
        for code in DiagnosticCode::ALL {
            let lines = code.explanation().lines().count();
            assert!(lines >= 3 && code.title().len() < 120, "{}", code.as_str());
            assert_eq!(DiagnosticCode::named(code.as_str()), Some(*code));
        }
    }
}
