//! Loss curves: what `metrics.jsonl` of a stage holds, in few points, and several stages in one figure.

use std::path::Path;

use serde::Serialize;

use crate::plot::{self, Axis, Series};

/// Most points of a curve; more steps are drawn as means.
const POINTS: usize = 400;

/// The curve of one stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curve {
    /// The stage, or the run of a comparison.
    pub name: String,
    /// Curves of one group have one colour: the runs of one arm.
    pub group: String,
    /// Tokens, mean loss in nats a token and learning rate at the end of one or more steps.
    pub points: Vec<[f64; 3]>,
    /// Tokens and mean loss on held-out documents, where the stage evaluates while it trains.
    pub held_out: Vec<[f64; 2]>,
}

impl Curve {
    /// The curve of a stage's folder; without points where it has no metrics.
    pub fn read(name: String, group: String, folder: &Path) -> Curve {
        let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap_or_default();
        let lines: Vec<serde_json::Value> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let number = |line: &serde_json::Value, name: &str| line.get(name)?.as_f64();
        let step = |line: &serde_json::Value| {
            Some([number(line, "tokens")?, number(line, "loss")?, number(line, "lr")?])
        };
        let steps: Vec<[f64; 3]> = lines.iter().filter_map(step).collect();
        let mean = |steps: &[[f64; 3]]| {
            let last = steps.last()?;
            let loss = steps.iter().map(|step| step[1]).sum::<f64>() / steps.len() as f64;
            Some([last[0], loss, last[2]])
        };
        let points = steps.chunks(steps.len().div_ceil(POINTS).max(1)).filter_map(mean).collect();
        let look = |line: &serde_json::Value| {
            Some([number(line, "tokens")?, number(line.get("evaluation")?, "perplexity")?.ln()])
        };
        Curve { name, group, points, held_out: lines.iter().filter_map(look).collect() }
    }
}

/// Loss against tokens (held-out loss as dots), and the learning rate below it; nothing where no curve has points.
pub fn figure(title: &str, curves: &[Curve]) -> String {
    let curves: Vec<&Curve> = curves.iter().filter(|curve| !curve.points.is_empty()).collect();
    if curves.is_empty() {
        return String::new();
    }
    let mut groups: Vec<(String, usize)> = Vec::new();
    for curve in &curves {
        if !groups.iter().any(|(name, _)| *name == curve.group) {
            groups.push((curve.group.clone(), groups.len()));
        }
    }
    let series = |index: usize| -> Vec<Series> {
        let one = |curve: &&Curve| Series {
            name: curve.name.clone(),
            points: curve.points.iter().map(|p| [p[0], p[index]]).collect(),
            colour: groups.iter().position(|(name, _)| *name == curve.group).unwrap_or(0),
            dots: false,
        };
        curves.iter().map(one).collect()
    };
    let mut losses = series(1);
    for (curve, line) in curves.iter().zip(series(1)).filter(|(curve, _)| !curve.held_out.is_empty()) {
        let (name, points) = (format!("{} on held-out documents", curve.name), curve.held_out.clone());
        losses.push(Series { name, points, dots: true, ..line });
    }
    let axis = |label| Axis { label, log: false };
    let loss = plot::plot(axis("tokens"), axis("loss, nats a token"), &losses, 320.0);
    let rate = plot::plot(axis("tokens"), axis("learning rate"), &series(2), 150.0);
    let legend = if curves.len() > 1 { groups.as_slice() } else { &[] };
    plot::figure("loss", title, legend, &[loss, rate])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_steps_are_drawn_as_means() {
        let folder = tempfile::tempdir().unwrap();
        let line = |step: u64| {
            let look = if step == 800 { ",\"evaluation\":{\"perplexity\":1.0}" } else { "" };
            let (tokens, loss) = (step * 8, step % 2);
            format!("{{\"step\":{step},\"tokens\":{tokens},\"loss\":{loss},\"lr\":0.5{look}}}\n")
        };
        std::fs::write(folder.path().join("metrics.jsonl"), (1..=800).map(line).collect::<String>()).unwrap();
        let read = |folder: &Path| Curve::read("run".into(), String::new(), folder);
        let curve = read(folder.path());
        let points = &curve.points;
        assert_eq!((points.len(), points[0], points[399]), (400, [16.0, 0.5, 0.5], [6400.0, 0.5, 0.5]));
        assert_eq!(curve.held_out, [[6400.0, 0.0]]);
        assert_eq!(figure("run", &[curve]).matches("<circle").count(), 1);
        assert!(read(&folder.path().join("none")).points.is_empty());
    }

    #[test]
    fn runs_of_an_arm_share_a_colour() {
        let curve = |name: &str, group: &str| Curve {
            name: name.into(),
            group: group.into(),
            points: vec![[0.0, 3.0, 0.1], [8.0, 2.0, 0.0]],
            held_out: Vec::new(),
        };
        let html = figure("a comparison", &[curve("x, 0", "x"), curve("x, 1", "x"), curve("y, 0", "y")]);
        assert_eq!(html.matches("<polyline").count(), 6);
        assert_eq!(html.matches("style=\"stroke:var(--s0").count(), 4);
        assert_eq!(html.matches("<li>").count(), 2);
        assert_eq!(figure("none", &[]), "");
    }
}
