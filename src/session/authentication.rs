//! Who a client is: found out here against verifiers, or by the server, with its questions and the client's answers
//! passed on.

use bytes::Bytes;

use crate::downstream::Client;
use crate::downstream::authenticate::{self, NotProved, initial_response, password_message};
use crate::password::{MECHANISM_PLUS, ScramError, Verifier};
use crate::upstream::Upstream;
use crate::upstream::login::{self, Credential, LoginError};
use crate::upstream::verifiers::{Stored, VerifiersError};
use crate::wire::backend::Authentication;
use crate::wire::{BackendKind, ErrorFields, encode};

use super::errors;
use super::login::{Failed, about_login, pass_on_notice, server_error, unexpected};
use super::refusal::fatal;
use super::shared::Shared;
use crate::audit::SessionFacts;

/// Authenticates a client against the verifiers, if there are any; what its proof taught us.
///
/// # Errors
/// See [`Failed`].
pub async fn here(client: &mut Client, shared: &Shared, role: &str) -> Result<Option<Credential>, Failed> {
    let Some(verifiers) = &shared.options.verifiers else {
        return Ok(None);
    };
    let stored = verifiers.of(role).await.map_err(|error| cannot_tell(&error))?;
    let proved = match stored {
        Some(Stored::Scram(verifier)) => authenticate::by_scram(client, &verifier)
            .await
            .map(|key| Credential::ClientKey(key, verifier)),
        Some(Stored::Md5(stored)) if shared.options.allow_md5 => authenticate::by_md5(client, &stored)
            .await
            .map(|()| Credential::Md5(stored)),
        Some(Stored::Md5(_)) => return Err(not_allowed("MD5", "--allow-md5")),
        // Whoever has no password is asked for one, like all others.
        None => authenticate::by_scram(client, &Verifier::of_nobody(&shared.nobody_key, role))
            .await
            .and(Err(ScramError::Proof.into())),
    };
    if matches!(proved, Err(NotProved::Scram(ScramError::Proof))) {
        shared.options.limits.failed(client.peer.ip(), role);
        verifiers.forget(role);
    }
    proved.map(Some).map_err(|error| not_proved(&error, role))
}

fn cannot_tell(error: &VerifiersError) -> Failed {
    tracing::error!(%error, "a client cannot be authenticated");
    Failed::Tell(fatal("08006", "passwords cannot be checked at the moment"))
}

/// PostgreSQL's words.
fn not_proved(error: &NotProved, role: &str) -> Failed {
    match error {
        NotProved::Gone => Failed::Gone,
        NotProved::Protocol(error) => Failed::Tell(fatal("08P01", error.to_string())),
        NotProved::Scram(ScramError::Malformed) => Failed::Tell(fatal("08P01", "malformed SCRAM message")),
        NotProved::Scram(ScramError::Binding) => Failed::Tell(fatal("28000", "SCRAM channel binding check failed")),
        NotProved::Scram(ScramError::Proof | ScramError::OtherVerifier) => Failed::Tell(fatal(
            "28P01",
            format!("password authentication failed for user \"{role}\""),
        )),
    }
}

/// Logs a client that was authenticated here in at the server.
///
/// # Errors
/// See [`Failed`].
pub async fn upstream(
    client: &mut Client,
    upstream: &mut Upstream,
    facts: &SessionFacts,
    credential: &Credential,
) -> Result<(), Failed> {
    match login::authenticate(upstream, &facts.role, credential).await {
        Ok(()) => {
            encode::authentication(&mut client.sender.buffer, 0, &[]);
            Ok(())
        }
        Err(LoginError::Connection(error)) => Err(error.into()),
        Err(LoginError::Server(fields)) => Err(Failed::Tell(errors::rebuild(&fields, about_login(facts)))),
        Err(error @ (LoginError::Asks(_) | LoginError::Scram(_))) => {
            tracing::error!(%error, "a client that was authenticated here cannot be logged in at the server");
            let message = "this proxy cannot log the role in at the database server";
            Err(Failed::Tell(fatal("28000", message).with(b'D', error.to_string())))
        }
    }
}

/// Hands questions and answers back and forth until the server is content.
///
/// # Errors
/// See [`Failed`].
pub async fn passed_on(
    client: &mut Client,
    upstream: &mut Upstream,
    shared: &Shared,
    facts: &SessionFacts,
) -> Result<(), Failed> {
    let mut asked = false;
    let mut could_be_bound = false;
    loop {
        let question = upstream.exchange().await?;
        match BackendKind::of(question.tag)? {
            BackendKind::Authentication => {}
            // The version that we speak with the server is between it and us.
            BackendKind::NegotiateProtocolVersion => continue,
            BackendKind::NoticeResponse => {
                pass_on_notice(question.body(), facts, &mut client.sender.buffer)?;
                continue;
            }
            BackendKind::ErrorResponse => return Err(refused(question.body(), client, shared, facts)),
            other => return Err(unexpected(other)),
        }
        let out = &mut client.sender.buffer;
        match Authentication::read(question.body())? {
            Authentication::Ok => {
                let known = asked || client.certificate().is_some() || shared.options.allow_trust;
                may_be_trusted(known, client.loopback).map_err(Failed::Tell)?;
                client.sender.buffer.extend_from_slice(&question.bytes);
                return Ok(());
            }
            Authentication::SaslFinal => {
                out.extend_from_slice(&question.bytes);
                continue;
            }
            Authentication::Password if !shared.options.allow_password => {
                return Err(not_allowed("passwords in clear text", "--allow-password"));
            }
            Authentication::Md5 if !shared.options.allow_md5 => return Err(not_allowed("MD5", "--allow-md5")),
            Authentication::Password | Authentication::Md5 | Authentication::SaslContinue => {
                out.extend_from_slice(&question.bytes);
            }
            Authentication::Sasl(mut mechanisms) => {
                // Channel binding would bind the client to our connection, not to the server's.
                let offered = mechanisms.len();
                mechanisms.retain(|m| m != MECHANISM_PLUS);
                could_be_bound = mechanisms.len() < offered;
                encode::sasl_mechanisms(out, &mechanisms);
            }
            Authentication::Unsupported(_) => {
                return Err(Failed::Tell(fatal(
                    "0A000",
                    "the server asks for a way of authentication that this proxy does not pass on",
                )));
            }
        }
        client.sender.write_all().await?;
        let answer = password_message(client)
            .await
            .map_err(|e| not_proved(&e, &facts.role))?;
        if could_be_bound && !asked {
            check_binding(&answer.body()).map_err(Failed::Tell)?;
        }
        asked = true;
        upstream.sender.password(&answer.bytes);
    }
}

/// A server that asks for nothing trusts whoever reaches us: a certificate must speak for the client, or nobody but this
/// machine may reach us.
fn may_be_trusted(known: bool, loopback: bool) -> Result<(), ErrorFields> {
    if known || loopback {
        return Ok(());
    }
    let message = "the server asks for no password, and this proxy is not on a loopback address";
    Err(fatal("28000", message).with(b'H', "--allow-trust accepts that"))
}

/// A client that says that it could bind itself and was not offered to (`y`) makes the server, which offered it, see an
/// attack. It is told here what is the matter.
fn check_binding(body: &[u8]) -> Result<(), ErrorFields> {
    match initial_response(body) {
        Some((_, first)) if first.starts_with("y,") => {
            let message = "SCRAM cannot be passed through this proxy with TLS on both sides";
            Err(fatal("28000", message)
                .with(b'D', "The client would bind its login to this proxy's connection, and the server sees another.")
                .with(
                    b'H',
                    "Give the proxy --auth-file or --auth-query, so that it authenticates clients itself, or connect with channel_binding=disable.",
                ))
        }
        Some(_) | None => Ok(()),
    }
}

/// The server's refusal; one for a wrong password is counted.
fn refused(body: Bytes, client: &Client, shared: &Shared, facts: &SessionFacts) -> Failed {
    if ErrorFields::read(body.clone()).is_ok_and(|fields| matches!(fields.sqlstate(), "28P01" | "28000")) {
        shared.options.limits.failed(client.peer.ip(), &facts.role);
    }
    server_error(body, facts)
}

fn not_allowed(what: &str, flag: &str) -> Failed {
    let message = format!("this proxy does not take {what}");
    Failed::Tell(fatal("28000", message).with(b'H', format!("use SCRAM-SHA-256; {flag} allows it for old set-ups")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_asks_nothing_is_accepted_on_loopback_or_for_somebody_known() {
        for (known, loopback) in [(true, false), (false, true), (true, true)] {
            assert_eq!(may_be_trusted(known, loopback), Ok(()), "{known} {loopback}");
        }
        let refused = may_be_trusted(false, false).unwrap_err();
        assert_eq!(refused.sqlstate(), "28000");
        assert!(refused.get(b'H').unwrap().contains("--allow-trust"));
    }

    #[test]
    fn a_client_that_could_bind_itself_is_told_why_it_cannot() {
        let initial = |first: &str| [b"SCRAM-SHA-256\0\0\0\0", &[first.len() as u8][..], first.as_bytes()].concat();
        assert!(check_binding(&initial("y,,n=,r=abc")).is_err());
        assert_eq!(check_binding(&initial("n,,n=,r=abc")), Ok(()));
    }
}
