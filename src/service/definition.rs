//! A scenario between its message and its type. Both have the fields of its TOML file under the same
//! names, so serde does it and no field can be forgotten; a test holds every field of the type
//! against the message.

use citytwin_core::scenario::Scenario;
use citytwin_proto::v1;
use tonic::Status;

use super::request::invalid;
use crate::json;

/// A scenario from its message. What does not fit a network is told later, by its check.
///
/// # Errors
/// `INVALID_ARGUMENT` that names the field: a class, shape or model that is none.
pub fn scenario(message: &v1::Scenario) -> Result<Scenario, Status> {
    let broken = |error: anyhow::Error| Status::internal(format!("scenario: {error:#}"));
    let value = json::value(message).map_err(broken)?;
    serde_path_to_error::deserialize(value)
        .map_err(|error| invalid(&format!("scenario.{}", error.path()), error.inner()))
}

/// The message of a scenario.
///
/// # Panics
/// Never: the message has every field of the type, as a test shows.
pub fn message(scenario: &Scenario) -> v1::Scenario {
    let value = serde_json::to_value(scenario).expect("a scenario holds plain values");
    json::of_value(without_null(value)).expect("the message has the fields of the type")
}

/// Absent is absent: protobuf JSON takes null for that only where a field has presence.
fn without_null(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(fields.map(|(name, value)| (name, without_null(value))).collect())
        }
        Value::Array(rows) => Value::Array(rows.into_iter().map(without_null).collect()),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field of every edit, in TOML as people write it.
    const ALL: &str = include_str!("all_fields.toml");

    #[test]
    fn message_and_type_have_the_same_fields() {
        let given: Scenario = toml::from_str(ALL).unwrap();
        assert_eq!(given.edits.len(), 17, "every kind of edit and every shape of area");
        let message = message(&given);
        assert_eq!(scenario(&message).unwrap(), given);
        // And nothing of the message is left at rest: each field is used by the file.
        let text = json::value(&message).unwrap().to_string();
        let fields = ["from_clock", "cut_depth_m", "releases", "capacity_pcu_h_lane", "estimate"];
        for field in fields {
            assert!(text.contains(field), "{field}");
        }
    }

    #[test]
    fn what_is_absent_has_its_default() {
        let message = v1::Scenario {
            model: "static".to_owned(),
            horizon_s: 3_600.0,
            base: Some(v1::ScenarioBase::default()),
            ..v1::Scenario::default()
        };
        let given = scenario(&message).unwrap();
        assert_eq!(given.base.utc_offset_s, 25_200);
        assert_eq!(given.base.epoch, None);
        assert!((given.interval_s - 300.0).abs() < 1e-12);
        assert!((given.demand.factor - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_wrong_word_is_told_by_field() {
        let edit = v1::Edit {
            change: Some(v1::edit::Change::BanClasses(v1::ClassBan {
                on: None,
                classes: vec!["horse".to_owned()],
            })),
            ..v1::Edit::default()
        };
        let message = v1::Scenario {
            model: "dynamic".to_owned(),
            horizon_s: 3_600.0,
            base: Some(v1::ScenarioBase::default()),
            edits: vec![edit],
            ..v1::Scenario::default()
        };
        let status = scenario(&message).unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        assert!(status.message().starts_with("scenario.edits[0]"), "{}", status.message());
        assert!(status.message().contains("horse"), "{}", status.message());
    }
}
