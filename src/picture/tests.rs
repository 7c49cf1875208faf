//! Whole pictures of a made-up city: what is on them, that they come out the same, and that their
//! letters are drawn without fonts of the system.

use citytwin_proto::v1;
use resvg::tiny_skia::Pixmap;

use super::demo_city::{City, city, evening};
use super::{
    Drawing, Language, LocalStart, MapInput, PictureError, PlotInput, Series, difference_map, font,
    time_plots,
};

fn map(city: &City, title: &str, language: Language) -> Drawing {
    difference_map(&MapInput {
        title,
        before: "Hiện trạng",
        after: "Đóng cầu",
        links: &city.links,
        comparison: &city.comparison,
        edited: &city.edited,
        credit: "© OpenStreetMap contributors",
        language,
    })
}

fn plots(start: Option<LocalStart>) -> Drawing {
    let outcomes = [("Hiện trạng", 0.6), ("Đóng cầu", 0.9)].map(|(name, peak)| {
        let mut series = Series::new(name);
        for figures in evening(peak) {
            series.add(&figures);
        }
        series
    });
    let title = "Phường Bến Nghé";
    time_plots(&PlotInput { title, outcomes: &outcomes, start, language: Language::Vi })
}

/// Pixels of this colour.
fn pixels(png: &[u8], [red, green, blue]: [u8; 3]) -> usize {
    let picture = Pixmap::decode_png(png).unwrap();
    let same = |pixel: &&resvg::tiny_skia::PremultipliedColorU8| {
        [pixel.red(), pixel.green(), pixel.blue()] == [red, green, blue]
    };
    picture.pixels().iter().filter(same).count()
}

#[test]
fn a_map_says_what_it_shows() {
    let city = city();
    let vi = map(&city, "Đóng cầu Sài Gòn", Language::Vi);
    for text in [
        "Đóng cầu Sài Gòn",
        "Thay đổi độ trễ (xcqđ·giờ)",
        "Điện Biên Phủ",
        "500 m",
        "1.834",
        "(+30 %)",
        "© OpenStreetMap contributors",
    ] {
        assert!(vi.svg().contains(&format!(">{text}</text>")), "{text}");
    }
    let en = map(&city, "Saigon bridge closed", Language::En);
    assert!(en.svg().contains("Change of delay (pcu·h)") && en.svg().contains(">1,834<"));
}

#[test]
fn more_delay_is_warm_and_less_is_cool() {
    let png = map(&city(), "x", Language::En).png(1_200).unwrap();
    // beyond the fields of the legend, 36 by 16
    assert!(pixels(&png, [0x21, 0x66, 0xac]) > 1_500);
    assert!(pixels(&png, [0xa8, 0x15, 0x29]) > 1_200);
}

#[test]
fn the_same_input_makes_the_same_bytes() {
    let draw = || map(&city(), "Đóng cầu", Language::Vi);
    assert_eq!(draw(), draw());
    assert_eq!(draw().png(600).unwrap(), draw().png(600).unwrap());
    assert_eq!(plots(None), plots(None));
}

#[test]
fn vietnamese_letters_are_in_the_shipped_font() {
    // composed and decomposed are one letter; a missing one has no width
    for letter in
        "ăâđêôơưĂÂĐÊÔƠƯàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ±≥–−·©…".chars()
    {
        assert!(font::width(&letter.to_string(), 20.0, true) > 2.0, "{letter}");
    }
    assert!(font::width("\u{4e2d}", 20.0, true) < 2.0, "what is missing is seen to be missing");
    let (composed, decomposed) = ("Bến Nghé", "Be\u{302}\u{301}n Nghe\u{301}");
    let width = |text| font::width(text, 20.0, false);
    assert!((width(composed) - width(decomposed)).abs() < 1e-6);
}

#[test]
fn letters_are_drawn_in_the_png() {
    let dark =
        |title| pixels(&map(&city(), title, Language::Vi).png(1_200).unwrap(), [0x1f, 0x23, 0x28]);
    assert!(dark("Đóng cầu Sài Gòn, Phường Bến Nghé") > dark("") + 400);
}

#[test]
fn plots_have_clock_times_or_minutes() {
    let start = LocalStart { epoch: 17_953_434_000, utc_offset_s: 25_200 };
    let clock = plots(Some(start));
    assert!(clock.svg().contains(">17:30<") && clock.svg().contains("22/11/2026 (UTC+7)"));
    let minutes = plots(None);
    assert!(minutes.svg().contains(">150<") && minutes.svg().contains("Phút kể từ lúc bắt đầu"));
    assert!(minutes.png(1_200).is_ok());
}

#[test]
fn nothing_at_all_is_still_a_picture() {
    let nothing = City {
        links: Vec::new(),
        comparison: v1::CompareOutcomesResponse::default(),
        edited: Vec::new(),
    };
    assert!(map(&nothing, "<&>\u{1}", Language::En).png(300).is_ok());
    let input = PlotInput { title: "", outcomes: &[], start: None, language: Language::En };
    assert!(time_plots(&input).svg().contains("No figures"));
    assert!(time_plots(&input).png(300).is_ok());
}

#[test]
fn a_link_without_a_line_is_counted() {
    let mut city = city();
    let one = v1::LinkDifference { link: "new".to_owned(), ..v1::LinkDifference::default() };
    city.comparison.links.push(one);
    assert!(map(&city, "", Language::En).svg().contains("1 changed links have no line"));
}

#[test]
fn a_width_beyond_reason_is_refused() {
    let drawing = plots(None);
    for width in [0, super::MAX_WIDTH_PX + 1] {
        assert!(matches!(drawing.png(width), Err(PictureError::Width(_))), "{width}");
    }
}
