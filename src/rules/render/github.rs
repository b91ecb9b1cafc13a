//! Findings as GitHub's workflow commands, which annotate the lines of a pull request
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).

use super::super::code::Severity;
use super::super::diagnostic::{Diagnostic, Diagnostics};

impl Diagnostics {
    /// One `::error file=…,line=…::message` line each; `folder` goes before the names of files.
    pub fn to_github(&self, folder: &str) -> String {
        let lines: Vec<String> = self.iter().map(|finding| finding.to_github(folder)).collect();
        lines.join("\n")
    }
}

impl Diagnostic {
    fn to_github(&self, folder: &str) -> String {
        let command = match self.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let mut properties = Vec::new();
        if let Some(place) = self.place() {
            properties.push(format!("file={}", property(&format!("{folder}{}", place.file))));
            properties.push(format!("line={},col={}", place.line, place.column));
        }
        properties.push(format!("title={}", property(self.code.as_str())));
        let message = match &self.help {
            Some(help) => format!("{}\nhelp: {help}", self.message),
            None => self.message.clone(),
        };
        format!("::{command} {}::{}", properties.join(","), data(&message))
    }
}

/// What would end a message.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What would end a property too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
