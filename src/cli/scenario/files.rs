//! What stays of an outcome: pictures for a meeting, tables for other programs. Each goes into a
//! folder of its own and replaces what an earlier call wrote there.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use citytwin_proto::v1;
use v1::get_outcome_response::Part;

use super::{Desk, Format, ShowFiles, report, run};
use crate::cli::failure::Failure;
use crate::outcome_files::{
    LinkLines, LinkTable, PlaceKind, PlaceTable, RoadLinks, TableFormat, write_difference_lines,
    write_differences,
};
use crate::picture::{
    Drawing, LocalStart, MapInput, PlotInput, Series, difference_map, time_plots,
};

/// Width of a PNG: two to a slide.
const WIDTH_PX: u32 = 2_400;
/// As many differences as an answer may have.
const ALL: i32 = 100_000;

/// An outcome as a whole, without figures.
///
/// # Errors
/// When the engine cannot be asked, or there is none.
pub(super) async fn head(desk: &Desk, id: &str) -> Result<v1::Outcome, Failure> {
    let request = v1::GetOutcomeRequest { id: id.to_owned(), ..Default::default() };
    read(desk, request, |_figures| Ok(())).await
}

/// Reads an outcome; `each` gets its figures as they come.
///
/// # Errors
/// When the engine cannot be asked, or there is none.
pub(super) async fn read(
    desk: &Desk,
    request: v1::GetOutcomeRequest,
    mut each: impl FnMut(&v1::IntervalFigures) -> Result<(), Failure>,
) -> Result<v1::Outcome, Failure> {
    let stream = desk.planner().get_outcome(request).await;
    let mut stream = stream.map_err(|status| desk.failure(status))?.into_inner();
    let mut head = None;
    while let Some(message) = stream.message().await.map_err(|status| desk.failure(status))? {
        match message.part {
            Some(Part::Outcome(outcome)) => head = Some(outcome),
            Some(Part::Figures(figures)) => each(&figures)?,
            None => {}
        }
    }
    Ok(head.context("the engine answered without an outcome")?)
}

async fn scenario(desk: &Desk, id: &str) -> Result<v1::PlannedScenario, Failure> {
    let request = v1::GetScenarioRequest { id: id.to_owned() };
    let planned = desk.planner().get_scenario(request).await;
    Ok(planned.map_err(|status| desk.failure(status))?.into_inner())
}

async fn roads(desk: &Desk, network: &str) -> Result<Vec<v1::RoadLink>, Failure> {
    let request = v1::ReadLinksRequest { network: network.to_owned() };
    let stream = desk.planner().read_links(request).await;
    let mut stream = stream.map_err(|status| desk.failure(status))?.into_inner();
    let mut links = Vec::new();
    while let Some(message) = stream.message().await.map_err(|status| desk.failure(status))? {
        links.extend(message.links);
    }
    Ok(links)
}

/// Writes what differs between two outcomes: a map, plots over time, tables. Returns the folder.
///
/// # Errors
/// When the engine cannot be asked, or a file cannot be written.
pub(super) async fn write_comparison(
    desk: &Desk,
    (first, second): (&str, &str),
    show: &ShowFiles,
) -> Result<PathBuf, Failure> {
    let planned = scenario(desk, second).await?;
    let definition = planned.scenario.clone().unwrap_or_default();
    let links = roads(desk, &planned.network).await?;
    let found = run::compare(desk, first, second, ALL).await?;
    let mut series = Vec::new();
    for id in [first, second] {
        let request =
            v1::GetOutcomeRequest { id: id.to_owned(), cells: true, ..Default::default() };
        let name = head(desk, id).await?.name;
        let mut line = Series::new(&name);
        read(desk, request, |figures| {
            line.add(figures);
            Ok(())
        })
        .await?;
        series.push((name, line));
    }
    let folder = show.out.join(folder_name(&definition.name, &planned.id));
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;

    let language = show.language.of_pictures();
    let map = difference_map(&MapInput {
        title: &definition.name,
        before: &series[0].0,
        after: &series[1].0,
        links: &links,
        comparison: &found,
        edited: &edited(&definition),
        credit: credit(&links),
        language,
    });
    draw(&folder, "map", &map)?;
    let base = definition.base.unwrap_or_default();
    let start = base.epoch.filter(|epoch| *epoch > 0);
    let outcomes: Vec<Series> = series.into_iter().map(|(_, line)| line).collect();
    let plots = time_plots(&PlotInput {
        title: &definition.name,
        outcomes: &outcomes,
        start: start
            .map(|epoch| LocalStart { epoch, utc_offset_s: base.utc_offset_s.unwrap_or_default() }),
        language,
    });
    draw(&folder, "time", &plots)?;

    let roads = RoadLinks::new(&links);
    let (file, path) = create(&folder, "differences.csv")?;
    write_differences(file, TableFormat::Csv, &found, &roads).with_context(|| cannot(&path))?;
    let (file, path) = create(&folder, "differences.geojson")?;
    write_difference_lines(file, &found, &roads).with_context(|| cannot(&path))?;
    Ok(folder)
}

/// `cau-sai-gon-closed-3fa9c1d20b77`: what people can read and a shell need not quote.
fn folder_name(name: &str, id: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    let plain = name.replace(['đ', 'Đ'], "d");
    let plain: String = plain.nfd().filter(char::is_ascii).collect();
    let words = plain.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<String> =
        words.filter(|word| !word.is_empty()).map(str::to_ascii_lowercase).collect();
    let words: String = words.join("-").chars().take(60).collect();
    format!("{words}-{}", report::short(id)).trim_start_matches('-').to_owned()
}

/// Keys of the links that edits name.
fn edited(scenario: &v1::Scenario) -> Vec<String> {
    use v1::edit::Change;
    let place = |edit: &v1::Edit| match edit.change.clone()? {
        Change::Close(edit) => edit.on,
        Change::Lanes(edit) => edit.on,
        Change::Capacity(edit) => edit.on,
        Change::Speed(edit) => edit.on,
        Change::Incident(edit) => edit.on,
        Change::BanClasses(edit) => edit.on,
        Change::Flood(edit) => edit.on,
        Change::Toll(edit) => edit.on,
        Change::NewLink(edit) => Some(v1::Where { links: vec![edit.key], ..Default::default() }),
        Change::Signal(_) | Change::BanMovement(_) | Change::Demand(_) => None,
    };
    scenario.edits.iter().filter_map(place).flat_map(|place| place.links).collect()
}

/// Whoever shows OpenStreetMap's roads says so.
fn credit(links: &[v1::RoadLink]) -> &'static str {
    let is_osm = links.first().is_some_and(|link| link.key.starts_with("osm:"));
    if is_osm { "© OpenStreetMap contributors" } else { "" }
}

fn draw(folder: &Path, name: &str, drawing: &Drawing) -> Result<(), Failure> {
    let path = folder.join(format!("{name}.svg"));
    fs::write(&path, drawing.svg()).with_context(|| cannot(&path))?;
    let path = folder.join(format!("{name}.png"));
    let png = drawing.png(WIDTH_PX).with_context(|| cannot(&path))?;
    Ok(fs::write(&path, png).with_context(|| cannot(&path))?)
}

fn cannot(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

fn create(folder: &Path, name: &str) -> Result<(impl Write + Send + use<>, PathBuf), Failure> {
    let path = folder.join(name);
    let file = File::create(&path).with_context(|| cannot(&path))?;
    Ok((BufWriter::new(file), path))
}

/// Writes the figures of an outcome for other programs. Returns the files.
///
/// # Errors
/// When the engine cannot be asked, or a file cannot be written.
pub(super) async fn export(
    desk: &Desk,
    id: &str,
    format: Format,
    folder: &Path,
) -> Result<Vec<PathBuf>, Failure> {
    let planned = scenario(desk, id).await?;
    let links = roads(desk, &planned.network).await?;
    let roads = RoadLinks::new(&links);
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let request = v1::GetOutcomeRequest { id: planned.id, links: true, cells: true, zones: true };
    let format = match format {
        Format::Csv => TableFormat::Csv,
        Format::Parquet => TableFormat::Parquet,
        Format::Geojson => {
            let mut drawn = LinkLines::new();
            let request = v1::GetOutcomeRequest { cells: false, zones: false, ..request };
            read(desk, request, |figures| {
                drawn.add(figures);
                Ok(())
            })
            .await?;
            let (file, path) = create(folder, "links.geojson")?;
            drawn.write(file, &roads).with_context(|| cannot(&path))?;
            return Ok(vec![path]);
        }
    };
    let name = |kind: &str| format!("{kind}.{}", format.extension());
    let (links, links_path) = create(folder, &name("links"))?;
    let (zones, zones_path) = create(folder, &name("zones"))?;
    let (cells, cells_path) = create(folder, &name("cells"))?;
    let begun = |error| Failure::Other(anyhow::Error::new(error).context("cannot write a table"));
    let mut links = LinkTable::new(links, format, &roads).map_err(begun)?;
    let mut zones = PlaceTable::new(zones, format, PlaceKind::Zones).map_err(begun)?;
    let mut cells = PlaceTable::new(cells, format, PlaceKind::Cells).map_err(begun)?;
    read(desk, request, |figures| {
        links.add(figures).map_err(begun)?;
        zones.add(figures).map_err(begun)?;
        cells.add(figures).map_err(begun)
    })
    .await?;
    links.finish().map_err(begun)?;
    zones.finish().map_err(begun)?;
    cells.finish().map_err(begun)?;
    Ok(vec![links_path, zones_path, cells_path])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_a_name_that_shells_like() {
        let check = |name: &str, expected: &str| {
            assert_eq!(folder_name(name, "3fa9c1d20b77aaaaaa"), expected);
        };
        check("Đóng cầu Sài Gòn (2 giờ)", "dong-cau-sai-gon-2-gio-3fa9c1d20b77");
        check("../..", "3fa9c1d20b77");
        check("", "3fa9c1d20b77");
    }
}
