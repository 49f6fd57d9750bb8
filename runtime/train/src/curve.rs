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
}

/// The points of a stage's folder; empty where it has no metrics.
pub fn read(folder: &Path) -> Vec<[f64; 3]> {
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap_or_default();
    let point = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let number = |name: &str| line.get(name)?.as_f64();
        Some([number("tokens")?, number("loss")?, number("lr")?])
    };
    let all: Vec<[f64; 3]> = text.lines().filter_map(point).collect();
    let mean = |steps: &[[f64; 3]]| {
        let last = steps.last()?;
        let loss = steps.iter().map(|step| step[1]).sum::<f64>() / steps.len() as f64;
        Some([last[0], loss, last[2]])
    };
    all.chunks(all.len().div_ceil(POINTS).max(1)).filter_map(mean).collect()
}

/// Loss against tokens, and the learning rate below it; nothing where no curve has points.
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
    let axis = |label| Axis { label, log: false };
    let loss = plot::plot(axis("tokens"), axis("loss, nats a token"), &series(1), 320.0);
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
            format!(
                "{{\"step\":{step},\"tokens\":{},\"loss\":{},\"lr\":0.5,\"norm\":1.0}}\n",
                step * 8,
                step % 2
            )
        };
        std::fs::write(folder.path().join("metrics.jsonl"), (1..=800).map(line).collect::<String>()).unwrap();
        let points = read(folder.path());
        assert_eq!((points.len(), points[0], points[399]), (400, [16.0, 0.5, 0.5], [6400.0, 0.5, 0.5]));
        assert!(read(&folder.path().join("none")).is_empty());
    }

    #[test]
    fn runs_of_an_arm_share_a_colour() {
        let curve = |name: &str, group: &str| Curve {
            name: name.into(),
            group: group.into(),
            points: vec![[0.0, 3.0, 0.1], [8.0, 2.0, 0.0]],
        };
        let html = figure("a comparison", &[curve("x, 0", "x"), curve("x, 1", "x"), curve("y, 0", "y")]);
        assert_eq!(html.matches("<polyline").count(), 6);
        assert_eq!(html.matches("style=\"stroke:var(--s0").count(), 4);
        assert_eq!(html.matches("<li>").count(), 2);
        assert_eq!(figure("none", &[]), "");
    }
}
