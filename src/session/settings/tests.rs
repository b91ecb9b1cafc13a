//! Scripts of commands and what PostgreSQL 15 shows of `pgpurpose.purpose` after them. Each script
//! was run in psql against PostgreSQL 15.

use super::*;

/// `sql => value`, one command a line. `!` is a statement that fails; `;` ends a message.
fn run(script: &str) -> String {
    let mut settings = Settings::new(|f| match f {
        Followed::SearchPath => Setting {
            value: vec!["$user".into(), "public".into()],
            source: Source::Startup,
        },
        Followed::Purpose => Setting::text("start", Source::RoleDefault),
        Followed::Reason
        | Followed::Subject
        | Followed::Actor
        | Followed::StatementSubject
        | Followed::ClientEncoding
        | Followed::Messages => Setting::text("", Source::Startup),
    });
    let mut shown = Vec::new();
    for step in script.split_inclusive(['|', ';']) {
        let ends_message = step.ends_with(';');
        let step = step.trim_end_matches(['|', ';']).trim();
        match step {
            "?" => shown.push(settings.get(Followed::Purpose).as_text().to_owned()),
            "!" => settings.failed(),
            "" => {}
            sql => settings.completed(&command(sql), &|n| (n == 1).then(|| "bound".to_owned())),
        }
        if ends_message {
            let status = match settings.block() {
                Block::None | Block::Implicit => TransactionStatus::Idle,
                Block::Explicit => TransactionStatus::InTransaction,
                Block::Failed => TransactionStatus::Failed,
            };
            settings.ready(status).unwrap();
        }
    }
    shown.join(" ")
}

fn command(sql: &str) -> Command {
    let words: Vec<&str> = sql.split(' ').collect();
    let call = |value: &str, local| ConfigCall {
        name: "pgpurpose.purpose".into(),
        value: match value {
            "DEFAULT" => ConfigValue::Default,
            "$1" => ConfigValue::Parameter(1),
            text => ConfigValue::List(vec![text.into()]),
        },
        local,
    };
    let transaction = Command::Transaction;
    match words.as_slice() {
        ["SET", value] => Command::Set(call(value, false)),
        ["LOCAL", value] => Command::Set(call(value, true)),
        ["CONFIG", value] => Command::SetConfig(vec![call(value, false)]),
        ["CONFIG_LOCAL", value] => Command::SetConfig(vec![call(value, true)]),
        ["RESET"] => Command::Reset("pgpurpose.purpose".into()),
        ["RESET_ALL"] => Command::ResetAll,
        ["DISCARD"] => Command::Discard(DiscardTarget::All),
        ["BEGIN"] => transaction(TransactionCommand::Begin),
        ["COMMIT"] => transaction(TransactionCommand::Commit { chain: false }),
        ["COMMIT", "CHAIN"] => transaction(TransactionCommand::Commit { chain: true }),
        ["ROLLBACK"] => transaction(TransactionCommand::Rollback { chain: false }),
        ["ROLLBACK", "CHAIN"] => transaction(TransactionCommand::Rollback { chain: true }),
        ["SAVE", name] => transaction(TransactionCommand::Savepoint((*name).into())),
        ["RELEASE", name] => transaction(TransactionCommand::Release((*name).into())),
        ["TO", name] => transaction(TransactionCommand::RollbackTo((*name).into())),
        ["SELECT"] => Command::Select,
        other => panic!("{other:?}"),
    }
}

/// A script, and what it shows.
const SCRIPTS: &[(&str, &str)] = &[
    // Outside a block each message is a transaction.
    ("SET a; ?", "a"),
    ("LOCAL a; ?", "start"),
    ("LOCAL a| ?; ?", "a start"),
    ("SET a| LOCAL b| ?; ?", "b a"),
    ("LOCAL a| SET b| ?; ?", "b b"),
    ("SET a| !; ?", "start"),
    ("CONFIG a; ?", "a"),
    ("CONFIG_LOCAL a; ?", "start"),
    ("CONFIG $1; ?", "bound"),
    ("SET a; RESET; ?", "start"),
    ("SET a; RESET_ALL; ?", "start"),
    ("SET a; DISCARD; ?", "start"),
    ("SET a; SET DEFAULT; ?", "start"),
    // Blocks.
    ("BEGIN; SET a; ?; COMMIT; ?", "a a"),
    ("BEGIN; SET a; ROLLBACK; ?", "start"),
    ("BEGIN; LOCAL a; ?; COMMIT; ?", "a start"),
    ("BEGIN; LOCAL a; ?; ROLLBACK; ?", "a start"),
    ("BEGIN; SET a; LOCAL b; ?; COMMIT; ?", "b a"),
    ("BEGIN; LOCAL a; SET b; ?; COMMIT; ?", "b b"),
    ("BEGIN; SET a; LOCAL b; SET c; ?; COMMIT; ?", "c c"),
    ("BEGIN; SET a; LOCAL b; LOCAL c; ?; COMMIT; ?", "c a"),
    ("BEGIN; SET a; LOCAL b; ROLLBACK; ?", "start"),
    ("BEGIN; SET a; LOCAL DEFAULT; ?; COMMIT; ?", "start a"),
    ("SET a; BEGIN; RESET; ?; ROLLBACK; ?", "start a"),
    ("SET a; BEGIN; RESET_ALL; ?; ROLLBACK; ?", "start a"),
    ("SET a; BEGIN; LOCAL b; RESET; ?; COMMIT; ?", "start start"),
    // Failure.
    ("BEGIN; SET a; !; ?; ROLLBACK; ?", "start start"),
    ("BEGIN; SET a; !; COMMIT; ?", "start"),
    ("SET a; BEGIN; SET b; !; ?; ROLLBACK; ?", "a a"),
    ("BEGIN; SET a; SAVE s; SET b; !; ?; TO s; ?; COMMIT; ?", "a a a"),
    ("BEGIN; SET a; SAVE s; SET b; !; ROLLBACK; ?", "start"),
    // Savepoints.
    ("BEGIN; SAVE s; SET a; ?; TO s; ?; COMMIT; ?", "a start start"),
    ("BEGIN; SAVE s; SET a; RELEASE s; ?; COMMIT; ?", "a a"),
    ("BEGIN; SAVE s; LOCAL a; RELEASE s; ?; COMMIT; ?", "a start"),
    ("BEGIN; SET a; SAVE s; LOCAL b; RELEASE s; ?; COMMIT; ?", "b a"),
    ("BEGIN; LOCAL a; SAVE s; SET b; RELEASE s; ?; COMMIT; ?", "b b"),
    ("BEGIN; LOCAL a; SAVE s; LOCAL b; RELEASE s; ?; COMMIT; ?", "b start"),
    (
        "BEGIN; SET a; LOCAL b; SAVE s; SET c; LOCAL d; RELEASE s; ?; COMMIT; ?",
        "d c",
    ),
    ("BEGIN; SET a; LOCAL b; SAVE s; LOCAL c; RELEASE s; ?; COMMIT; ?", "c a"),
    ("BEGIN; SET a; SAVE s; SET b; SAVE t; SET c; TO s; ?; COMMIT; ?", "a a"),
    ("BEGIN; SAVE s; SAVE t; SET a; RELEASE s; ?; ROLLBACK; ?", "a start"),
    (
        "BEGIN; SAVE s; SAVE t; LOCAL a; RELEASE t; ?; TO s; ?; COMMIT; ?",
        "a start start",
    ),
    (
        "BEGIN; SAVE s; SET a; SAVE s; SET b; TO s; ?; RELEASE s; TO s; ?; COMMIT; ?",
        "a start start",
    ),
    ("BEGIN; SAVE s; SET a; TO s; SET b; TO s; ?; COMMIT; ?", "start start"),
    ("BEGIN; SAVE s; SET a; SAVE t; LOCAL b; COMMIT; ?", "a"),
    ("BEGIN; SAVE s; SAVE t; SET a; LOCAL b; COMMIT; ?", "a"),
    // Chains.
    ("BEGIN; SET a; LOCAL b; COMMIT CHAIN; ?; ROLLBACK; ?", "a a"),
    (
        "BEGIN; SET a; ROLLBACK CHAIN; ?; LOCAL c; ?; COMMIT; ?",
        "start c start",
    ),
    ("BEGIN; SAVE s; SET a; COMMIT CHAIN; SET b; ROLLBACK; ?", "a"),
    // Several statements in one message.
    ("SET a| BEGIN| SET b; ?; ROLLBACK; ?", "b start"),
    ("SET a| COMMIT| SET b| !; ?", "a"),
    ("SET a| ROLLBACK| ?; ?", "start start"),
    ("SET a; DISCARD| ?| !; ?", "start start"),
    ("SET a; DISCARD| SET b| !; ?", "start"),
    ("BEGIN| LOCAL a| COMMIT| ?; ?", "start start"),
    ("BEGIN; LOCAL a| SELECT; ?; COMMIT| LOCAL b| ?; ?", "a b start"),
];

#[test]
fn scripts_show_what_postgresql_shows() {
    for (script, expected) in SCRIPTS {
        assert_eq!(run(script), *expected, "{script}");
    }
}

#[test]
fn a_status_that_no_command_explains_is_out_of_step() {
    let start = || Settings::new(|_| Setting::text("", Source::Startup));
    assert_eq!(start().ready(TransactionStatus::InTransaction), Err(OutOfStep));
    assert_eq!(start().ready(TransactionStatus::Failed), Err(OutOfStep));
    let mut begun = start();
    begun.completed(&command("BEGIN"), &|_| None);
    assert_eq!(begun.clone().ready(TransactionStatus::Idle), Err(OutOfStep));
    assert_eq!(begun.clone().ready(TransactionStatus::InTransaction), Ok(()));
    begun.failed();
    assert_eq!(begun.ready(TransactionStatus::Idle), Ok(()));
}

#[test]
fn search_path_is_names_in_set_and_a_text_in_set_config() {
    let mut settings = Settings::new(|_| Setting::text("", Source::Startup));
    let call = |values: &[&str]| ConfigCall {
        name: "Search_Path".into(),
        value: ConfigValue::List(values.iter().map(|v| v.to_string()).collect()),
        local: false,
    };
    settings.completed(&Command::Set(call(&["a, b", "C"])), &|_| None);
    assert_eq!(settings.get(Followed::SearchPath).value, ["a, b", "C"]);
    settings.completed(&Command::SetConfig(vec![call(&["a, \"B\""])]), &|_| None);
    assert_eq!(settings.get(Followed::SearchPath).value, ["a", "B"]);
    settings.completed(&Command::SetConfig(vec![call(&["a b"])]), &|_| None);
    assert!(settings.get(Followed::SearchPath).value.is_empty());
}

#[test]
fn the_source_tells_how_a_purpose_was_declared() {
    let mut settings = Settings::new(|_| Setting::text("", Source::RoleDefault));
    let source = |s: &Settings| s.get(Followed::Purpose).source;
    assert_eq!(source(&settings), Source::RoleDefault);
    settings.completed(&command("BEGIN"), &|_| None);
    settings.completed(&command("SET a"), &|_| None);
    assert_eq!(source(&settings), Source::Session);
    settings.completed(&command("CONFIG_LOCAL b"), &|_| None);
    assert_eq!(source(&settings), Source::Local);
    settings.completed(&command("COMMIT"), &|_| None);
    assert_eq!(source(&settings), Source::Session);
    settings.completed(&command("RESET"), &|_| None);
    assert_eq!(source(&settings), Source::RoleDefault);
}
