//! The words and numbers on a picture, in Vietnamese and English. Vehicles are passenger-car
//! equivalents: pcu, "xcqđ" (xe con quy đổi) as in Vietnamese standards.

/// Of everything on a picture but the names that come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// Vietnamese: 1.234,5.
    #[default]
    Vi,
    /// English: 1,234.5.
    En,
}

/// The same things in one language.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) delay: &'static str,
    pub(super) time_on_roads: &'static str,
    pub(super) mean_speed: &'static str,
    pub(super) queue: &'static str,
    pub(super) vehicle_hours: &'static str,
    pub(super) vehicles: &'static str,
    pub(super) change_of_delay: &'static str,
    pub(super) less: &'static str,
    pub(super) more: &'static str,
    pub(super) change_of_flow: &'static str,
    pub(super) edited: &'static str,
    pub(super) travel: &'static str,
    pub(super) other_roads: &'static str,
    pub(super) overview: &'static str,
    pub(super) north: &'static str,
    pub(super) local_time: &'static str,
    pub(super) minutes: &'static str,
    pub(super) nothing: &'static str,
}

const VI: Words = Words {
    delay: "Tổng độ trễ",
    time_on_roads: "Tổng thời gian đi lại",
    mean_speed: "Tốc độ trung bình",
    queue: "Hàng chờ cuối mỗi khoảng",
    vehicle_hours: "xcqđ·giờ",
    vehicles: "xcqđ",
    change_of_delay: "Thay đổi độ trễ (xcqđ·giờ)",
    less: "trễ ít hơn",
    more: "trễ nhiều hơn",
    change_of_flow: "Thay đổi lưu lượng (xcqđ/giờ)",
    edited: "Đoạn được chỉnh sửa",
    travel: "Chiều xe chạy",
    other_roads: "Đường khác, lớn đến nhỏ",
    overview: "Toàn mạng lưới",
    north: "B",
    local_time: "Giờ địa phương",
    minutes: "Phút kể từ lúc bắt đầu",
    nothing: "Không có số liệu",
};

const EN: Words = Words {
    delay: "Total delay",
    time_on_roads: "Total time on the roads",
    mean_speed: "Mean speed",
    queue: "Queue at the end of each interval",
    vehicle_hours: "pcu·h",
    vehicles: "pcu",
    change_of_delay: "Change of delay (pcu·h)",
    less: "less delay",
    more: "more delay",
    change_of_flow: "Change of flow (pcu/h)",
    edited: "Edited link",
    travel: "Direction of travel",
    other_roads: "Other roads, large to small",
    overview: "Whole network",
    north: "N",
    local_time: "Local time",
    minutes: "Minutes from the start",
    nothing: "No figures",
};

impl Language {
    pub(super) const fn words(self) -> &'static Words {
        match self {
            Language::Vi => &VI,
            Language::En => &EN,
        }
    }

    /// What the delay of a plot is, for intervals of this length or of several.
    pub(super) fn delay_per_interval(self, minutes: Option<f64>) -> String {
        let minutes = minutes.map(|minutes| self.round((minutes * 10.0).round() / 10.0));
        match (self, minutes) {
            (Language::Vi, Some(minutes)) => format!("Độ trễ trong mỗi {minutes} phút"),
            (Language::Vi, None) => "Độ trễ trong mỗi khoảng".to_owned(),
            (Language::En, Some(minutes)) => format!("Delay in each {minutes} minutes"),
            (Language::En, None) => "Delay in each interval".to_owned(),
        }
    }

    /// How many of the changed links are in colour, where not all are.
    pub(super) fn coloured(self, shown: usize, changed: u32) -> String {
        let (shown, changed) = (self.number(shown as f64, 0), self.number(f64::from(changed), 0));
        match self {
            Language::Vi => format!(
                "Tô màu {shown} trong {changed} đoạn có thay đổi; thay đổi rất nhỏ không tô."
            ),
            Language::En => format!(
                "{shown} of {changed} changed links are in colour; very small changes are not."
            ),
        }
    }

    /// Changed links that no line is known of.
    pub(super) fn without_line(self, count: usize) -> String {
        let count = self.number(count as f64, 0);
        match self {
            Language::Vi => format!("{count} đoạn có thay đổi không có hình dạng, không được vẽ."),
            Language::En => format!("{count} changed links have no line and are not drawn."),
        }
    }

    /// So many decimals, groups of three, a minus sign.
    pub(super) fn number(self, value: f64, decimals: usize) -> String {
        if !value.is_finite() {
            return "–".to_owned();
        }
        let (group, point) = match self {
            Language::Vi => ('.', ','),
            Language::En => (',', '.'),
        };
        let plain = format!("{:.decimals$}", value.abs());
        let (whole, rest) = plain.split_once('.').unwrap_or((&plain, ""));
        let zero = plain.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        let mut text = String::new();
        if value < 0.0 && !zero {
            text.push('\u{2212}');
        }
        for (place, digit) in whole.chars().enumerate() {
            if place > 0 && (whole.len() - place).is_multiple_of(3) {
                text.push(group);
            }
            text.push(digit);
        }
        if !rest.is_empty() {
            text.push(point);
            text.push_str(rest);
        }
        text
    }

    /// A figure for people: three digits or so.
    pub(super) fn figure(self, value: f64) -> String {
        let size = value.abs();
        let decimals = if !(1e-9..100.0).contains(&size) {
            0
        } else if size >= 1.0 {
            1
        } else {
            2
        };
        self.number(value, decimals)
    }

    /// A round number of a scale, with no more decimals than it takes.
    pub(super) fn round(self, value: f64) -> String {
        let fits = |decimals: &usize| {
            let unit = 10_f64.powi(i32::try_from(*decimals).unwrap_or(0));
            ((value * unit).round() / unit - value).abs() <= value.abs() * 1e-9
        };
        self.number(value, (0..9).find(fits).unwrap_or(9))
    }

    /// From before to after in per cent; nothing where that says nothing.
    pub(super) fn change(self, before: f64, after: f64) -> String {
        if before.abs() < 1e-9 || !before.is_finite() || !after.is_finite() {
            return String::new();
        }
        let percent = (after - before) / before.abs() * 100.0;
        let decimals = usize::from(percent.abs() < 10.0);
        let size = self.number(percent.abs(), decimals);
        let none = size.chars().all(|letter| matches!(letter, '0' | ',' | '.'));
        let sign = if none {
            "±"
        } else if percent < 0.0 {
            "\u{2212}"
        } else {
            "+"
        };
        format!("({sign}{size} %)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_the_readers_write_them() {
        assert_eq!(Language::Vi.number(-1_234_567.89, 1), "\u{2212}1.234.567,9");
        assert_eq!(Language::En.number(1_234.5, 1), "1,234.5");
        assert_eq!(Language::En.number(-0.04, 1), "0.0");
        assert_eq!(Language::Vi.round(0.25), "0,25");
        assert_eq!(Language::Vi.round(2_000.0), "2.000");
    }

    #[test]
    fn a_change_with_its_share() {
        assert_eq!(Language::Vi.change(1_000.0, 1_180.0), "(+18 %)");
        assert_eq!(Language::En.change(0.0, 5.0), "");
        assert_eq!(Language::En.change(50.0, 49.0), "(\u{2212}2.0 %)");
        assert_eq!(Language::En.change(50.0, 50.0), "(±0.0 %)");
    }
}
