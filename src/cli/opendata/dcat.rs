//! The description of a published set: DCAT-AP 3.0 (SEMIC, 2024) as JSON-LD. Mandatory and
//! recommended properties of `dcat:Dataset` and `dcat:Distribution`; what others define says of what
//! class it is, so that the shapes of DCAT-AP can be checked without looking it up.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::moments::MomentArg;
use super::files::Written;

/// Vocabularies of the Publications Office of the European Union.
const EU: &str = "http://publications.europa.eu/resource/authority/";
const MEDIA_TYPES: &str = "https://www.iana.org/assignments/media-types/";
const WKT: &str = "http://www.opengis.net/ont/geosparql#wktLiteral";

/// What people say of the set.
#[derive(Clone, Debug)]
pub(super) struct Description<'a> {
    pub(super) title: &'a str,
    pub(super) publisher: &'a str,
    pub(super) license: &'a str,
    pub(super) span: (MomentArg, MomentArg),
    pub(super) window: Duration,
    pub(super) min_sensors: u32,
    pub(super) protected: Vec<&'static str>,
}

/// The document.
pub(super) fn text(about: &Description<'_>, written: &Written) -> Result<String, Failure> {
    let iso = |time: MomentArg| json!({ "@type": "xsd:dateTime", "@value": time.rfc3339() });
    let spatial = written.bounds.map(|[south, west, north, east]| {
        let ring = format!(
            "POLYGON(({west} {south},{east} {south},{east} {north},{west} {north},{west} {south}))"
        );
        json!({
            "@type": "dct:Location",
            "dcat:bbox": { "@type": WKT, "@value": ring },
            "dcat:centroid": {
                "@type": WKT,
                "@value": format!("POINT({} {})", f64::midpoint(west, east), f64::midpoint(south, north)),
            },
        })
    });
    let protected = about.protected.join(", ");
    let description = format!(
        "Means, smallest and largest values by H3 cell, kind of sensor, quantity and window of {}. \
         Rows of {protected} that rest on fewer than {} sensors are marked `withheld` and have no \
         values; {} of {} rows are.",
        humantime::format_duration(about.window),
        about.min_sensors,
        written.withheld,
        written.rows,
    );
    let keywords = ["sensors", "H3"].map(|word| json!({ "@language": "en", "@value": word }));
    let document = json!({
        "@context": {
            "dcat": "http://www.w3.org/ns/dcat#",
            "dct": "http://purl.org/dc/terms/",
            "foaf": "http://xmlns.com/foaf/0.1/",
            "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
            "skos": "http://www.w3.org/2004/02/skos/core#",
            "spdx": "http://spdx.org/rdf/terms#",
            "xsd": "http://www.w3.org/2001/XMLSchema#",
        },
        "@type": "dcat:Dataset",
        "dct:title": { "@language": "en", "@value": about.title },
        "dct:description": { "@language": "en", "@value": description },
        "dct:publisher": { "@type": "foaf:Agent", "foaf:name": about.publisher },
        "dct:temporal": {
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": iso(about.span.0),
            "dcat:endDate": iso(about.span.1),
        },
        "dct:spatial": spatial,
        "dcat:keyword": keywords,
        "dct:accrualPeriodicity": of_class("dct:Frequency", &format!("{EU}frequency/IRREG")),
        "dcat:temporalResolution":
            { "@type": "xsd:duration", "@value": format!("PT{}S", about.window.as_secs()) },
        "dcat:theme": {
            "@type": "skos:Concept",
            "@id": format!("{EU}data-theme/TRAN"),
            "skos:prefLabel": { "@language": "en", "@value": "Transport" },
        },
        "dcat:distribution": distributions(about, written),
    });
    Ok(serde_json::to_string_pretty(&document).map_err(anyhow::Error::from)? + "\n")
}

/// A thing that is described elsewhere.
fn of_class(class: &str, id: &str) -> Value {
    json!({ "@type": class, "@id": id })
}

/// The name of a file's format in the European list of file types, which has it in capitals.
fn file_type(name: &str) -> String {
    let ending = Path::new(name).extension().unwrap_or_default();
    ending.to_string_lossy().to_uppercase()
}

/// The files.
fn distributions(about: &Description<'_>, written: &Written) -> Vec<Value> {
    written
        .files
        .iter()
        .map(|(name, media, bytes, sha256)| {
            json!({
                "@type": "dcat:Distribution",
                "dct:title": name,
                "dct:description": { "@language": "en", "@value": format!("All rows, {name}") },
                "dcat:accessURL": of_class("rdfs:Resource", name),
                "dcat:downloadURL": of_class("rdfs:Resource", name),
                "dcat:mediaType": of_class("dct:MediaType", &format!("{MEDIA_TYPES}{media}")),
                "dct:format": of_class("dct:MediaTypeOrExtent", &format!("{EU}file-type/{}", file_type(name))),
                "dcat:byteSize": { "@type": "xsd:nonNegativeInteger", "@value": bytes.to_string() },
                "dct:license": of_class("dct:LicenseDocument", about.license),
                "spdx:checksum": {
                    "@type": "spdx:Checksum",
                    "spdx:algorithm": of_class("spdx:ChecksumAlgorithm", "spdx:checksumAlgorithm_sha256"),
                    "spdx:checksumValue": { "@type": "xsd:hexBinary", "@value": sha256 },
                },
            })
        })
        .collect()
}
