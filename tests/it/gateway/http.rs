//! The HTTP side.

use serde_json::{Value as Json, json};

use syncline_server::Config;

use crate::client::Client;
use crate::server::{Answer, TestServer};

fn call(server: &TestServer, reducer: &str, args: &Json) -> Answer {
    server.post(
        &format!("/v1/databases/scripted/call/{reducer}"),
        args.to_string(),
        None,
    )
}

#[test]
fn calls() {
    let server = TestServer::of("scripted");
    let word = json!({"word": "sea", "meaning": null});
    let answer = call(&server, "insert_word", &json!([word]));
    assert_eq!((answer.status, &answer.json()["value"]), (200, &word));
    assert!(answer.json()["lsn"].as_u64().unwrap() > 0);
    let named = call(&server, "insert_word", &json!({"row": {"word": "land"}}));
    assert_eq!(named.json()["value"]["word"], "land");
    assert_eq!(
        server
            .post("/v1/databases/scripted/call/scan_sum", "", None)
            .json()["value"],
        "0"
    );
    assert_eq!(
        call(&server, "which_connection", &json!([])).json()["value"],
        Json::Null
    );
    for (reducer, args, status, code) in [
        ("insert_word", json!([word]), 422, "REDUCER_ERROR"),
        ("insert_word", json!([]), 400, "BAD_ARGUMENTS"),
        ("insert_word", json!(5), 400, "BAD_ARGUMENTS"),
        ("insert_wodr", json!([word]), 404, "NO_REDUCER"),
        ("init", json!([]), 403, "LIFECYCLE_REDUCER"),
        ("panic_now", json!(["boom"]), 422, "REDUCER_PANIC"),
        ("recurse_forever", json!([]), 422, "REDUCER_TRAP"),
        ("loop_forever", json!([]), 422, "CALL_DEADLINE"),
        ("allocate_forever", json!([]), 422, "CALL_LIMIT"),
    ] {
        let answer = call(&server, reducer, &args);
        assert_eq!(
            (answer.status, &*answer.code()),
            (status, code),
            "{reducer}: {}",
            answer.text
        );
    }
    let answer = server.post("/v1/databases/scripted/call/scan_sum", "not json", None);
    assert_eq!((answer.status, &*answer.code()), (400, "BAD_REQUEST"));
    let answer = server.post("/v1/databases/nothing/call/scan_sum", "[]", None);
    assert_eq!((answer.status, &*answer.code()), (404, "NO_DATABASE"));
    let large = vec![b' '; 5 << 20];
    assert_eq!(
        server
            .post("/v1/databases/scripted/call/scan_sum", large, None)
            .status,
        413
    );
}

#[test]
fn queries() {
    let server = TestServer::of("bank");
    let post = |body: &Json| server.post("/v1/databases/bank/query", body.to_string(), None);
    server.post("/v1/databases/bank/call/open_accounts", "[3, 7]", None);
    let sql = "SELECT id, balance FROM account WHERE id >= :low ORDER BY id DESC";
    let answer = post(&json!({"sql": sql, "params": {"low": 1}})).json();
    assert_eq!(answer["rows"], json!([["2", "7"], ["1", "7"]]));
    assert_eq!(answer["columns"][1]["name"], "balance");
    assert!(answer["lsn"].as_u64().unwrap() > 0);
    for (body, code) in [
        (json!({"sql": "SELEKT 1"}), "SQL_SYNTAX"),
        (json!({"sql": "SELECT * FROM acount"}), "SQL_UNKNOWN_TABLE"),
        (json!({"sql": sql}), "SQL_PARAMETER"),
        (json!({"sql": sql, "params": {"low": "x"}}), "SQL_TYPE"),
        (json!({"query": sql}), "BAD_REQUEST"),
        (json!([]), "BAD_REQUEST"),
    ] {
        let answer = post(&body);
        assert_eq!((answer.status, &*answer.code()), (400, code), "{body}");
    }
}

/// SQL made of pieces that SQL is made of: an answer or a typed error, never silence.
#[test]
fn random_sql() {
    let server = TestServer::of("bank");
    let mut client = Client::connect(&server, "bank");
    let words = "SELECT * FROM account WHERE id balance ( ) , = < <> AND OR NOT NULL IS IN BETWEEN LIKE \
        'x' 1 -1 99999999999999999999 :me :x ORDER BY LIMIT OFFSET GROUP HAVING COUNT + - / % || CASE WHEN \
        THEN ELSE END CAST AS text \" ; -- é \0 DISTINCT JOIN ON";
    let words: Vec<_> = words.split(' ').filter(|word| !word.is_empty()).collect();
    let mut random = 42_u64;
    let mut next = |below: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below
    };
    for _ in 0..1500 {
        let mut sql = if next(2) == 0 {
            "SELECT * FROM account WHERE".to_owned()
        } else {
            String::new()
        };
        for _ in 0..next(12) {
            sql.push(' ');
            sql.push_str(words[next(words.len())]);
        }
        if let Err(error) = client.query(&sql) {
            assert!(
                error.known_code().is_some() && error.code != "INTERNAL",
                "{sql}: {error:?}"
            );
        }
    }
    let deep = format!(
        "SELECT * FROM account WHERE {}1{} = 1",
        "(".repeat(5000),
        ")".repeat(5000)
    );
    assert!(client.query(&deep).is_err());
    client.ping();
}

#[test]
fn schema_logs_health_and_metrics() {
    let server = TestServer::of("scripted");
    let schema = server.get("/v1/databases/scripted/schema").json();
    let tables = schema["schema"]["tables"].as_array().unwrap();
    assert!(tables.iter().any(|table| table["name"] == "everything"));
    let client = Client::connect(&server, "scripted");
    let welcome = client.peer.welcome.as_ref().unwrap();
    assert_eq!(schema["hash"], Json::String(welcome.schema_hash.clone()));
    let health = server.get("/v1/health").json();
    assert_eq!(
        (&health["status"], &health["databases"]),
        (&json!("ok"), &json!(1))
    );

    call(&server, "log_many", &json!([3]));
    call(&server, "panic_now", &json!(["boom"]));
    let bearer = format!("Bearer {}", server.server().admin_token());
    let admin = [("authorization", &*bearer)];
    assert_eq!(
        server.get("/v1/databases/scripted/logs").status,
        401,
        "logs are the admin's"
    );
    let logs = server
        .get_with("/v1/databases/scripted/logs?limit=50", &admin)
        .text;
    let lines: Vec<Json> = logs
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let texts: Vec<_> = lines
        .iter()
        .map(|line| line["text"].as_str().unwrap())
        .collect();
    assert!(
        texts.starts_with(&["line 0", "line 1", "line 2"]),
        "{texts:?}"
    );
    assert!(texts.iter().any(|text| text.contains("boom")), "{texts:?}");
    assert_eq!(
        server
            .get_with("/v1/databases/scripted/logs?limit=1", &admin)
            .text
            .lines()
            .count(),
        1
    );
    assert_eq!(server.get("/v1/databases").status, 401);
    assert_eq!(
        server.get_with("/v1/databases", &admin).json()["databases"],
        json!(["scripted"])
    );

    assert!(server.metric("syncline_transactions_total") > 0);
    assert!(server.metric("syncline_calls_failed_total") >= 1);
    let nothing = server.get("/v1/nothing");
    assert_eq!((nothing.status, &*nothing.code()), (404, "NOT_FOUND"));
}

#[test]
fn only_the_admin_and_this_machine_learn_which_databases_there_are() {
    // As behind a proxy that passes on the name that the public knows.
    let config = Config {
        allowed_origins: vec!["https://app.example.com".to_owned()],
        ..Config::default()
    };
    let server = TestServer::with(config);
    server.publish("scripted", "scripted");
    let public = ("host", "app.example.com");
    let bearer = format!("Bearer {}", server.server().admin_token());
    let admin = ("authorization", &*bearer);
    let refused = server.get_with("/metrics", &[public]);
    assert_eq!((refused.status, &*refused.code()), (401, "ADMIN_REQUIRED"));
    for headers in [&[][..], &[public, admin]] {
        let page = server.get_with("/metrics", headers);
        assert_eq!(page.status, 200);
        assert!(page.text.contains("scripted"), "{}", page.text);
    }
    let near = "/v1/databases/scriptd/schema";
    for (headers, is_told) in [
        (&[][..], true),
        (&[public, admin], true),
        (&[public], false),
    ] {
        let answer = server.get_with(near, headers);
        assert_eq!(answer.code(), "NO_DATABASE");
        assert_eq!(answer.text.contains("scripted"), is_told, "{}", answer.text);
    }
}
