//! RFC 7677's exchange, and our two sides against each other.

use super::*;

/// The verifier of a password, as PostgreSQL would store it.
fn verifier(password: &str) -> Verifier {
    let salt = b"0123456789abcdef";
    let salted = salted(password, salt, 4096);
    let client_key = keyed(&*salted, &[b"Client Key"]);
    let text = format!(
        "SCRAM-SHA-256$4096:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(hash(&client_key)),
        STANDARD.encode(keyed(&*salted, &[b"Server Key"]))
    );
    Verifier::read(&text).unwrap()
}

#[test]
fn the_example_of_rfc_7677() {
    let client = Client::new(Secret::Password("pencil"), None, "rOprNGfwEbeRWgbNEkqO".into());
    let server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    // The example names its user, PostgreSQL's clients do not: the salted keys are the same.
    let salted = salted("pencil", &STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap(), 4096);
    let auth_message = format!(
        "n=user,r=rOprNGfwEbeRWgbNEkqO,{server_first},c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    );
    let client_key = keyed(&*salted, &[b"Client Key"]);
    let signature = keyed(&hash(&client_key), &[auth_message.as_bytes()]);
    assert_eq!(
        STANDARD.encode(*xor(&client_key, &signature)),
        "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    );
    assert_eq!(
        STANDARD.encode(keyed(&keyed(&*salted, &[b"Server Key"]), &[auth_message.as_bytes()])),
        "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    );
    assert!(client.finish(server_first).is_ok());
}

/// Both sides in one go; what the server learnt.
fn exchange(
    secret: Secret<'_>,
    verifier: &Verifier,
    client_end: Option<&[u8]>,
    server_end: Binding<'_>,
) -> Result<Key, ScramError> {
    let client = Client::new(secret, client_end, nonce([1; 18]));
    let server = Server::begin(verifier, &client.first(), server_end, &nonce([2; 18]))?;
    let finish = client.finish(server.first())?;
    let proof = server.finish(&finish.client_final)?;
    finish.check(&proof.server_final)?;
    Ok(proof.client_key)
}

#[test]
fn a_key_learnt_from_a_client_logs_in_where_the_verifier_is_the_same() {
    let known = verifier("open sesame");
    let learnt = exchange(Secret::Password("open sesame"), &known, None, Binding::None).unwrap();
    exchange(Secret::Key(&learnt, &known), &known, None, Binding::None).unwrap();
    let bound = exchange(
        Secret::Key(&learnt, &known),
        &known,
        Some(b"end"),
        Binding::Required(b"end"),
    );
    assert!(bound.is_ok());
    let mut other = known.clone();
    other.salt.push(1);
    let refused = exchange(Secret::Key(&learnt, &known), &other, None, Binding::None);
    assert_eq!(refused.err(), Some(ScramError::OtherVerifier));
}

#[test]
fn wrong_proofs_and_bindings_are_refused() {
    let known = verifier("open sesame");
    let sesame = || Secret::Password("open sesame");
    let cases = [
        (
            exchange(Secret::Password("open barley"), &known, None, Binding::None),
            ScramError::Proof,
        ),
        (
            exchange(sesame(), &Verifier::of_nobody(b"s", "x"), None, Binding::None),
            ScramError::Proof,
        ),
        (
            exchange(sesame(), &known, Some(b"a"), Binding::Required(b"b")),
            ScramError::Binding,
        ),
        (
            exchange(sesame(), &known, Some(b"a"), Binding::None),
            ScramError::Malformed,
        ),
        (
            exchange(sesame(), &known, None, Binding::Required(b"b")),
            ScramError::Malformed,
        ),
    ];
    for (index, (outcome, error)) in cases.into_iter().enumerate() {
        assert_eq!(outcome.err(), Some(error), "{index}");
    }
    assert!(exchange(sesame(), &known, None, Binding::Declined).is_ok());
}

#[test]
fn messages_are_read_strictly() {
    let known = verifier("x");
    let begin = |text: &str, binding| Server::begin(&known, text, binding, "n").map(|_| ()).err();
    let cases = [
        ("n,,n=,r=abc", Binding::None, None),
        ("y,,n=,r=abc", Binding::None, None),
        ("y,,n=,r=abc", Binding::Declined, Some(ScramError::Binding)),
        ("n,a=x,n=,r=abc", Binding::None, Some(ScramError::Malformed)),
        ("n,,m=x,n=,r=abc", Binding::None, Some(ScramError::Malformed)),
        ("n,,n=,r=", Binding::None, Some(ScramError::Malformed)),
        ("n,,n=", Binding::None, Some(ScramError::Malformed)),
        (
            "p=tls-unique,,n=,r=abc",
            Binding::Required(b"e"),
            Some(ScramError::Malformed),
        ),
        ("", Binding::None, Some(ScramError::Malformed)),
    ];
    for (text, binding, error) in cases {
        assert_eq!(begin(text, binding), error, "{text}");
    }
    let server = || Server::begin(&known, "n,,n=,r=abc", Binding::None, "n").unwrap();
    let finals = [
        "",
        "c=biws,r=abcn",
        "c=biws,r=abcn,p=!",
        "c=biws,r=abc,p=AAAA",
        "r=abcn,c=biws,p=AAAA",
    ];
    for text in finals {
        assert_eq!(
            server().finish(text).map(|_| ()).err(),
            Some(ScramError::Malformed),
            "{text}"
        );
    }
    for text in [
        "",
        "md5abc",
        "SCRAM-SHA-256$0:AA==$AA==:AA==",
        "SCRAM-SHA-1$4096:AA==$AA==:AA==",
    ] {
        assert!(Verifier::read(text).is_none(), "{text}");
    }
    for text in [
        "r=x,s=AA==,i=1",
        "r=abcd,s=AA==,i=0",
        "r=abcd,s=AA==,i=99999999",
        "m=x,r=abcd,s=AA==,i=1",
    ] {
        let client = Client::new(Secret::Password("x"), None, "abc".into());
        assert_eq!(
            client.finish(text).map(|_| ()).err(),
            Some(ScramError::Malformed),
            "{text}"
        );
    }
}

#[test]
fn passwords_are_prepared_as_postgresql_prepares_them() {
    // RFC 4013: a soft hyphen is mapped to nothing, a Roman numeral normalised; what is prohibited stays as it is.
    for (password, prepared_as) in [("I\u{ad}X", "IX"), ("\u{2168}", "IX"), ("a\u{7}b", "a\u{7}b")] {
        assert_eq!(*prepared(password), prepared_as);
    }
}
