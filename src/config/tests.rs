//! Tables of what is said and what comes of it.

use super::*;
use std::io::Write as _;

fn load(
    file: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<(Raw, Config), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("citytwin.toml");
    std::fs::File::create(&path).unwrap().write_all(file.as_bytes()).unwrap();
    let environment =
        Environment::new(environment.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
    let values = flags
        .iter()
        .map(|(key, value)| ("--set".to_owned(), (*key).to_owned(), (*value).to_owned()));
    let flags = Flags { file: Some(path), values: values.collect() };
    let told =
        |error: ConfigError| error.to_string().replace(&*folder.path().to_string_lossy(), "/etc");
    let raw = Raw::gather(&flags, &environment).map_err(told)?;
    let config = Config::check(&raw).map_err(told)?;
    Ok((raw, config))
}

#[test]
fn the_defaults_are_valid_and_as_promised() {
    let config = Config::load(&Flags::default(), &Environment::default()).unwrap();
    assert_eq!(config.data, PathBuf::from("citytwin-data"));
    assert_eq!(config.endpoint.unwrap().listen, "127.0.0.1:1883".parse().unwrap());
    assert_eq!(config.broker, None);
    assert_eq!(config.network, None);
    assert_eq!(config.grpc_listen, "127.0.0.1:50051".parse().unwrap());
    assert_eq!(config.metrics_listen, Some("127.0.0.1:9464".parse().unwrap()));
    assert_eq!(config.twin.window_ms, 60_000);
    assert_eq!(config.twin.max_age_ms, 7 * 86_400_000);
    assert_eq!(config.log.segment_bytes, 64 << 20);
    assert_eq!(config.archive.every, Duration::from_secs(300));
    assert_eq!(config.twin.time, TimeMode::Live);
}

#[test]
fn flags_beat_environment_beats_file_beats_defaults() {
    let file = "[twin]\nwindow = \"10s\"\nlateness = \"1s\"\nidle_after = \"4s\"\n";
    let (raw, config) = load(
        file,
        &[("CITYTWIN_TWIN_WINDOW", "20s"), ("CITYTWIN_TWIN_LATENESS", "2s")],
        &[("twin.window", "30s")],
    )
    .unwrap();
    assert_eq!(config.twin.window_ms, 30_000);
    assert_eq!(config.twin.lateness_ms, 2_000);
    assert_eq!(config.twin.idle_after_ms, 4_000);
    let origin = |key: &str| raw.setting(key).origin.to_string();
    assert_eq!(origin("twin.window"), "flag --set");
    assert_eq!(origin("twin.lateness"), "environment CITYTWIN_TWIN_LATENESS");
    assert!(origin("twin.idle_after").ends_with("citytwin.toml, line 4"));
    assert_eq!(origin("twin.stuck_after"), "default");
}

#[test]
fn every_mistake_names_key_value_origin_and_what_is_allowed() {
    let table: &[(&str, &str)] = &[
        (
            "twin.window = 1\n",
            "twin.window = 1 (file /etc/citytwin.toml, line 1) is not allowed; \
          allowed: a duration with its unit, from 1s to 1h, such as \"90s\", \"5m\" or \"250ms\"",
        ),
        ("\n[twin]\nwindow = \"60\"", "twin.window = \"60\" (file /etc/citytwin.toml, line 3)"),
        ("twin.window = \"60 parsecs\"", "from 1s to 1h"),
        ("twin.window = \"2h\"", "from 1s to 1h"),
        ("twin.window = \"1s 500us\"", "twin.window = \"1s 500us\""),
        (
            "twin.windows = \"1m\"",
            "unknown key twin.windows (file /etc/citytwin.toml, line 1), \
          did you mean twin.window?",
        ),
        (
            "[log]\nlevel = \"info\"",
            "unknown key log.level (file /etc/citytwin.toml, line 2), \
          did you mean telemetry.level?",
        ),
        (
            "[windows]\nsize = 3",
            "unknown key windows.size (file /etc/citytwin.toml, line 2); \
          `citytwin config show` lists all keys",
        ),
        ("twin = 3", "unknown key twin (file"),
        ("data = { path = \"x\" }", "data = a table (file"),
        ("endpoint.enabled = \"yes\"", "allowed: true or false"),
        ("endpoint.listen = \"localhost\"", "allowed: an IP address and a port"),
        ("endpoint.max_connections = -1", "a whole number from 1 to 1000000"),
        ("endpoint.max_connections = \"5\"", "a whole number from 1 to 1000000"),
        ("endpoint.max_connections = 1.5", "endpoint.max_connections = 1.5"),
        ("endpoint.receive_maximum = 65536", "a whole number from 1 to 65535"),
        ("endpoint.tls_cert = \"a.pem\"", "endpoint.tls_key = (not set) (default): TLS needs both"),
        ("endpoint.enabled = false", "no door is open"),
        ("endpoint.listen = \"\"", "or endpoint.enabled = false"),
        ("grpc.listen = \"\"", "the API is always on"),
        ("grpc.listen = \"127.0.0.1:1883\"", "is also endpoint.listen; allowed: different ports"),
        ("broker.url = \"http://x:1\"", "allowed: mqtt://host:port or mqtts://host:port"),
        ("broker.url = \"mqtt://x:99999\"", "allowed: mqtt://host:port"),
        ("broker.version = \"4\"", "allowed: 5 or 3.1.1"),
        ("broker.ca = \"ca.pem\"", "is for TLS only"),
        ("archive.store = \"city\"", "allowed: s3://bucket, s3://bucket/prefix or file:///folder"),
        ("archive.local_for = \"3d\"", "allowed: with archive.store = \"s3://…\""),
        (
            "[archive]\nstore = \"s3://city\"\nlocal_for = \"1d\"",
            "files of past days are merged first; allowed: 2days or more, or 0s",
        ),
        ("broker.client_id = \"a b\"", "1 to 64 of A-Z a-z 0-9 . _ -"),
        ("log.segment = \"64 MB\"", "a size with its unit (B, KiB, MiB, GiB), from 1 MiB to 4 GiB"),
        ("log.segment = \"1 KiB\"", "from 1 MiB to 4 GiB"),
        ("log.commit_interval = \"1s\"", "from 0s to 100ms"),
        ("twin.time = \"past\"", "allowed: live or event"),
        ("twin.dedupe_horizon = \"1m\"", "is shorter than twin.window + twin.lateness"),
        ("sensors = [1]", "allowed: a list of paths"),
        ("network = [\"a\"]", "network = [\"a\"] (file /etc/citytwin.toml, line 1) is not allowed"),
        ("a = = 1", "is not TOML"),
    ];
    for (file, expected) in table {
        let error = load(file, &[], &[]).unwrap_err();
        assert!(error.contains(expected), "{file}\n  said   {error}\n  wanted {expected}");
        assert!(error.contains("is not TOML") || error.lines().count() == 1, "{error}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let error = load("twin.window = 1\nfoo = 2", &[("CITYTWIN_TWIN_LATENES", "1s")], &[("x", "y")])
        .unwrap_err();
    assert_eq!(error.lines().count(), 4, "{error}");
    assert!(error.contains(
        "unknown key CITYTWIN_TWIN_LATENES (environment CITYTWIN_TWIN_LATENES), \
         did you mean CITYTWIN_TWIN_LATENESS?"
    ));
    assert!(error.contains("unknown key x (flag --set)"));
}

#[test]
fn what_kubernetes_adds_is_not_ours() {
    let environment = [
        ("CITYTWIN_PORT_1883_TCP", "tcp://10.0.0.1:1883"),
        ("CITYTWIN_SERVICE_HOST", "10.0.0.1"),
        ("CITYTWIN_SERVER", "http://x"),
        ("CITYTWIN_TWIN_WORKERS", ""),
        ("PATH", "/bin"),
    ];
    load("", &environment, &[]).unwrap();
}

#[test]
fn paths_of_a_file_are_relative_to_it_and_others_are_not() {
    let (raw, config) = load(
        "data = \"d\"\nnetwork = \"n\"\nsensors = [\"a.csv\", \"/b.csv\"]",
        &[],
        &[("places", "p.geojson")],
    )
    .unwrap();
    let Origin::File { path, .. } = &raw.setting("data").origin else { unreachable!() };
    let folder = path.parent().unwrap();
    assert_eq!(config.data, folder.join("d"));
    assert_eq!(config.network, Some(folder.join("n")));
    assert_eq!(config.sensors, [folder.join("a.csv"), PathBuf::from("/b.csv")]);
    assert_eq!(config.places, Some(PathBuf::from("p.geojson")));
    let (_, config) = load("", &[("CITYTWIN_SENSORS", "a.csv, b.csv")], &[]).unwrap();
    assert_eq!(config.sensors, [PathBuf::from("a.csv"), PathBuf::from("b.csv")]);
}

#[test]
fn environment_names_and_keys_are_one_to_one() {
    let names: std::collections::BTreeSet<String> =
        keys::KEYS.iter().map(keys::Key::environment_name).collect();
    assert_eq!(names.len(), keys::KEYS.len());
    for name in &names {
        let kubernetes = keys::KUBERNETES_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        assert!(!kubernetes && !keys::OTHER_ENVIRONMENT.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn a_broker_password_is_never_shown() {
    let url = "mqtts://ioc:secret@broker:8883";
    let (raw, config) = load("", &[("CITYTWIN_BROKER_URL", url)], &[]).unwrap();
    assert_eq!(raw.setting("broker.url").value.to_string(), "mqtts://ioc:***@broker:8883");
    let broker = config.broker.unwrap();
    assert_eq!(broker.url, url);
    assert!(!format!("{broker:?}").contains("secret"));
    assert!(
        !load("broker.url = \"mqtts://ioc:secret@:0\"", &[], &[]).unwrap_err().contains("secret")
    );
}

#[test]
fn what_opens_a_store_is_never_shown() {
    let environment = [("AWS_ACCESS_KEY_ID", "hush"), ("AWS_SECRET_ACCESS_KEY", "hush")];
    let (raw, config) = load("archive.store = \"s3://city/twin/\"", &environment, &[]).unwrap();
    let store = config.archive.store.clone().unwrap();
    assert_eq!(store.address.to_string(), "s3://city/twin");
    store.open().unwrap();
    assert!(
        !format!("{raw:?} {config:?} {environment:?}", environment = raw.credentials())
            .contains("hush")
    );
    assert_eq!(load("", &environment, &[]).unwrap().1.archive.store, None);
}

#[test]
fn broker_urls() {
    for good in ["mqtt://a", "mqtts://a:1", "mqtt://[::1]:1883", "mqtt://[::1]", "mqtt://u:p@a:1/"]
    {
        assert!(load("", &[], &[("broker.url", good)]).is_ok(), "{good}");
    }
    for bad in ["a:1", "mqtt://", "mqtt://:1883", "mqtt://a:0", "mqtt://a b", "ws://a"] {
        assert!(load("", &[], &[("broker.url", bad)]).is_err(), "{bad}");
    }
}
