//! The text format of the Transportation Networks for Research collection (TNTP): a network file
//! (`…_net.tntp`), a trips file (`…_trips.tntp`), and the flow file that its users compare.
//!
//! ```text
//! <NUMBER OF NODES> 4            metadata, up to <END OF METADATA>
//! ~ init term capacity …         what follows ~ is a comment
//! 1 3 1 100 0.5 0.15 4 0 0 1 ;   from, to, capacity, length, free-flow time, b, power, speed,
//!                                toll, type
//! Origin 1                       trips: a head for each origin,
//!   2 : 6.0;  3 : 1.5;           then destination : trips ;
//! ```
//!
//! Junctions are numbered from 1 in the files and from 0 everywhere else. What is wrong is named by
//! its line.

pub mod roads;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use citytwin_core::traffic::assign::{CostFactors, Link, Network, NetworkError};
use thiserror::Error;

/// Fields of a link, in order, up to the last one that matters here.
const FIELDS: [&str; 9] =
    ["from", "to", "capacity", "length", "free-flow time", "b", "power", "speed", "toll"];

/// What a network file says.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkFile {
    /// Zones are the first junctions.
    pub zones: u32,
    /// Junctions, zones included.
    pub junctions: u32,
    /// Junctions before this one may not be passed through.
    pub first_thru: u32,
    /// In the order of the file.
    pub links: Vec<Link>,
}

/// Why a text is no TNTP file.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("line {line}: {problem}")]
pub struct TntpError {
    /// Counted from 1; the last line when something is missing at the end.
    pub line: usize,
    /// What is wrong there.
    pub problem: TntpProblem,
}

/// What can be wrong in a TNTP file.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum TntpProblem {
    /// A key of the metadata is missing.
    #[error("the metadata says no <{0}>")]
    Missing(&'static str),
    /// There is no end of the metadata.
    #[error("there is no <END OF METADATA>")]
    NoEnd,
    /// A value is no number of the kind wanted.
    #[error("{name} is {text:?}; wanted: {wanted}")]
    Number {
        /// Which value.
        name: &'static str,
        /// What stands there.
        text: String,
        /// What should.
        wanted: String,
    },
    /// A link has too few fields.
    #[error("a link with {0} fields; wanted: {list}", list = FIELDS.join(", "))]
    Fields(usize),
    /// Not as many links as promised.
    #[error("{found} links, but <NUMBER OF LINKS> says {promised}")]
    Links {
        /// In the file.
        found: usize,
        /// In its metadata.
        promised: u32,
    },
    /// Trips before the first origin.
    #[error("trips without an origin; wanted before them: Origin N")]
    NoOrigin,
    /// Something else than `destination : trips`.
    #[error("{0:?} is no trips; wanted: destination : trips ;")]
    NoTrips(String),
}

impl NetworkFile {
    /// Reads a network file.
    ///
    /// # Errors
    /// At the first line that is wrong.
    pub fn read(text: &str) -> Result<NetworkFile, TntpError> {
        let (head, body) = Metadata::read(text)?;
        let zones = head.count("NUMBER OF ZONES")?;
        let junctions = head.count("NUMBER OF NODES")?;
        let promised = head.count("NUMBER OF LINKS")?;
        let first_thru = match head.values.get("FIRST THRU NODE") {
            Some(_) => head.count("FIRST THRU NODE")?.saturating_sub(1),
            None => 0,
        };
        let mut links = Vec::new();
        for (line, row) in body {
            let at = |problem| TntpError { line, problem };
            let fields: Vec<&str> = row.trim_end_matches(';').split_whitespace().collect();
            if fields.is_empty() {
                continue;
            }
            if fields.len() < FIELDS.len() {
                return Err(at(TntpProblem::Fields(fields.len())));
            }
            let junction = |at: usize| numbered(fields[at], FIELDS[at], junctions);
            let value = |at: usize| number(fields[at], FIELDS[at]);
            let link = || {
                Ok(Link {
                    from: junction(0)?,
                    to: junction(1)?,
                    capacity: value(2)?,
                    length: value(3)?,
                    free_flow_time: value(4)?,
                    b: value(5)?,
                    power: value(6)?,
                    toll: value(8)?,
                })
            };
            links.push(link().map_err(at)?);
        }
        if links.len() != promised as usize {
            let problem = TntpProblem::Links { found: links.len(), promised };
            return Err(TntpError { line: text.lines().count(), problem });
        }
        Ok(NetworkFile { zones, junctions, first_thru, links })
    }

    /// The network it describes.
    ///
    /// # Errors
    /// When a value of a link is not allowed.
    pub fn network(&self, factors: CostFactors) -> Result<Network, NetworkError> {
        Network::new(self.junctions, self.first_thru, self.links.clone(), factors)
    }
}

/// Reads a trips file: origin, destination, trips, in the order of the file, zones counted from 0.
/// `zones` is what the network has.
///
/// # Errors
/// At the first line that is wrong.
pub fn read_trips(text: &str, zones: u32) -> Result<Vec<(u32, u32, f64)>, TntpError> {
    let (_, body) = Metadata::read(text)?;
    let (mut origin, mut trips) = (None, Vec::new());
    for (line, row) in body {
        let at = |problem| TntpError { line, problem };
        if let Some(name) = row.strip_prefix("Origin").or_else(|| row.strip_prefix("ORIGIN")) {
            origin = Some(numbered(name.trim(), "origin", zones).map_err(at)?);
            continue;
        }
        for entry in row.split(';').map(str::trim).filter(|entry| !entry.is_empty()) {
            let origin = origin.ok_or_else(|| at(TntpProblem::NoOrigin))?;
            let (destination, count) =
                entry.split_once(':').ok_or_else(|| at(TntpProblem::NoTrips(entry.to_owned())))?;
            let destination = numbered(destination.trim(), "destination", zones).map_err(at)?;
            trips.push((origin, destination, number(count.trim(), "trips").map_err(at)?));
        }
    }
    Ok(trips)
}

/// A flow file as the collection has them: from, to, volume and cost of every link.
pub fn flow_file(links: &[Link], flows: &[f64], costs: &[f64]) -> String {
    let mut text = String::from("From \tTo \tVolume \tCost \n");
    for ((link, flow), cost) in links.iter().zip(flows).zip(costs) {
        writeln!(text, "{} \t{} \t{flow} \t{cost} ", link.from + 1, link.to + 1)
            .expect("a String takes everything");
    }
    text
}

/// What stands before the data, each value with its line.
struct Metadata<'a> {
    values: BTreeMap<String, (usize, &'a str)>,
    end: usize,
}

impl<'a> Metadata<'a> {
    /// The metadata, and the lines after it that say something, numbered, without comments.
    fn read(
        text: &'a str,
    ) -> Result<(Metadata<'a>, impl Iterator<Item = (usize, &'a str)>), TntpError> {
        let mut lines = (1..).zip(text.lines().map(without_comment));
        let mut values = BTreeMap::new();
        for (line, row) in lines.by_ref() {
            let Some((key, value)) = row.strip_prefix('<').and_then(|row| row.split_once('>'))
            else {
                continue;
            };
            if key.trim() == "END OF METADATA" {
                let body = lines.filter(|(_, row)| !row.is_empty());
                return Ok((Metadata { values, end: line }, body));
            }
            values.insert(key.trim().to_owned(), (line, value.trim()));
        }
        Err(TntpError { line: text.lines().count(), problem: TntpProblem::NoEnd })
    }

    /// A whole number that must be there.
    fn count(&self, key: &'static str) -> Result<u32, TntpError> {
        let missing = TntpError { line: self.end, problem: TntpProblem::Missing(key) };
        let &(line, text) = self.values.get(key).ok_or(missing)?;
        text.parse().map_err(|_not| {
            let wanted = "a whole number".to_owned();
            let problem = TntpProblem::Number { name: key, text: text.to_owned(), wanted };
            TntpError { line, problem }
        })
    }
}

fn without_comment(line: &str) -> &str {
    line.split('~').next().unwrap_or_default().trim()
}

fn number(text: &str, name: &'static str) -> Result<f64, TntpProblem> {
    text.parse().ok().filter(|value: &f64| value.is_finite()).ok_or_else(|| TntpProblem::Number {
        name,
        text: text.to_owned(),
        wanted: "a number".to_owned(),
    })
}

/// A junction's number, from 1 in the file to from 0.
fn numbered(text: &str, name: &'static str, count: u32) -> Result<u32, TntpProblem> {
    let number = text.parse::<u32>().ok().filter(|number| (1..=count).contains(number));
    number.map(|number| number - 1).ok_or_else(|| TntpProblem::Number {
        name,
        text: text.to_owned(),
        wanted: format!("a number from 1 to {count}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NET: &str = "\
<NUMBER OF ZONES> 2
<NUMBER OF NODES> 3\t\t
<FIRST THRU NODE> 3
<NUMBER OF LINKS> 2
<ORIGINAL HEADER>~ \tInit node ;
<END OF METADATA>

~\tinit_node\tterm_node ;
\t1\t3\t25900.2\t6\t5\t0.15\t4\t0\t2\t1\t;
 3 2 1e3 1 0.5 0 4.118 60 0 1;
";
    const TRIPS: &str = "\
<NUMBER OF ZONES> 2
<END OF METADATA>
~ a table
Origin \t1
    1 :      0.5;     2 :    1365.90;
Origin 2
    1 :    3e2 ;
";

    #[test]
    fn a_network_is_read() {
        let file = NetworkFile::read(NET).unwrap();
        assert_eq!((file.zones, file.junctions, file.first_thru), (2, 3, 2));
        let first = Link {
            from: 0,
            to: 2,
            capacity: 25900.2,
            length: 6.0,
            free_flow_time: 5.0,
            b: 0.15,
            power: 4.0,
            toll: 2.0,
        };
        assert_eq!(file.links[0], first);
        assert_eq!(file.links[1].power.to_bits(), 4.118_f64.to_bits());
        assert_eq!(
            NetworkFile::read(&NET.replace("<FIRST THRU NODE> 3\n", "")).unwrap().first_thru,
            0
        );
    }

    #[test]
    fn trips_are_read() {
        let expected = vec![(0, 0, 0.5), (0, 1, 1365.9), (1, 0, 300.0)];
        assert_eq!(read_trips(TRIPS, 2), Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_line() {
        let net: &[(&str, &str, &str)] = &[
            ("25900.2", "25,900", "line 9: capacity is \"25,900\"; wanted: a number"),
            (" 3 2 1e3", " 3 4 1e3", "line 10: to is \"4\"; wanted: a number from 1 to 3"),
            (" 3 2 1e3", " 0 2 1e3", "line 10: from is \"0\""),
            ("60 0 1;", ";", "line 10: a link with 7 fields; wanted: from, to, capacity"),
            ("LINKS> 2", "LINKS> 3", "line 10: 2 links, but <NUMBER OF LINKS> says 3"),
            ("NODES> 3", "NODES> three", "line 2: NUMBER OF NODES is \"three\""),
            ("NUMBER OF NODES", "NODES", "line 6: the metadata says no <NUMBER OF NODES>"),
            ("<END OF METADATA>", "", "line 10: there is no <END OF METADATA>"),
        ];
        for (from, to, expected) in net {
            let told = NetworkFile::read(&NET.replace(from, to)).unwrap_err().to_string();
            assert!(told.contains(expected), "{told}");
        }
        let trips: &[(&str, &str, &str)] = &[
            ("Origin \t1", "", "line 5: trips without an origin"),
            ("1365.90", "many", "line 5: trips is \"many\""),
            ("Origin 2", "Origin 3", "line 6: origin is \"3\"; wanted: a number from 1 to 2"),
            ("1 :    3e2", "1 3e2", "line 7: \"1 3e2\" is no trips"),
            ("1 :    3e2", "1 : inf", "line 7: trips is \"inf\""),
        ];
        for (from, to, expected) in trips {
            let told = read_trips(&TRIPS.replace(from, to), 2).unwrap_err().to_string();
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn flows_are_written_as_the_collection_has_them() {
        let file = NetworkFile::read(NET).unwrap();
        let text = flow_file(&file.links, &[1.5, 0.0], &[6.25, 0.5]);
        assert_eq!(text, "From \tTo \tVolume \tCost \n1 \t3 \t1.5 \t6.25 \n3 \t2 \t0 \t0.5 \n");
    }
}
