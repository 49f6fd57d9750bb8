//! Plots as SVG inside a page: nothing is loaded from elsewhere, no script is needed; colours follow the page's style.

use std::fmt::Write as _;

use llmp_stdlib::number::human;

/// Width of a plot in its own units; a page scales it.
const WIDTH: f64 = 760.0;
/// Free space left, right and below the plot, for numbers.
const EDGES: [f64; 3] = [64.0, 12.0, 42.0];
/// Colours where the page does not set its own as `--s0` to `--s7`.
const COLOURS: [&str; 8] =
    ["#2f6fdb", "#b3642a", "#0d8f7d", "#8a55c7", "#b8923a", "#c4517b", "#4f8f2f", "#61718a"];

/// How lines behind the drawing look.
const GRID: &str = "stroke=\"currentColor\" stroke-opacity=\".15\"";

/// The style of a page of its own.
pub const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;\
color:#171c26;background:#fff}svg{display:block;width:100%;height:auto}svg text{fill:#565f70;font-size:12px}\
figure{margin:0 0 2rem}figcaption{font-weight:600}.legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;list-style:none;\
padding:0;margin:.3rem 0}.legend i{display:inline-block;width:.75rem;height:.75rem;border-radius:3px;margin-right:.4rem}\
pre{overflow-x:auto}";

/// One axis.
#[derive(Debug, Clone, Copy)]
pub struct Axis<'a> {
    /// What it shows, with its unit.
    pub label: &'a str,
    /// Whether equal ratios are equally far apart; all values are then above 0.
    pub log: bool,
}

/// One line or row of dots.
#[derive(Debug, Clone)]
pub struct Series {
    /// What it is, for the pointer and for the legend.
    pub name: String,
    /// Its points, in the order of the line.
    pub points: Vec<[f64; 2]>,
    /// Number of its colour: series of one colour share a line of the legend.
    pub colour: usize,
    /// Dots in place of a line.
    pub dots: bool,
}

/// A colour of the page.
pub fn colour(number: usize) -> String {
    format!("var(--s{}, {})", number % 8, COLOURS[number % 8])
}

/// Text between tags.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A page of its own around figures.
pub fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\n\
         <style>{STYLE}</style>\n<h1>{title}</h1>\n{body}</html>\n"
    )
}

/// A figure: its title, names beside their colours, and plots one below the other.
pub fn figure(kind: &str, title: &str, legend: &[(String, usize)], plots: &[String]) -> String {
    let names = legend.iter().map(|(name, number)| {
        format!("<li><i style=\"background:{}\"></i>{}</li>", colour(*number), escape(name))
    });
    let names: String = names.collect();
    let legend = if names.is_empty() { names } else { format!("<ul class=\"legend\">{names}</ul>\n") };
    let title = escape(title);
    format!(
        "<figure data-chart=\"{kind}\" aria-label=\"{title}\">\n<figcaption>{title}</figcaption>\n{legend}{}</figure>\n",
        plots.concat()
    )
}

/// Round numbers inside a range, at most about `most` of them.
fn ticks(low: f64, high: f64, log: bool, most: usize) -> Vec<f64> {
    if log {
        let powers = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
        let inside = |x: &f64| *x >= low * (1.0 - 1e-9) && *x <= high * (1.0 + 1e-9);
        let of = |steps: &[f64]| -> Vec<f64> {
            powers.clone().flat_map(|p| steps.iter().map(move |s| s * 10f64.powi(p))).filter(inside).collect()
        };
        let all = [&[1.0, 2.0, 5.0][..], &[1.0]].map(of);
        if let Some(found) = all.iter().find(|found| (2..=most).contains(&found.len())) {
            return found.clone();
        }
        let [_, powers] = all;
        if powers.len() > most {
            return powers.iter().copied().step_by(powers.len().div_ceil(most)).collect();
        }
    }
    let rough = (high - low) / most as f64;
    if !(rough > 0.0 && rough.is_finite()) {
        return vec![low];
    }
    let base = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * base).into_iter().find(|n| *n >= rough).unwrap_or(rough);
    let first = (low / step - 1e-9).ceil();
    let ticks = (0..=most).map(|k| (first + k as f64) * step).filter(|x| *x <= high + step * 1e-6);
    ticks.map(|x| if x.abs() < step * 1e-6 { 0.0 } else { x }).collect()
}

/// A number at an axis.
fn label(x: f64) -> String {
    match x.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-3..1e15).contains(&size) => {
            let text = format!("{x:.1e}");
            text.replacen(".0e", "e", 1)
        }
        size if size >= 1e3 => human(x),
        _ => {
            let text = format!("{x:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

/// Where values lie along an axis.
struct Scale {
    low: f64,
    high: f64,
    log: bool,
    from: f64,
    to: f64,
}

impl Scale {
    /// Over all values; a margin keeps them off the frame where it is asked for.
    fn new(values: impl Iterator<Item = f64>, log: bool, (from, to): (f64, f64), margin: f64) -> Scale {
        let values = values.filter(|x| x.is_finite() && (!log || *x > 0.0));
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
        let (low, high) = if low <= high { (low, high) } else { (1.0, 1.0) };
        let (low, high) = if log {
            let wide = (high / low).powf(margin).max(if high > low { 1.0 } else { 1.1 });
            (low / wide, high * wide)
        } else {
            let wide = if high > low { (high - low) * margin } else { high.abs().max(1e-9) * 0.05 };
            (low - wide, high + wide)
        };
        Scale { low, high, log, from, to }
    }

    fn at(&self, x: f64) -> f64 {
        let place = |x: f64| if self.log { x.max(self.low).ln() } else { x };
        let share = (place(x) - place(self.low)) / (place(self.high) - place(self.low));
        self.from + (self.to - self.from) * if share.is_finite() { share } else { 0.5 }
    }
}

/// Lines and dots over two axes.
pub fn plot(x: Axis<'_>, y: Axis<'_>, series: &[Series], height: f64) -> String {
    let [left, right, below] = EDGES;
    let (edge, foot) = (WIDTH - right, height - below);
    let all = |index: usize| series.iter().flat_map(move |s| s.points.iter().map(move |p| p[index]));
    let across = Scale::new(all(0), x.log, (left, edge), if x.log { 0.03 } else { 0.0 });
    let up = Scale::new(all(1), y.log, (foot, 8.0), 0.05);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{} over {}\">\n",
        escape(y.label),
        escape(x.label)
    );
    lower(&mut svg, x, &across, (8.0, foot), (left + edge) / 2.0);
    for tick in ticks(up.low, up.high, y.log, (height / 45.0) as usize) {
        let at = up.at(tick);
        let _ = writeln!(
            svg,
            "<line x1=\"{left}\" x2=\"{edge}\" y1=\"{at:.1}\" y2=\"{at:.1}\" {GRID}/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 6.0,
            at + 4.0,
            label(tick)
        );
    }
    let _ = writeln!(
        svg,
        "<text transform=\"translate(13 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        (8.0 + foot) / 2.0,
        escape(y.label)
    );
    series.iter().for_each(|one| svg.push_str(&draw(one, &across, &up)));
    svg.push_str("</svg>\n");
    svg
}

/// The lower axis: a line and a number for every tick, and what it shows around `middle`.
fn lower(svg: &mut String, axis: Axis<'_>, across: &Scale, (top, foot): (f64, f64), middle: f64) {
    for tick in ticks(across.low, across.high, axis.log, 8) {
        let at = across.at(tick);
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top}\" y2=\"{foot}\" {GRID}/><text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            foot + 16.0,
            label(tick)
        );
    }
    let (below, name) = (foot + EDGES[2] - 8.0, escape(axis.label));
    let _ = writeln!(svg, "<text x=\"{middle:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{name}</text>");
}

fn draw(series: &Series, across: &Scale, up: &Scale) -> String {
    let (name, colour) = (escape(&series.name), colour(series.colour));
    let drawn = |p: &&[f64; 2]| {
        p.iter().all(|x| x.is_finite()) && (!up.log || p[1] > 0.0) && (!across.log || p[0] > 0.0)
    };
    let points = || series.points.iter().filter(drawn).map(|[x, y]| (across.at(*x), up.at(*y), *y));
    if series.dots {
        let dot = |(x, y, value): (f64, f64, f64)| {
            format!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" style=\"fill:{colour}\" data-value=\"{value}\"><title>{name}: {}</title></circle>\n",
                label(value)
            )
        };
        return points().map(dot).collect();
    }
    let last = points().next_back().map_or(0.0, |(_, _, value)| value);
    let path: Vec<String> = points().map(|(x, y, _)| format!("{x:.1},{y:.1}")).collect();
    format!(
        "<polyline points=\"{}\" fill=\"none\" stroke-width=\"1.5\" stroke-linejoin=\"round\" style=\"stroke:{colour}\" data-value=\"{last}\"><title>{name}</title></polyline>\n",
        path.join(" ")
    )
}

/// A row of a plot: its name, its values, their mean and its standard error.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it is.
    pub name: String,
    /// The values.
    pub values: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Its standard error, 0 where there is none.
    pub stderr: f64,
}

/// A dot for each value, a bar over mean ± standard error, row by row.
pub fn rows(axis: &str, rows: &[Row]) -> String {
    let longest = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let (left, height) = ((7.0 * longest as f64 + 24.0).clamp(90.0, 430.0), 34.0 * rows.len() as f64 + 52.0);
    let foot = height - EDGES[2];
    let ends = rows
        .iter()
        .flat_map(|row| row.values.iter().copied().chain([row.mean - row.stderr, row.mean + row.stderr]));
    let across = Scale::new(ends, false, (left, WIDTH - 24.0), 0.05);
    let mut svg =
        format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\n", escape(axis));
    let below = Axis { label: axis, log: false };
    lower(&mut svg, below, &across, (4.0, foot), (left + WIDTH) / 2.0);
    for (k, row) in rows.iter().enumerate() {
        let (y, colour) = (22.0 + 34.0 * k as f64, colour(k));
        let _ = writeln!(svg, "<text x=\"5\" y=\"{}\">{}</text>", y + 4.0, escape(&row.name));
        let _ = writeln!(
            svg,
            "<line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y}\" y2=\"{y}\" style=\"stroke:{colour}\" stroke-width=\"6\" stroke-opacity=\".35\"/><line x1=\"{m:.1}\" x2=\"{m:.1}\" y1=\"{}\" y2=\"{}\" style=\"stroke:{colour}\" stroke-width=\"2\"/>",
            across.at(row.mean - row.stderr),
            across.at(row.mean + row.stderr),
            y - 10.0,
            y + 10.0,
            m = across.at(row.mean),
        );
        for (seed, value) in row.values.iter().enumerate() {
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{y}\" r=\"4\" style=\"fill:{colour}\"><title>seed {seed}: {value:.4}</title></circle>",
                across.at(*value)
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: Axis<'_> = Axis { label: "tokens", log: false };

    fn line(points: &[[f64; 2]]) -> Series {
        Series { name: "a<b".into(), points: points.to_vec(), colour: 9, dots: false }
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(0.0, 10.0, false, 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(1.0, 1000.0, true, 6), [1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(ticks(1.0, 20.0, true, 6), [1.0, 2.0, 5.0, 10.0, 20.0]);
        assert!(ticks(1e3, 1e30, true, 8).len() <= 8 && !ticks(3.0, 4.0, true, 8).is_empty());
        assert_eq!(ticks(2.0, 2.0, false, 5), [2.0]);
        assert_eq!([0.0, 3e-4, 0.25, 1500.0, 1e18].map(label), ["0", "3e-4", "0.25", "1.5k", "1e18"]);
    }

    #[test]
    fn a_line_goes_from_corner_to_corner_and_names_are_text() {
        let svg = plot(X, Axis { label: "loss", log: false }, &[line(&[[0.0, 1.0], [10.0, 3.0]])], 300.0);
        // A margin of a twentieth of the height above and below.
        assert!(svg.contains("points=\"64.0,246.6 748.0,19.4\""), "{svg}");
        assert!(svg.contains("<title>a&lt;b</title>") && svg.contains("var(--s1, #b3642a)"));
        assert!(svg.contains("data-value=\"3\"") && !svg.contains("http"));
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        let points = [[1.0, f64::NAN], [2.0, 0.0], [10.0, 1.0], [100.0, 10.0]];
        let log = Axis { label: "y", log: true };
        let svg = plot(log, log, &[line(&points)], 300.0);
        assert_eq!(svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap().split(' ').count(), 2);
        for empty in [plot(X, X, &[], 100.0), plot(X, X, &[line(&[[1.0, 1.0]])], 100.0), rows("x", &[])] {
            assert!(
                empty.ends_with("</svg>\n") && !empty.contains("NaN") && !empty.contains("inf"),
                "{empty}"
            );
        }
    }
}
