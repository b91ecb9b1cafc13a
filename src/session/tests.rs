//! The shell by itself, over a core that lets everything pass.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::audit::{Journal, JournalConfig};
use crate::upstream::Target;
use crate::upstream::catalogs::Catalogs;

use super::pass_through::PassThrough;
use super::{Options, Phase, Plans, Rules, Shared};

const RULES: &str = "
version: 1
revision: test
contact: privacy@example.com
purposes:
  care: {title: Care}
  fraud: {}
  sale: {prohibited: true}
roles:
  postgres: {purposes: [care, fraud], default_purpose: care}
data_categories:
  system: {sensitivity: none}
";

fn shared(upstream: &str, audit: &str, phase: watch::Receiver<Phase>) -> Arc<Shared> {
    let set = crate::rules::load(&[("rules.yaml".into(), RULES.into())]).unwrap();
    let target: Target = upstream.parse().unwrap();
    Arc::new(Shared {
        options: Options {
            upstream: target.address,
            allow_trust: false,
            login_timeout: Duration::from_secs(5),
            catalog_age: Duration::from_secs(30),
        },
        rules: ArcSwap::from_pointee(Rules { version: 1, set }),
        core: Box::new(PassThrough),
        journal: Journal::open(JournalConfig::new(audit)).unwrap(),
        subject_key: vec![1; 32],
        catalogs: Catalogs::default(),
        plans: Plans::default(),
        secrets: Box::new(|_, _| Vec::new()),
        phase,
    })
}

/// `PGPURPOSE_UPSTREAM=postgres://… PGPURPOSE_LISTEN=… cargo test --lib pass_through_server -- --ignored`
/// serves until it is killed: for trying clients by hand.
#[test]
#[ignore = "serves until it is killed"]
fn pass_through_server() {
    let upstream = std::env::var("PGPURPOSE_UPSTREAM").unwrap();
    let listen = std::env::var("PGPURPOSE_LISTEN").unwrap();
    let audit = std::env::var("PGPURPOSE_AUDIT").unwrap();
    let _ = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .try_init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(64 << 20)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (_phase, watched) = watch::channel(Phase::Serving);
        let listener = TcpListener::bind(listen).await.unwrap();
        crate::downstream::serve(listener, shared(&upstream, &audit, watched)).await;
    });
}
