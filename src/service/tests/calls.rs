//! Every call that asks once, and every refusal.

use citytwin_proto::ingest::v1::SensorDescription;
use citytwin_proto::v1;
use citytwin_proto::v1::area::Shape;
use citytwin_proto::v1::operator_server::Operator as _;
use tonic::{Code, Request, Response, Status};

use super::*;

fn area(shape: Shape) -> v1::Area {
    v1::Area { shape: Some(shape) }
}

fn everywhere() -> v1::Area {
    area(Shape::Everywhere(v1::Everywhere {}))
}

/// Code and message of a refusal.
fn refusal<T>(answer: Result<Response<T>, Status>) -> (Code, String) {
    match answer {
        Ok(_) => panic!("was answered"),
        Err(status) => (status.code(), status.message().to_owned()),
    }
}

fn invalid<T>(answer: Result<Response<T>, Status>, expected: &str) {
    let (code, message) = refusal(answer);
    assert_eq!(code, Code::InvalidArgument, "{message}");
    assert!(message.starts_with(expected), "said {message:?}, wanted {expected:?}");
}

#[tokio::test]
async fn status_adds_up() {
    let mut town = Town::new(30);
    town.epoch(|snapshot, epoch| {
        (0..10).for_each(|n| report(snapshot, epoch, n, 20.0));
        trouble(snapshot, epoch, 0);
    });
    let answer = town.service().get_status(Request::new(v1::GetStatusRequest {})).await;
    let status = answer.unwrap().into_inner();
    assert_eq!(status.state, "SERVING");
    assert_eq!(status.as_of.unwrap().epoch, town.snapshot.epoch.number());
    let counts = status.counts.unwrap();
    assert_eq!((counts.sensors, counts.live, counts.never_heard), (30, 10, 20));
    let ledger = status.ledger.unwrap();
    assert_eq!(
        (ledger.received, ledger.applied, ledger.duplicate, ledger.late_applied),
        (13, 10, 1, 1)
    );
    assert_eq!(ledger.refused.iter().map(|count| count.readings).sum::<u64>(), 1);
    assert_eq!((status.connections, status.archived_through_epoch, status.watchers), (3, 5, 0));
    assert_eq!(status.doors, ["endpoint mqtt://127.0.0.1:1883"]);
    town.vitals.lock().unwrap().state = State::DiskFull;
    let answer = town.service().get_status(Request::new(v1::GetStatusRequest {})).await;
    assert_eq!(answer.unwrap().into_inner().state, "DISK_FULL");
}

#[tokio::test]
async fn a_sensor_with_its_ledger_or_why_not() {
    let mut town = Town::new(30);
    let epoch = town.epoch(|snapshot, epoch| {
        report(snapshot, epoch, 4, 33.5);
        trouble(snapshot, epoch, 5);
    });
    let get = |sensor: &str| {
        let (service, sensor) = (town.service(), sensor.to_owned());
        async move { service.get_sensor(Request::new(v1::GetSensorRequest { sensor })).await }
    };
    let sensor = get("town/s-00004").await.unwrap().into_inner();
    assert_eq!(sensor.health(), v1::SensorHealth::Live);
    assert_eq!((sensor.latest[0].value, sensor.latest[0].epoch), (33.5, epoch.number()));
    assert_eq!(sensor.latest[0].quantity().as_str_name(), "QUANTITY_SPEED_KMH");
    assert_eq!(sensor.ledger.unwrap().received, 1);
    assert_eq!(sensor.as_of.unwrap().epoch, epoch.number());
    let about = sensor.description.unwrap();
    let place = Position::new(about.latitude_deg, about.longitude_deg).unwrap();
    assert_eq!((place, about.expected_interval_ms), (position(4), 10_000));
    assert_eq!(sensor.cell, position(4).cell(Resolution::Nine).to_string());
    let troubled = get("town/s-00005").await.unwrap().into_inner().ledger.unwrap();
    assert_eq!((troubled.received, troubled.duplicate, troubled.late_applied), (3, 1, 1));

    let (code, message) = refusal(get("town/s-99999").await);
    assert_eq!(code, Code::NotFound);
    assert!(message.contains("town/s-99999 is not registered (30 are)"), "{message}");
    invalid(get("town").await, "sensor: sensor id \"town\" is not agency/sensor");
    invalid(get("").await, "sensor: ");
}

async fn pages(town: &Town, request: v1::ListSensorsRequest) -> Vec<Vec<String>> {
    let mut request = request;
    let mut pages = Vec::new();
    loop {
        let answer = town.service().list_sensors(Request::new(request.clone())).await;
        let page = answer.unwrap().into_inner();
        pages.push(page.sensors.into_iter().map(|sensor| sensor.sensor).collect());
        if page.next_page_token.is_empty() {
            return pages;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test]
async fn sensors_come_in_pages_by_filter() {
    let mut town = Town::new(25);
    town.epoch(|snapshot, epoch| (0..5).for_each(|n| report(snapshot, epoch, n, 20.0)));
    let all: Vec<String> = (0..25).map(|n| key(n).to_string()).collect();
    let request = |page_size| v1::ListSensorsRequest { page_size, ..Default::default() };
    let found = pages(&town, request(10)).await;
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
    assert_eq!(found.concat(), all);
    assert_eq!(pages(&town, request(25)).await.concat(), all);
    assert_eq!(pages(&town, request(0)).await, [all]);
    let air = v1::ListSensorsRequest { kinds: vec![5], ..request(5) };
    assert_eq!(pages(&town, air).await.concat().len(), 12);
    let live = v1::ListSensorsRequest { health: v1::SensorHealth::Live.into(), ..request(0) };
    assert_eq!(pages(&town, live).await.concat().len(), 5);
    let none = v1::ListSensorsRequest { agency: "other".into(), ..request(0) };
    assert_eq!(pages(&town, none).await.concat().len(), 0);

    let list = |request| {
        let service = town.service();
        async move { service.list_sensors(Request::new(request)).await }
    };
    invalid(list(request(-1)).await, "page_size: -1; allowed: 0 (1000), or 1 to 10000");
    invalid(list(request(10_001)).await, "page_size: 10001");
    let token = v1::ListSensorsRequest { page_token: "x".into(), ..request(0) };
    invalid(list(token).await, "page_token: \"x\" is not a token");
    let kinds = v1::ListSensorsRequest { kinds: vec![1, 99], ..request(0) };
    invalid(list(kinds).await, "kinds[1]: 99 is no kind");
    let health = v1::ListSensorsRequest { health: 9, ..request(0) };
    invalid(list(health).await, "health: 9 is no health");
    let agency = v1::ListSensorsRequest { agency: "a/b".into(), ..request(0) };
    invalid(list(agency).await, "agency: ");
}

#[tokio::test]
async fn a_sensor_that_appears_between_two_pages_moves_no_other() {
    let mut town = Town::new(4);
    let request = v1::ListSensorsRequest { page_size: 2, ..Default::default() };
    let first = town.service().list_sensors(Request::new(request.clone())).await.unwrap();
    let first = first.into_inner();
    town.epoch(|snapshot, epoch| {
        let mut early = described(4, position(4));
        early.key = SensorKey::parse("town/a").unwrap();
        snapshot.register(&[early], epoch, Resolution::Six);
    });
    let rest = v1::ListSensorsRequest { page_token: first.next_page_token, ..request };
    assert_eq!(pages(&town, rest).await, [[key(2).to_string(), key(3).to_string()]]);
}

#[tokio::test]
async fn an_area_by_totals_cells_and_sensors() {
    let mut town = Town::new(100);
    town.epoch(|snapshot, epoch| (0..100).for_each(|n| report(snapshot, epoch, n, f64::from(n))));
    let query = |request: v1::QueryAreaRequest| {
        let service = town.service();
        async move { service.query_area(Request::new(request)).await }
    };
    let all =
        v1::QueryAreaRequest { area: Some(everywhere()), resolution: 8, ..Default::default() };
    let answer = query(all.clone()).await.unwrap().into_inner();
    assert_eq!(answer.counts.unwrap().live, 100);
    assert_eq!(
        (answer.totals.len(), answer.totals[0].sensors, answer.totals[0].max),
        (2, 50, 98.0)
    );
    assert_eq!(answer.traffic.unwrap().sensors, 50);
    assert!(answer.cells.len() > 1 && answer.sensors.is_empty());
    let in_cells: u32 = answer.cells.iter().map(|cell| cell.counts.unwrap().sensors).sum();
    assert_eq!(in_cells, 100);
    let listed = v1::QueryAreaRequest { include_sensors: true, quantities: vec![1], ..all.clone() };
    let answer = query(listed).await.unwrap().into_inner();
    assert_eq!((answer.sensors.len(), answer.totals.len()), (100, 1));
    assert!(answer.sensors.iter().all(|sensor| sensor.ledger.is_none()));
    let kinds = v1::QueryAreaRequest { kinds: vec![5], ..all };
    assert_eq!(query(kinds).await.unwrap().into_inner().counts.unwrap().sensors, 50);
    for name in ["Tân Thuận", "tan thuan", "p1"] {
        let place = Some(area(Shape::Place(name.into())));
        let request = v1::QueryAreaRequest { area: place, ..Default::default() };
        assert_eq!(query(request).await.unwrap().into_inner().counts.unwrap().sensors, 9, "{name}");
    }
}

#[tokio::test]
async fn a_wrong_area_names_the_field() {
    let town = Town::new(1);
    let point = |latitude_deg, longitude_deg| v1::Point { latitude_deg, longitude_deg };
    let ring = |points: &[(f64, f64)]| v1::Ring {
        points: points.iter().map(|(lat, lon)| point(*lat, *lon)).collect(),
    };
    let polygon = |rings: Vec<v1::Ring>| {
        Some(area(Shape::Polygon(v1::Polygon { parts: vec![v1::PolygonPart { rings }] })))
    };
    let bow_tie = [(0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)];
    let cells = |cells: Vec<String>| Some(area(Shape::Cells(v1::CellSet { cells })));
    let table = [
        (None, "area: is missing; allowed: one of cells"),
        (Some(v1::Area { shape: None }), "area: is missing"),
        (cells(vec![]), "area.cells"),
        (cells(vec!["8865b1b5ebfffff".into(), "zz".into()]), "area.cells.cells[1]: \"zz\" is not"),
        (
            cells(vec!["8865b1b5ebfffff".into(); 10_001]),
            "area.cells.cells: 10001 cells, at most 10000",
        ),
        (polygon(vec![]), "area.polygon.parts[0]"),
        (polygon(vec![ring(&[(0.0, 0.0), (1.0, 1.0)])]), "area.polygon.parts[0].rings[0]"),
        (polygon(vec![ring(&bow_tie)]), "area.polygon.parts[0].rings[0]"),
        (
            polygon(vec![ring(&[(0.0, f64::NAN), (1.0, 1.0), (2.0, 0.0)])]),
            "area.polygon.parts[0].rings[0].points[0]",
        ),
        (
            Some(area(Shape::Circle(v1::Circle { center: None, radius_m: 1.0 }))),
            "area.circle.center: is missing",
        ),
        (
            Some(area(Shape::Circle(v1::Circle { center: Some(point(91.0, 0.0)), radius_m: 1.0 }))),
            "area.circle.center",
        ),
        (
            Some(area(Shape::Circle(v1::Circle { center: Some(point(0.0, 0.0)), radius_m: -1.0 }))),
            "area.circle.radius_m: -1 m is not above 0",
        ),
        (
            Some(area(Shape::Box(v1::Box {
                south_deg: 2.0,
                north_deg: 1.0,
                ..Default::default()
            }))),
            "area.box",
        ),
        (Some(area(Shape::Place("nowhere at all".into()))), "area.place: there is no place"),
        (
            Some(area(Shape::Corridor(v1::Corridor { line: vec![], buffer_m: 1.0 }))),
            "area.corridor",
        ),
    ];
    for (given, expected) in table {
        let request = v1::QueryAreaRequest { area: given, ..Default::default() };
        invalid(town.service().query_area(Request::new(request)).await, expected);
    }
    for resolution in [-1, 11] {
        let request =
            v1::QueryAreaRequest { area: Some(everywhere()), resolution, ..Default::default() };
        let expected = format!("resolution: {resolution}; allowed: 0, or 1 to 10");
        invalid(town.service().query_area(Request::new(request)).await, &expected);
    }
    let request = v1::QueryAreaRequest {
        area: Some(everywhere()),
        quantities: vec![0],
        ..Default::default()
    };
    let answer = town.service().query_area(Request::new(request)).await;
    invalid(answer, "quantities[0]: 0 is no quantity");
}

#[tokio::test]
async fn the_nearest_first() {
    let town = Town::new(100);
    let nearest = |request: v1::NearestRequest| {
        let service = town.service();
        async move { service.nearest(Request::new(request)).await }
    };
    let origin = Some(v1::Point { latitude_deg: ORIGIN.0, longitude_deg: ORIGIN.1 });
    let request = v1::NearestRequest { point: origin, limit: 3, ..Default::default() };
    let answer = nearest(request.clone()).await.unwrap().into_inner();
    assert_eq!(answer.neighbours.len(), 3);
    assert_eq!(answer.neighbours[0].sensor.as_ref().unwrap().sensor, "town/s-00000");
    assert!(answer.neighbours[0].distance_m < 0.001);
    assert!((answer.neighbours[1].distance_m - 218.0).abs() < 2.0);
    let default = v1::NearestRequest { limit: 0, ..request.clone() };
    assert_eq!(nearest(default).await.unwrap().into_inner().neighbours.len(), 10);
    let close = v1::NearestRequest { max_distance_m: 230.0, limit: 100, ..request.clone() };
    assert_eq!(nearest(close).await.unwrap().into_inner().neighbours.len(), 3);
    invalid(nearest(v1::NearestRequest::default()).await, "point: is missing");
    invalid(nearest(v1::NearestRequest { limit: 1_001, ..request.clone() }).await, "limit: 1001");
    let far = v1::NearestRequest { max_distance_m: f64::NAN, ..request };
    invalid(nearest(far).await, "max_distance_m: NaN m");
}

#[tokio::test]
async fn the_ledger_in_total_by_sensor_and_by_page() {
    let mut town = Town::new(25);
    town.epoch(|snapshot, epoch| {
        (0..25).for_each(|n| report(snapshot, epoch, n, 20.0));
        trouble(snapshot, epoch, 3);
        set_aside(snapshot, epoch, "first");
    });
    let ledger = |request: v1::GetLedgerRequest| {
        let service = town.service();
        async move { service.get_ledger(Request::new(request)).await }
    };
    let total = ledger(v1::GetLedgerRequest::default()).await.unwrap().into_inner();
    assert_eq!(total.total.unwrap().received, 28);
    assert!(total.sensors.is_empty() && total.next_page_token.is_empty());
    assert_eq!(total.dead_letters[0].reason, "undecodable");
    assert_eq!(total.dead_letters[0].messages, 1);

    let mut request = v1::GetLedgerRequest { page_size: 10, ..Default::default() };
    let (mut sum, mut pages) = (0, 0);
    loop {
        let page = ledger(request.clone()).await.unwrap().into_inner();
        sum +=
            page.sensors.iter().map(|entry| entry.ledger.as_ref().unwrap().received).sum::<u64>();
        pages += 1;
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!((sum, pages), (28, 3));

    let one = v1::GetLedgerRequest { sensor: "town/s-00003".into(), ..Default::default() };
    let one = ledger(one).await.unwrap().into_inner();
    assert_eq!(one.sensors[0].ledger.as_ref().unwrap().received, 4);
    let absent = v1::GetLedgerRequest { sensor: "town/no".into(), ..Default::default() };
    assert_eq!(refusal(ledger(absent).await).0, Code::NotFound);
    let size = v1::GetLedgerRequest { page_size: -2, ..Default::default() };
    invalid(ledger(size).await, "page_size: -2");
}

#[tokio::test]
async fn dead_letters_newest_first_and_places() {
    let mut town = Town::new(1);
    for detail in ["first", "second", "third"] {
        town.epoch(|snapshot, epoch| set_aside(snapshot, epoch, detail));
    }
    let list = |page_size| {
        let service = town.service();
        let request = v1::ListDeadLettersRequest { page_size };
        async move { service.list_dead_letters(Request::new(request)).await }
    };
    let letters = list(2).await.unwrap().into_inner().dead_letters;
    let details: Vec<&str> = letters.iter().map(|letter| letter.detail.as_str()).collect();
    assert_eq!(details, ["third", "second"]);
    assert_eq!(letters[0].head, b"nonsense");
    assert_eq!(letters[0].epoch, town.snapshot.epoch.number());
    assert_eq!(list(0).await.unwrap().into_inner().dead_letters.len(), 3);
    invalid(list(1_001).await, "page_size: 1001; allowed: 0 (100), or 1 to 1000");
    let places = town.service().list_places(Request::new(v1::ListPlacesRequest {})).await;
    assert_eq!(places.unwrap().into_inner().places[0].name, "Tân Thuận");
}

#[tokio::test]
async fn registering_is_durable_or_refused_by_field() {
    let town = Town::new(1);
    let good = SensorDescription {
        kind: 1,
        latitude_deg: 10.0,
        longitude_deg: 106.0,
        ..Default::default()
    };
    let register = |sensor: &str, description: Option<SensorDescription>| {
        let service = town.service();
        let request = v1::RegisterSensorRequest { sensor: sensor.to_owned(), description };
        async move { service.register_sensor(Request::new(request)).await }
    };
    let answer = register("town/new", Some(good.clone())).await.unwrap().into_inner();
    assert_eq!((answer.sensor.as_str(), answer.epoch), ("town/new", 77));
    assert_eq!(town.registered.lock().unwrap()[0].as_str(), "town/new");
    let (code, message) = refusal(register("town/full", Some(good.clone())).await);
    assert_eq!(code, Code::Unavailable);
    assert!(message.contains("the disk is full"), "{message}");
    let with = |change: &dyn Fn(&mut SensorDescription)| {
        let mut description = good.clone();
        change(&mut description);
        Some(description)
    };
    let table = [
        (None, "description: is missing"),
        (with(&|d| d.kind = 0), "description.kind "),
        (with(&|d| d.latitude_deg = 91.0), "description.position is wrong: latitude 91"),
        (with(&|d| d.expected_interval_ms = -1), "description.expected_interval_ms -1"),
        (with(&|d| d.free_flow_speed_kmh = f64::NAN), "description.free_flow_speed_kmh NaN"),
        (with(&|d| d.name = "x".repeat(257)), "description.name has 257 bytes"),
    ];
    for (description, expected) in table {
        invalid(register("town/new", description).await, expected);
    }
    invalid(register("new", Some(good)).await, "sensor: ");
    assert_eq!(town.registered.lock().unwrap().len(), 1);
}
