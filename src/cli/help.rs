//! The examples under `--help`. A test parses every line of them that begins with `$ citytwin`.

/// Of the whole program.
pub const ALL: &str = "\
Begin with a city of 20,000 simulated sensors:
  $ citytwin demo
and in another terminal look at it:
  $ citytwin status
  $ citytwin area --circle 10.772,106.698,2000
  $ citytwin watch --everywhere --resolution 7

Every command that reads has --json: the protobuf JSON of the API's message.
Configuration: flags > environment CITYTWIN_… > --config FILE > defaults; see
  $ citytwin config show

Exit codes:
  0  done
  1  failure (the engine refused, a file or disk failed, a check found something)
  2  usage: the command line or the configuration is wrong
  3  the verdict of a verified run is: failed
  4  no engine answers at the address";

/// Of `demo`.
pub const DEMO: &str = "\
Examples:
  $ citytwin demo
  $ citytwin demo --sensors 50000 --data /tmp/city

The city is written to DATA/city as open files: sensors, places, and its roads as GMNS tables.
It prints the addresses of MQTT, gRPC and metrics, and a line of status. Ctrl-C drains, archives,
writes a checkpoint and says what it kept; the next start with the same --data goes on from there.";

/// Of `serve`.
pub const SERVE: &str = "\
Examples:
  $ citytwin serve --config citytwin.toml
  $ citytwin serve --data /var/lib/citytwin --endpoint-listen 0.0.0.0:1883
  $ citytwin serve --broker mqtt://broker:1883 --no-endpoint
  $ citytwin serve --time event --set twin.window=5m

A sensor then says where it is and what it reads:
  mosquitto_pub -q 1 -r -t city/v1/me/s1/about -m '{\"kind\":\"SENSOR_KIND_RADAR\",\"latitude_deg\":10.77,\"longitude_deg\":106.7}'
  mosquitto_pub -q 1 -t city/v1/me/s1/readings -m '{\"readings\":[{\"quantity\":\"QUANTITY_SPEED_KMH\",\"event_time_ms\":'$(date +%s%3N)',\"value\":32.5}]}'";

/// Of `simulate`.
pub const SIMULATE: &str = "\
Examples:
  $ citytwin simulate --sensors 1000 --duration 1m
  $ citytwin simulate --spec fleet.toml --set faults.late=0.01 --set faults.repeated=0.02
  $ citytwin simulate --sensors 5000 --duration 5m --verify http://127.0.0.1:50051 --archive citytwin-data

The same seed and start give the same readings. With --verify the run's own ledger is held against
the twin's: per sensor, nothing acknowledged missing, nothing twice, every refused reading refused
for the injected reason; with --archive also against every row of the archive. Exit code 3: failed.
Run it against `citytwin serve`: the demo's own fleet has the same sensors, which no verdict passes.
--city DIR writes the city's open files: its roads as GMNS tables in DIR/network, sensors and places
as GeoJSON.";

/// Of `replay`.
pub const REPLAY: &str = "\
Examples:
  $ citytwin replay loops.csv --map loops.toml --positions loops-positions.csv --speed full
  $ citytwin replay week.parquet --map week.toml --speed 60 --to-now --verify http://127.0.0.1:50051
  $ citytwin replay --from-archive http://10.0.0.7:50051 --at '2026-11-20 07:00/09:00' --speed 10

Readings as recorded are old: run the engine with `citytwin serve --time event`, or shift them with
--to-now. Units are turned into ours by the mapping (convert = \"mph->km/h\").";

/// Of `check`.
pub const CHECK: &str = "\
Examples:
  $ citytwin check --config citytwin.toml
  $ citytwin check --data citytwin-data --repair";

/// Of `config show`.
pub const CONFIG_SHOW: &str = "\
Examples:
  $ citytwin config show
  $ citytwin config show --config citytwin.toml --set twin.window=30s --json";

/// Of `status`.
pub const STATUS: &str = "\
Examples:
  $ citytwin status
  $ citytwin status --server http://10.0.0.7:50051 --json";

/// Of `sensors`.
pub const SENSORS: &str = "\
Examples:
  $ citytwin sensors --kind air_station,noise
  $ citytwin sensors --health silent --limit 0
  $ citytwin sensors --agency hcmc --json";

/// Of `sensor`.
pub const SENSOR: &str = "\
Examples:
  $ citytwin sensor hcmc/loop-00017";

/// Of `register`.
pub const REGISTER: &str = "\
Examples:
  $ citytwin register hcmc/r-1 --kind radar --at 10.77,106.7 --interval 10s --link 12-13 --free-flow-speed-kmh 60
Many sensors at once: `citytwin serve --register sensors.csv`.";

/// Of `area`.
pub const AREA: &str = "\
Examples:
  $ citytwin area --everywhere
  $ citytwin area --bbox 10.75,106.68,10.79,106.72 --resolution 8
  $ citytwin area --circle 10.772,106.698,2000 --list
  $ citytwin area --polygon ward.geojson --kind traffic_loop --quantity speed_kmh
  $ citytwin area --cell 8865b1b5ebfffff,8865b1b5e9fffff
  $ citytwin area --place 'tan thuan' --json
  $ citytwin area --corridor road.geojson --buffer-m 50";

/// Of `nearest`.
pub const NEAREST: &str = "\
Examples:
  $ citytwin nearest 10.772,106.698
  $ citytwin nearest 10.772,106.698 --kind air_station --limit 3 --max-distance-m 5000";

/// Of `watch`.
pub const WATCH: &str = "\
Examples:
  $ citytwin watch --everywhere --resolution 7
  $ citytwin watch --circle 10.772,106.698,500 --quantity speed_kmh --json
  $ citytwin watch --place 'Tân Thuận' --resume 5f1c0a…-19

First everything in the area, then what changes. Every message has a resume token: with it a later
watch goes on after that message, without a gap and without a repeat.";

/// Of `ledger`.
pub const LEDGER: &str = "\
Examples:
  $ citytwin ledger
  $ citytwin ledger hcmc/loop-00017
  $ citytwin ledger --all --json

For every sensor: received = applied + duplicate + late + refused. It always adds up.";

/// Of `dead-letters`.
pub const DEAD_LETTERS: &str = "\
Examples:
  $ citytwin dead-letters
  $ citytwin dead-letters --limit 1000 --json";

/// Of `assign`.
pub const ASSIGN: &str = "\
Examples:
  $ citytwin assign --network SiouxFalls_net.tntp --trips SiouxFalls_trips.tntp
  $ citytwin assign --network c_net.tntp --trips c_trips.tntp --toll-factor 0.02 --distance-factor 0.04 --gap 1e-10
  $ citytwin assign --network c_net.tntp --trips c_trips.tntp --edits bridge.toml --flows flows.tntp --json

Every trip takes a path that no other could beat, at the delays all of them cause: the balance a
city comes to if a change stays (Wardrop 1952; Algorithm B, Dial 2006). Link cost is
  time x (1 + b x (flow / capacity)^power) + toll-factor x toll + distance-factor x length
in the network's own unit of time. What if a bridge is closed and a road loses half its lanes:
  [[close]]
  from = 10
  to = 16
  [[capacity]]
  from = 16
  to = 10
  factor = 0.5
Printed: the objective of Beckmann (whose least value is the balance), total travel time (TSTT),
relative gap (TSTT - SPTT) / TSTT, iterations and seconds without reading files. Trips within a zone
are not assigned; trips that no path can take are counted as unserved. Exit code 1: gap not reached.";

/// Of `completions`.
pub const COMPLETIONS: &str = "\
Examples:
  $ citytwin completions bash
  $ citytwin completions zsh";

/// Of `network`.
pub const NETWORK: &str = "\
Examples:
  $ citytwin network import hcmc.osm.pbf --out roads --merge-below 30m
  $ citytwin network check roads
  $ citytwin network show roads
  $ citytwin network export roads --format geojson --out roads.geojson";

/// Of `network import`.
pub const NETWORK_IMPORT: &str = "\
Examples:
  $ citytwin network import hcmc.osm.pbf --out roads
  $ citytwin network import hcmc.osm.pbf --out roads --merge-below 30m --cell-zones 8
  $ citytwin network import other-gmns --out roads
  $ citytwin network import SiouxFalls_net.tntp --tntp-length mi --tntp-time min --out roads

From OpenStreetMap come the roads that cars or motorcycles may use, motorway to living street, with
one-way rules, lanes, speed limits, signals and turn restrictions; what is left out is counted. What
a file does not say is taken from the class of the road. A link is called osm:WAY:FROM-TO.
--merge-below makes one link of runs through junctions at which nothing is decided; travel time and
storage stay the same, and sensors that name a merged link still find it.
--cell-zones: OpenStreetMap has no traffic zones; with this the H3 cells of a resolution are zones,
their greatest junctions the places where trips begin and end.";

/// Of `network check`.
pub const NETWORK_CHECK: &str = "\
Examples:
  $ citytwin network check roads
  $ citytwin network check hcmc.osm.pbf --all
  $ citytwin network check roads --json

A FAULT cannot be used and is left out (zero length, missing junction, capacity 0...); with one the
exit code is 1. A remark can: islands, dead ends, links that cannot be reached. At the border of an
extract many roads lead in or out of nowhere.";

/// Of `network show`.
pub const NETWORK_SHOW: &str = "\
Examples:
  $ citytwin network show roads
  $ citytwin network show hcmc.osm.pbf --json";

/// Of `network export`.
pub const NETWORK_EXPORT: &str = "\
Examples:
  $ citytwin network export roads --format geojson --out roads.geojson
  $ citytwin network export hcmc.osm.pbf --format gmns --out roads";

/// Of `network upload`.
pub const NETWORK_UPLOAD: &str = "\
Examples:
  $ citytwin network upload roads
  $ citytwin network upload hcmc.osm.pbf --json

The engine keeps every network under the hash of its content and lays new scenarios on the one that
came last. `network = \"roads\"` in its configuration (or --network) does the same at its start.";

/// Of `network calibrate`.
pub const NETWORK_CALIBRATE: &str = "\
Examples:
  $ citytwin network calibrate
  $ citytwin network calibrate --held-out 0.3 --seed 7 --out trips.csv
  $ citytwin network calibrate --json

A gravity model between the zones of the network, changed until its equilibrium has the flows that
the sensors measure now. GEH = sqrt(2 (m - c)^2 / (m + c)), hourly flows; below 5 is a good fit
(DMRB 12.2.1). What counts is the fit at the links that the estimate was not shown.";

/// Of `scenario`.
pub const SCENARIO: &str = "\
Examples:
  $ citytwin scenario new mine.toml
  $ citytwin scenario check mine.toml
  $ citytwin scenario run mine.toml
  $ citytwin scenario list
  $ citytwin scenario reproduce 3fa9c1d20b77

A scenario is a file: what is different, for how long, and which model answers. It is laid on the
living city at one epoch. Its id is a hash of the roads, the traffic at that epoch, the edits, the
demand, the seed and the model's version: the same id is the same outcome, byte for byte.";

/// Of `scenario new`.
pub const SCENARIO_NEW: &str = "\
Examples:
  $ citytwin scenario new
  $ citytwin scenario new mine.toml

The example has every kind of edit; all but one are comments.";

/// Of `scenario check`.
pub const SCENARIO_CHECK: &str = "\
Examples:
  $ citytwin scenario check mine.toml
  $ citytwin scenario check deploy/scenarios/batch.toml

Every finding names file, line and field. With one the exit code is 1.";

/// Of `scenario run`.
pub const SCENARIO_RUN: &str = "\
Examples:
  $ citytwin scenario run deploy/scenarios/close-bridge.toml
  $ citytwin scenario run deploy/scenarios/batch.toml --no-files
  $ citytwin scenario run mine.toml --out meeting --language vi
  $ citytwin scenario run mine.toml --json
  $ citytwin scenario run mine.toml --offline --network roads --demand trips.csv

Each scenario is run beside the same city without its edits; the tables show what differs, the most
affected first. Pictures (map and time plots, PNG and SVG) and tables go to a folder of their own
under --out. All scenarios of one call are laid on the same base. What was run before is not run
again. Ctrl-C cancels. Vehicles are passenger-car equivalents.";

/// Of `scenario compare`.
pub const SCENARIO_COMPARE: &str = "\
Examples:
  $ citytwin scenario compare 3fa9c1d20b77 90ab12cd34ef
  $ citytwin scenario compare 3fa9c1d20b77 90ab12cd34ef --limit 50 --no-files
  $ citytwin scenario compare 3fa9c1d20b77 90ab12cd34ef --json

The second less the first. Both must look ahead equally far; models may differ.";

/// Of `scenario export`.
pub const SCENARIO_EXPORT: &str = "\
Examples:
  $ citytwin scenario export 3fa9c1d20b77 --format parquet --out outcome
  $ citytwin scenario export 3fa9c1d20b77 --format geojson --out outcome

One row a link and interval (csv, parquet), or one line on the map a link (geojson); zones and cells
in tables of their own.";

/// Of `scenario backtest`.
pub const SCENARIO_BACKTEST: &str = "\
Examples:
  $ citytwin scenario backtest --at '2026-11-20 07:45'
  $ citytwin scenario backtest --at -3h --at -2h --horizon 30m --json

The city is forked as it was known then. Compared are speeds of links that sensors name and measured
before and after; the forecasts beside the scenario's cost nothing and are hard to beat at night. The
model's speed is that of a whole link, waiting at its signal included; a loop's is that of one spot, so
where sensors stand far from stop lines the scenario seems too slow by that.";

/// Of `scenario reproduce`.
pub const SCENARIO_REPRODUCE: &str = "\
Examples:
  $ citytwin scenario reproduce 3fa9c1d20b77
  $ citytwin scenario reproduce 3fa9c1d20b77 --json

Runs it again from the same roads and the same traffic, and compares the SHA-256 of the bytes.";

/// Of `history`.
pub const HISTORY: &str = "\
Examples:
  $ citytwin history at -10m --everywhere
  $ citytwin history at '2026-11-20 07:45' --place 'Phường Bến Thành' --known-at '2026-11-20 07:45'
  $ citytwin history sensor traffic/loop-000001 --from -1h --quantity speed_kmh
  $ citytwin history windows --everywhere --from -1h --window 5m --by cell --resolution 7

Times are by the sensors' clocks. Answers hold through the newest epoch, archived or not; with
--known-at they are what was known then, before late readings came.";

/// Of `history sensor`.
pub const HISTORY_SENSOR: &str = "\
Examples:
  $ citytwin history sensor traffic/loop-000001 --from -1h
  $ citytwin history sensor traffic/loop-000001 --from '2026-11-20 07:00' --to '2026-11-20 08:00' --json";

/// Of `history windows`.
pub const HISTORY_WINDOWS: &str = "\
Examples:
  $ citytwin history windows --everywhere --from -1h --window 15m --quantity speed_kmh
  $ citytwin history windows --circle 10.772,106.698,2000 --from -1h --by link
  $ citytwin history windows --everywhere --from -1d --window 1h --by cell --resolution 6

Windows begin at multiples of their length since 1970, UTC. `runs` marks those that may still grow.";

/// Of `history at`.
pub const HISTORY_AT: &str = "\
Examples:
  $ citytwin history at -1h --everywhere --resolution 7
  $ citytwin history at 2026-11-20T07:45:00+07:00 --circle 10.772,106.698,2000 --list
  $ citytwin history at -1h --everywhere --known-at -1h";

/// Of `sql`.
pub const SQL: &str = "\
Examples:
  $ citytwin sql 'SELECT quantity, count(*), avg(value) FROM readings GROUP BY quantity'
  $ citytwin sql --csv 'SELECT * FROM sensors ORDER BY sensor LIMIT 10'
  $ citytwin sql --parquet speeds.parquet 'SELECT * FROM windows WHERE max > 80'
  $ citytwin sql

Tables: readings, windows, cell_windows (the valid rows, running windows too), window_revisions,
cell_window_revisions, refusals, dead_letters, sensors, sensor_changes, ledger.
Functions of our own: h3_cell, h3_parent, h3_children, h3_grid_disk, h3_boundary_wkt, h3_to_string,
h3_from_string, h3_resolution, st_within, time_bucket, epoch_time, epoch_of.
Any Arrow Flight SQL driver (ADBC, JDBC, ODBC) gets the same answers at the same address.";

/// Of `export opendata`.
pub const OPENDATA: &str = "\
Examples:
  $ citytwin export opendata --out open --from -1d --publisher 'Sở Khoa học và Công nghệ TP.HCM'
  $ citytwin export opendata --out air --from 2026-11-01 --to 2026-11-08 --kind air_station --window 1h --publisher City

Writes data.parquet, data.csv, data.geojson and dcat.jsonld (DCAT-AP 3: title, licence, period, area,
publisher, files with checksums). A row of a protected kind that rests on fewer than --min-sensors
sensors is marked as withheld and has no values.";

/// Of `archive status`.
pub const ARCHIVE_STATUS: &str = "\
Examples:
  $ citytwin archive status
  $ citytwin sql 'SELECT path, rows FROM files ORDER BY bytes DESC LIMIT 10'

What waits for the next file is in no file yet, but in every answer. Of the files, those that are stored
are in archive.store, too, and those that are away only there.";

/// Of `archive compact`.
pub const ARCHIVE_COMPACT: &str = "\
Examples:
  $ citytwin archive compact
  $ citytwin archive compact --data /var/lib/citytwin --all

Each merged file takes the place of those it was made of in one step; killed at any moment, no reading is
lost or there twice. What a start would write again is left alone.";

/// Of `archive export`.
pub const ARCHIVE_EXPORT: &str = "\
Examples:
  $ citytwin archive export --out taken --at '2026-11-20 07:00/09:00'
  $ citytwin archive export --out taken --table ledger --table dead-letters

Rows are as they hold now, archived or not. For other cuts: citytwin sql --parquet FILE 'SELECT …'.";

/// Of `archive verify`.
pub const ARCHIVE_VERIFY: &str = "\
Examples:
  $ citytwin archive verify
  $ citytwin archive verify --data /var/lib/citytwin --json

Unpacks every page of every file; checks counts, order and ranges of epochs, that no reading is there
twice, and that readings and refusals add up to the ledger of every sensor. An engine may run on the
folder meanwhile: what it writes after the newest checkpoint is read, but not held against a ledger.";
