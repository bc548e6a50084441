use super::*;

fn problem(error: RustlsError) -> TlsProblem {
    // As it comes out of a socket: within an I/O error.
    let error = io::Error::new(io::ErrorKind::InvalidData, error);
    explain(&error).expect("it is of TLS").problem()
}

#[test]
fn errors_are_told_apart() {
    let bad = RustlsError::InvalidCertificate;
    assert_eq!(
        problem(bad(CertificateError::UnknownIssuer)),
        TlsProblem::UntrustedIssuer
    );
    assert_eq!(
        problem(bad(CertificateError::Expired)),
        TlsProblem::OutOfDate
    );
    assert_eq!(
        problem(RustlsError::HandshakeNotComplete),
        TlsProblem::Other
    );
    assert!(explain(&io::Error::other("a cable")).is_none());
    let wrong_name = bad(CertificateError::NotValidForNameContext {
        expected: ServerName::try_from("b.example").expect("a name"),
        presented: vec![
            "DnsName(\"a.example\")".into(),
            "IpAddress(127.0.0.1)".into(),
        ],
    });
    let told = explain(&wrong_name).expect("it is of TLS");
    assert_eq!(told.problem(), TlsProblem::WrongName);
    assert_eq!(
        told.to_string(),
        "the server's certificate is for a.example, 127.0.0.1, not for b.example"
    );
}

#[test]
fn roots_that_are_none() {
    for pem in [
        "",
        "hello",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n",
    ] {
        let Err(Error::Tls(error)) = Roots::none().with_pem(pem.as_bytes()) else {
            panic!("it is no certificate: {pem}");
        };
        assert_eq!(error.problem(), TlsProblem::BadRoot);
    }
    let Err(Error::Tls(error)) = Connector::new(&Roots::none()) else {
        panic!("nobody is trusted");
    };
    assert_eq!(error.problem(), TlsProblem::NoRoots);
}
