//! The description of a published set: DCAT-AP 3.0 (SEMIC, 2024) as JSON-LD. Mandatory and
//! recommended properties of `dcat:Dataset` and `dcat:Distribution`.

use std::time::Duration;

use serde_json::json;

use super::super::failure::Failure;
use super::super::moments::MomentArg;
use super::files::Written;

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
    let distributions: Vec<_> = written
        .files
        .iter()
        .map(|(name, media, bytes, sha256)| {
            json!({
                "@type": "dcat:Distribution",
                "dct:title": name,
                "dcat:accessURL": { "@id": name },
                "dcat:downloadURL": { "@id": name },
                "dcat:mediaType": { "@id": format!("https://www.iana.org/assignments/media-types/{media}") },
                "dcat:byteSize": { "@type": "xsd:nonNegativeInteger", "@value": bytes.to_string() },
                "dct:license": { "@id": about.license },
                "spdx:checksum": {
                    "@type": "spdx:Checksum",
                    "spdx:algorithm": { "@id": "spdx:checksumAlgorithm_sha256" },
                    "spdx:checksumValue": { "@type": "xsd:hexBinary", "@value": sha256 },
                },
            })
        })
        .collect();
    let spatial = written.bounds.map(|[south, west, north, east]| {
        let ring = format!(
            "POLYGON(({west} {south},{east} {south},{east} {north},{west} {north},{west} {south}))"
        );
        json!({
            "@type": "dct:Location",
            "dcat:bbox": { "@type": "http://www.opengis.net/ont/geosparql#wktLiteral", "@value": ring },
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
    let document = json!({
        "@context": {
            "dcat": "http://www.w3.org/ns/dcat#",
            "dct": "http://purl.org/dc/terms/",
            "foaf": "http://xmlns.com/foaf/0.1/",
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
        "dct:accrualPeriodicity":
            { "@id": "http://publications.europa.eu/resource/authority/frequency/IRREG" },
        "dcat:temporalResolution":
            { "@type": "xsd:duration", "@value": format!("PT{}S", about.window.as_secs()) },
        "dcat:theme": { "@id": "http://publications.europa.eu/resource/authority/data-theme/TRAN" },
        "dcat:distribution": distributions,
    });
    Ok(serde_json::to_string_pretty(&document).map_err(anyhow::Error::from)? + "\n")
}
